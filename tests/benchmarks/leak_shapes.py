"""Simulated readings of memory counters: what a leak looks like, and what only looks like one.

Each shape is a function of (generator, seconds (n,), iterations (n,)) that returns bytes (n,).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.leaks.verdict import Series

KIB, MIB = 2.0**10, 2.0**20
Shape = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]


def flat(rng, t, i):
    return np.full(t.size, 9e8)


def noise(rng, t, i):
    return rng.normal(0, 256 * KIB, t.size)


def outliers(rng, t, i):
    return np.where(rng.random(t.size) < 0.05, rng.exponential(50 * MIB, t.size), 0)


def warm_up(rng, t, i):
    """Caches that fill, quickly or within a good part of the segment."""
    tau = t[-1] * rng.uniform(0.02, 0.5)
    return rng.uniform(1, 100) * MIB * (1 - np.exp(-t / tau)) + rng.normal(0, 2 * KIB, t.size)


def logarithm(rng, t, i):
    """Pages touched for the first time, ever rarer."""
    return rng.uniform(0.1, 10) * MIB * np.log1p(t / t[0])


def staircase(rng, t, i):
    """An arena that grows now and then, and stays."""
    y = np.zeros(t.size)
    for _ in range(rng.integers(1, 10)):
        y[rng.integers(1, t.size) :] += rng.choice([128 * KIB, MIB, 2 * MIB, 32 * MIB])
    return y


def sawtooth(rng, t, i, longest=0.25):
    """Garbage that waits for its collector, at most so much of the segment."""
    period = i[-1] * rng.uniform(0.001, longest)
    return (i % period) * rng.choice([64.0, 1024.0, 8192.0]) + rng.normal(0, KIB, t.size)


def random_walk(rng, t, i):
    """Resident pages that come and go."""
    return np.cumsum(rng.choice([-1, 0, 0, 0, 1], t.size)) * rng.choice([4 * KIB, 64 * KIB, MIB])


def wandering(rng, t, i):
    """Noise whose neighbours are alike."""
    y, shock = np.zeros(t.size), rng.normal(0, MIB, t.size)
    alike = rng.choice([0.5, 0.9, 0.99])
    for n in range(1, t.size):
        y[n] = alike * y[n - 1] + shock[n]
    return y


def wave(rng, t, i):
    return 4 * MIB * np.sin(2 * np.pi * (t / (t[-1] * rng.uniform(0.1, 1.2)) + rng.random()))


def creeping(rng, t, i):
    """A few bytes here and there: free lists, interned names."""
    return np.cumsum(rng.random(t.size) < 0.05) * 16.0


HARMLESS: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (
        flat,
        noise,
        outliers,
        warm_up,
        logarithm,
        staircase,
        sawtooth,
        random_walk,
        wandering,
        wave,
        creeping,
    )
}

LEAKS: dict[str, Shape] = {
    "1 KiB": lambda rng, t, i: i * KIB,
    "16 B": lambda rng, t, i: i * 16.0,
    "1 KiB, counted in pages": lambda rng, t, i: i * KIB // 4096 * 4096,
    "64 KiB, counted in 2 MiB": lambda rng, t, i: i * 64 * KIB // (2 * MIB) * 2 * MIB,
    "1 KiB under a sawtooth": lambda rng, t, i: i * KIB + sawtooth(rng, t, i, longest=0.02),
    "1 KiB after a warm-up": lambda rng, t, i: i * KIB + 5e6 * (1 - np.exp(-t / (0.04 * t[-1]))),
    "1 KiB with outliers": lambda rng, t, i: i * KIB + outliers(rng, t, i),
    "1 KiB in noise of 16 KiB": lambda rng, t, i: i * KIB + rng.normal(0, 16 * KIB, t.size),
}


def readings(rng: np.random.Generator, shape: Shape, *, seconds: float, rate: float = 2000.0) -> Series:
    """What a segment of `seconds` reads, 50 times a second, at about `rate` iterations a second."""
    n = int(seconds * 50)
    t = np.cumsum(rng.uniform(0.018, 0.022, n))
    i = np.cumsum(rng.poisson(rate / 50, n) + 1)
    return Series(t, i, shape(rng, t, i))
