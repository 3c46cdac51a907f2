"""The parts of an attribution as sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from perfsite.regressions.attribution.differences import Difference
from perfsite.regressions.attribution.estimates import Estimate
from perfsite.regressions.attribution.evidence import Evidence, Witness
from perfsite.regressions.wording import Change, change_words, percent


def code(evidence: Evidence, estimate: Estimate) -> str:
    """What the pairs say about the code."""
    pairs = evidence.pairs
    if pairs is None:
        return "It is counted, not timed, and the toolchain is the same: all of it is the code."
    change = change_words(Change(0.0, 0.0, pairs.relative, pairs.low, pairs.high))
    count = min(len(pairs.a), len(pairs.b))
    if estimate.half is not None and not estimate.is_beyond_noise:
        return f"{bits_words(evidence)}The code is innocent: {change} over {count} pairs on one device."
    return f"{bits_words(evidence)}{count} pairs, measured in turns on one device at one time, say {change}."


def bits_words(evidence: Evidence) -> str:
    """That both builds are the same bits, as a sentence with a space behind it; empty where they are not."""
    base, suspect = evidence.base, evidence.suspect
    if base is None or suspect is None:
        return ""
    same = [
        word
        for word, one, two in (
            ("engine", base.engine_sha256, suspect.engine_sha256),
            ("ONNX file", base.onnx_sha256, suspect.onnx_sha256),
        )
        if one and one == two
    ]
    return f"Both builds have the same {same[0]}, bit for bit. " if same else ""


def luck(half: float) -> str:
    """How far rebuilt engines scatter."""
    return f"Engines built anew from the same code differ: by luck alone it may move ±{percent(half)}."


def clock(estimate: Estimate, base: Witness, suspect: Witness, *, taken: float) -> str:
    """What the SM clock did, and whether the series followed."""
    moved = f"SM clock {_megahertz(base)} → {_megahertz(suspect)} MHz"
    if not estimate.is_beyond_noise:
        return f"{moved}: no change beyond the readings' own noise."
    if not taken:
        return f"{moved}, but what the pairs leave did not follow it."
    return f"{moved}: so much vanishes when time is counted in clock cycles."


def canary(estimate: Estimate, base: Witness, suspect: Witness, *, beyond: float, taken: float) -> str:
    """What the pinned computation did, and what of it is not the clock's."""
    told = canary_words(base, suspect)
    if not estimate.is_beyond_noise:
        return f"{told}: no more than it scatters by itself."
    if not beyond:
        return f"{told}, which its clock explains."
    share = "" if math.isclose(beyond, estimate.log) else f"; {percent(math.expm1(beyond))} beyond the clock"
    if not taken:
        return f"{told}{share}, but what the pairs leave did not follow it."
    return f"{told}{share}."


def canary_words(base: Witness, suspect: Witness) -> str:
    """`The canary, a pinned computation, took 11.0 % longer`."""
    ratio = _mean(suspect.canary_s) / _mean(base.canary_s) - 1
    return f"The canary, a pinned computation, took {percent(ratio)} {'longer' if ratio > 0 else 'less time'}"


def toolchain(differences: Sequence[Difference], *, alone: bool) -> str:
    """Which facts changed."""
    listed = ", ".join(one.words for one in differences)
    if alone:
        return f"{listed}: nothing else that is known changed, so the rest is put down to it."
    return f"{listed}: it changed as well; what it did cannot be told apart."


def unexplained(left: float, half: float | None, *, alone: bool) -> str:
    """What nobody answers for."""
    if alone:
        return "What is left is put down to the toolchain; how much of it is noise is not known better."
    if half is None:
        return "Too few pairs to bound it."
    if abs(left) <= half:
        return "No more than noise."
    return "More than noise, and nothing that was read explains it."


def machine_words(
    differences: Sequence[Difference],
    canary_moved: Estimate | None,
    clock_moved: Estimate | None,
    base: Witness | None,
    suspect: Witness | None,
) -> tuple[str, ...]:
    """What changed around the code, each a phrase: facts by name, the canary, the clock."""
    found = [one.words for one in differences]
    if base and suspect and canary_moved and canary_moved.is_beyond_noise:
        told = canary_words(base, suspect)
        found.append(told[0].lower() + told[1:])
    if base and suspect and clock_moved and clock_moved.is_beyond_noise:
        found.append(f"SM clock {_megahertz(base)} → {_megahertz(suspect)} MHz")
    return tuple(found)


def no_clock(base: Witness, suspect: Witness) -> str:
    """Why there is no part for the clock."""
    if not base.has_gpu and not suspect.has_gpu:
        return "a processor's clock is not read"
    return "one of the two reports has no reading of the SM clock in this case"


def no_canary(base: Witness, suspect: Witness) -> str:
    """Why there is no part for the machine."""
    if base.canary_s and suspect.canary_s:
        return "the canary ran on different devices in the two reports"
    return "one of the two reports has no canary"


def _megahertz(witness: Witness) -> str:
    clocks = witness.sm_clock_hz
    return f"{median(clocks[1:-1] if len(clocks) > 2 else clocks) / 1e6:.0f}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
