"""What happens in a generated history: commits that change a level, machines that change (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from perfsite.demo.history.catalogue import KINDS, Row
from perfsite.demo.history.noise import NOISES, noise_make

AUTHORS = (
    "Ada Lovelace",
    "Grace Hopper",
    "Katherine Johnson",
    "Edsger Dijkstra",
    "Barbara Liskov",
    "Ken Iverson",
)
_VERBS = ("Rework", "Fuse", "Simplify", "Cache", "Vectorise", "Move", "Split", "Drop", "Guard", "Document")
_NOUNS: tuple[str, ...] = (
    "the attention mask",
    "layer norm",
    "the tokenizer",
    "the export path",
    "the residual add",
)
_NOUNS += ("input padding", "the KV cache", "the preprocessing", "the calibration set", "the engine cache")
PER_DAY = 14
BUILDS_PER_CHANGE = 60
BUILDS_PER_UPGRADE = 600
_TOOLS = ("driver", "tensorrt", "torch")
_FIRST = {"driver": (570, 86), "tensorrt": (10, 9), "torch": (2, 8)}
UNSTABLE_SHARE = 0.01


@dataclass(frozen=True)
class Change:
    """A commit that moves levels: `size` 0.06 makes what it touches 6 % worse, below zero better."""

    place: int
    model: str
    runner: str
    size: float
    touched: tuple[int, ...]


@dataclass(frozen=True)
class Upgrade:
    """From this build on a class of devices has another version of something; `size` as in `Change`."""

    place: int
    device_class: str
    tool: str
    size: float


@dataclass
class Story:
    """Everything that is not a number: builds by place (0 is the oldest), changes, upgrades."""

    seed: int
    builds: int
    until: datetime
    ordinals: NDArray[np.int64]
    changes: list[Change] = field(default_factory=list)
    upgrades: list[Upgrade] = field(default_factory=list)

    def moment(self, ordinal: int) -> datetime:
        """When the commit of this ordinal was made."""
        return self.until - timedelta(days=1) / PER_DAY * (int(self.ordinals[-1]) - ordinal + 0.5)

    def subject(self, ordinal: int) -> str:
        """The first line of its message."""
        pick = np.random.default_rng([self.seed, 1, ordinal]).integers(0, 2**31, 2)
        return f"{_VERBS[pick[0] % len(_VERBS)]} {_NOUNS[pick[1] % len(_NOUNS)]}"

    def author(self, ordinal: int) -> str:
        """Who made it."""
        return AUTHORS[int(np.random.default_rng([self.seed, 2, ordinal]).integers(len(AUTHORS)))]

    def versions(self, device_class: str) -> list[tuple[int, dict[str, str]]]:
        """The tools of a class of devices: from which place on which versions."""
        now = dict(_FIRST)
        found = [(0, _texts(now))]
        for upgrade in self.upgrades:
            if upgrade.device_class == device_class:
                major, minor = now[upgrade.tool]
                now[upgrade.tool] = (major, minor + 1)
                found.append((upgrade.place, _texts(now)))
        return found


def _texts(versions: dict[str, tuple[int, int]]) -> dict[str, str]:
    return {name: f"{major}.{minor}" for name, (major, minor) in versions.items()}


def story_make(*, rows: list[Row], builds: int, seed: int, until: datetime) -> Story:
    """The events of a history of `builds` measured builds; about one commit in thirty is not measured."""
    rng = np.random.default_rng([seed, 0])
    gaps = 1 + (rng.random(builds) < 1 / 30).astype(np.int64)
    story = Story(seed, builds, until, np.cumsum(gaps))
    models, runners = sorted({row.model for row in rows}), sorted({row.runner for row in rows})
    for _ in range(max(2, builds // BUILDS_PER_CHANGE)):
        story.changes += _change_pair(rng, rows, builds, str(rng.choice(models)), str(rng.choice(runners)))
    taken: dict[int, Change] = {change.place: change for change in reversed(story.changes)}
    story.changes = [taken[place] for place in sorted(taken)]
    for _ in range(max(1, builds // BUILDS_PER_UPGRADE) * 2):
        place = int(rng.integers(1, max(2, builds)))
        kind = KINDS[int(rng.integers(len(KINDS)))]
        tool = _TOOLS[int(rng.integers(3))]
        story.upgrades.append(Upgrade(place, kind.device_class, tool, float(rng.normal(0, 0.008))))
    story.upgrades.sort(key=lambda upgrade: upgrade.place)
    return story


def _change_pair(
    rng: np.random.Generator, rows: list[Row], builds: int, model: str, runner: str
) -> list[Change]:
    """One commit that moves a model, and in most cases the one that takes it back."""
    place = int(rng.integers(min(10, builds - 1), builds))
    size = float(rng.choice([1, -1]) * np.exp(rng.uniform(np.log(0.02), np.log(0.25))))
    touched = tuple(
        at for at, row in enumerate(rows) if row.model == model and row.runner == runner and row.is_timed
    )
    found = [Change(place, model, runner, size, touched)] if touched else []
    back = place + int(rng.integers(5, 120))
    if found and size > 0 and back < builds and rng.random() < 0.8:
        found.append(Change(back, model, runner, -size / (1 + size), touched))
    return found


@dataclass(frozen=True)
class Numbers:
    """Values by series and place, shape (series, builds); half widths of the intervals; who is unstable."""

    values: NDArray[np.float64]
    half: NDArray[np.float64]
    unstable: NDArray[np.bool_]
    levels: NDArray[np.float64]


def numbers_make(story: Story, rows: list[Row]) -> Numbers:
    """The measured values of a story, each series with a noise of its own."""
    shape = (len(rows), story.builds)
    logs = np.zeros(shape, dtype=np.float64)
    for change in story.changes:
        step = np.log1p(change.size)
        for at in change.touched:
            logs[at, change.place :] += rows[at].sign * step
    for upgrade in story.upgrades:
        hit = [at for at, row in enumerate(rows) if _is_hit(row, upgrade)]
        for at in hit:
            logs[at, upgrade.place :] += rows[at].sign * np.log1p(upgrade.size)
    levels = np.exp(logs) * np.array([row.level for row in rows])[:, None]
    values, unstable = np.empty(shape), np.zeros(shape, dtype=np.bool_)
    kinds = list(NOISES)
    for at, row in enumerate(rows):
        rng = np.random.default_rng([story.seed, 3, at])
        noise = noise_make(rng, kinds[at % len(kinds)], points=story.builds, spread=row.spread)
        unstable[at] = (rng.random(story.builds) < UNSTABLE_SHARE) & (row.spread > 0)
        values[at] = levels[at] * np.maximum(0.5, 1 + noise * np.where(unstable[at], 4.0, 1.0))
    half = values * np.array([row.spread for row in rows])[:, None] * 0.6
    return Numbers(values, half, unstable, levels)


def _is_hit(row: Row, upgrade: Upgrade) -> bool:
    return row.is_timed and row.kind.device_class == upgrade.device_class
