"""Who is told what: the two personas of the online screen, and what they tell."""

from __future__ import annotations

from dataclasses import dataclass

NEARLY = 0.8  # of the relevant change: what an estimate must reach, being uncertain itself


@dataclass(frozen=True)
class Persona:
    """When something is told: its normal `score`, `points` of the new level, `sure` of its place.

    `sure` is the posterior share within two builds; a persona that `asks` waits for `settle`; `earliest`
    is how many points a level needs before it can be left.  A score
    is not a false-alarm rate: it is the largest of many dependent ones, and noise is not normal, so the
    scores were chosen on the tuning seeds of two generators and the rates are measured.
    """

    score: float
    points: int
    sure: float
    asks: bool = False
    earliest: int = 6


STRICT = Persona(score=4.4, points=3, sure=0.6)
EAGER = Persona(score=2.8, points=2, sure=0.4, asks=True, earliest=4)


@dataclass(frozen=True)
class Told:
    """A change, or for a persona that asks a suspicion.

    `index` is the first build of the new level, `detected_at` the newest build when it was told; the
    change lies behind `last_good` and not behind `suspect` with 90 % posterior; `before` and `after`
    are in the metric's unit, `relative` is after / before - 1; `score` is a signed normal score.
    """

    index: int
    detected_at: int
    last_good: int
    suspect: int
    before: float
    after: float
    relative: float
    score: float
