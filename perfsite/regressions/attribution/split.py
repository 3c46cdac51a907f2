"""The arithmetic: an observed change into parts that add up to it, each with its interval.

Everything is a logarithm until the end, because there changes add up: the history's change L is the code's
part (the pairs: both builds on the same machine at the same time) and a rest r = L - code, which the
machine must answer for.

Clock and canary claim shares of r, without counting anything twice.  When a clock falls, the canary slows
with it; so the clock claims what vanishes in clock cycles (time x SM clock), and the machine only what the
canary moved beyond that.  A claim within its own noise is none.  Together they get at most r, in proportion
to their claims, and nothing when r points the other way: a model that waits for memory does not follow
the clock, and a part must not explain what did not happen.  What is then left is unexplained; where it is
beyond the noise and the toolchain differs, nothing else remains and the toolchain gets it.

Logarithms become relative changes by one factor for all parts, expm1(L) / L, the logarithmic mean of both
levels over the old one: the parts then add up exactly, none is favoured by an order, and it never divides
by zero (it is 1 at L = 0).  So a code part of 20 % beside another cause is told in per cent of the old level
and differs a little from the pairs' own 20 %, which its sentence repeats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from perfsite.regressions.attribution import words
from perfsite.regressions.attribution.claims import Claims, claims_of, claims_share
from perfsite.regressions.attribution.differences import Difference, facts_differ
from perfsite.regressions.attribution.estimates import (
    Estimate,
    code_change,
    level_change,
    luck_half,
)
from perfsite.regressions.attribution.evidence import Evidence

METHOD = "log-mean-split/1"


@dataclass(frozen=True)
class Part:
    """What one cause explains, relative to the old level; None where it is only named."""

    cause: str
    relative: float | None
    low: float | None
    high: float | None
    sentence: str


@dataclass(frozen=True)
class Attributed:
    """`total` is the history's change, relative; `parts` with numbers add up to it, the last is unexplained.

    `left_out` says by cause why it has no part.  `is_machine` tells whether clock, canary or toolchain moved
    the series by more than noise; `machine` says in words what changed there, whether or not it mattered.
    """

    total: float
    low: float
    high: float
    parts: tuple[Part, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    is_machine: bool = False
    machine: tuple[str, ...] = ()

    def part(self, cause: str) -> Part | None:
        """The part of a cause, None when it was left out."""
        return next((part for part in self.parts if part.cause == cause), None)

    def parts_json(self) -> list[dict[str, Any]]:
        """The parts as the database keeps them."""
        return [dict(vars(part)) for part in self.parts]


def attribute(evidence: Evidence) -> Attributed | None:
    """Split the change of a series at a build; None where a value has no logarithm or there is none.

    Raises:
        ValueError: a level is empty; there is nothing to compare.
    """
    if not evidence.before or not evidence.after:
        raise ValueError("an attribution needs the level's values and a newer one; one side is empty")
    level = level_change(evidence)
    if level is None:
        return None
    return _Split(evidence, level).attributed()


class _Split:
    """One attribution on its way."""

    def __init__(self, evidence: Evidence, level: Estimate) -> None:
        self.evidence = evidence
        self.level = level
        self.factor = math.expm1(level.log) / level.log if level.log else 1.0
        self.differences = tuple(
            facts_differ(evidence.base.facts, evidence.suspect.facts)
            if evidence.base and evidence.suspect
            else ()
        )
        self.left_out: dict[str, str] = {}

    def attributed(self) -> Attributed:
        code = self._code()
        rest = self.level.log - (code.log if code else 0.0)
        claims = claims_of(self.evidence)
        self.left_out |= claims.left_out
        clock, machine = claims_share(claims, rest)
        luck = luck_half(self.evidence)
        half = self._half_left(code, claims, clock, machine, luck)
        left = rest - clock - machine
        alone = code is not None and half is not None and abs(left) > half and bool(self.differences)
        noise = math.hypot(self.level.half or 0.0, (code.half if code else None) or 0.0)
        parts = [
            *self._code_part(code),
            *self._luck_part(luck),
            *self._machine_parts(claims, clock, machine),
            *self._toolchain_part(left if alone else None, half),
            self._rest_part(left, half, alone=alone),
        ]
        low, high = (math.expm1(self.level.log + sign * (self.level.half or 0.0)) for sign in (-1, 1))
        return Attributed(
            total=math.expm1(self.level.log),
            low=low,
            high=high,
            parts=tuple(parts),
            left_out=self.left_out,
            differences=self.differences,
            is_machine=alone or abs(clock + machine) > noise,
            machine=words.machine_words(
                self.differences, claims.canary, claims.clock, self.evidence.base, self.evidence.suspect
            ),
        )

    def _part(self, cause: str, log: float, half: float | None, sentence: str) -> Part:
        low, high = (None if half is None else (log + sign * half) * self.factor for sign in (-1, 1))
        return Part(cause, log * self.factor, low, high, sentence)

    def _rest_part(self, left: float, half: float | None, *, alone: bool) -> Part:
        sentence = words.unexplained(left, half, alone=alone)
        return self._part("unexplained", 0.0 if alone else left, half, sentence)

    def _code(self) -> Estimate | None:
        """The code's change; of a counted metric all of it, as long as the toolchain is the same."""
        if self.evidence.pairs is not None:
            code = code_change(self.evidence.pairs)
            if code is None:
                self.left_out["code"] = "the pairs hold a value that has no ratio"
            return code
        if self.evidence.exact and not self.differences:
            return Estimate(self.level.log, 0.0)
        self.left_out["code"] = (
            "it was not compared in pairs, and the toolchain changed as well"
            if self.differences
            else "it was not compared in pairs"
        )
        return None

    def _half_left(
        self,
        code: Estimate | None,
        claims: Claims,
        clock: float,
        machine: float,
        luck: float | None,
    ) -> float | None:
        """Half the interval of what is left; the history's own spread holds the luck of builds already."""
        if code is not None and code.half is None:
            return None
        halves = [max(self.level.half or 0.0, luck or 0.0), code.half if code else 0.0]
        halves += [claims.clock.half] if claims.clock and clock else []
        halves += [claims.canary.half] if claims.canary and machine else []
        return math.hypot(*(half or 0.0 for half in halves))

    def _code_part(self, code: Estimate | None) -> list[Part]:
        if code is None:
            return []
        sentence = words.code(self.evidence, code)
        return [self._part("code", code.log, code.half, sentence)]

    def _luck_part(self, luck: float | None) -> list[Part]:
        if luck is None:
            if self.evidence.rebuilt:
                self.left_out["build luck"] = "fewer than three engines of each build were compared"
            return []
        return [self._part("build luck", 0.0, luck, words.luck(luck * self.factor))]

    def _machine_parts(self, claims: Claims, clock: float, machine: float) -> list[Part]:
        parts = []
        base, suspect = self.evidence.base, self.evidence.suspect
        if claims.clock is not None and base and suspect:
            sentence = words.clock(claims.clock, base, suspect, taken=clock)
            parts.append(self._part("clock", clock, claims.clock.half, sentence))
        if claims.canary is not None and base and suspect:
            sentence = words.canary(claims.canary, base, suspect, beyond=claims.machine_log, taken=machine)
            parts.append(self._part("machine", machine, claims.canary.half, sentence))
        return parts

    def _toolchain_part(self, left: float | None, half: float | None) -> list[Part]:
        """The environment's facts that differ: by name, and with a number when only they remain."""
        if not self.differences:
            if self.evidence.base is None or self.evidence.suspect is None:
                self.left_out["toolchain"] = "the environments of the two builds are not known"
            return []
        sentence = words.toolchain(self.differences, alone=left is not None)
        if left is None:
            return [Part("toolchain", None, None, None, sentence)]
        return [self._part("toolchain", left, half, sentence)]
