"""Young projects: the screens on short series, `python -m tests.regressions.detection_young`.

499 series of 16 points, nine kinds of noise of 1 to 6 %, half of them with one step of 20 %.  A comparison
is told the truth: whether the level moved between the two builds.  Reporting seeds: 900,001 and up.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from perfsite.regressions.detection import EAGER, OnlineScreen, screen
from tests.regressions.detection_truth import KINDS

POINTS, SERIES = 16, 499
REPORTING = 900_001


def short_series(seed: int) -> tuple[np.ndarray, int | None]:
    """Values and where the step is, or None."""
    rng = np.random.default_rng(seed)
    kind = list(KINDS)[seed % len(KINDS)]
    sigma = float(np.exp(rng.uniform(np.log(0.01), np.log(0.06))))
    at = int(rng.integers(4, POINTS - 3)) if rng.random() < 0.5 else None
    level = np.full(POINTS, 0.01)
    if at is not None:
        level[at:] *= 1.2 ** rng.choice([-1, 1])
    return level * (1 + sigma * KINDS[kind](rng, POINTS)), at


def asked_eager(values: np.ndarray, at: int | None, persona=EAGER) -> Iterator[tuple[int, bool]]:
    """When the eager screen asks, and whether the two builds it names lie about the step."""
    online = OnlineScreen(persona, relevant=0.03)
    for index, value in enumerate(values.tolist()):
        told = online.append(value)
        if told:
            right = at is not None and told.last_good < at <= told.suspect
            online.settle(told, changed=right)
            yield index, right


def asked_old(values: np.ndarray, at: int | None) -> Iterator[tuple[int, bool]]:
    """The same of the screen of windows: it names a build, and compares it with the one before."""
    start, cleared = 0, []
    for index in range(1, len(values)):
        found = screen(
            values[: index + 1], better="lower", relevant=0.03, grain=0.0, level_start=start, cleared=cleared
        )
        if found.is_suspicious and found.start not in cleared:
            right = found.start == at
            if right:
                start, cleared = found.start, []
            else:
                cleared.append(found.start)
            yield index, right


def young_score(asked, first: int = REPORTING) -> dict[str, float]:
    """Shares of the steps caught, and within three builds; comparisons in vain per 1,000 points."""
    steps = caught = soon = vain = 0
    for seed in range(first, first + SERIES):
        values, at = short_series(seed)
        steps += at is not None
        for index, right in asked(values, at):
            caught += right
            soon += right and at is not None and index - at < 3
            vain += not right
    return {"caught": caught / steps, "within 3": soon / steps, "in vain": 1000 * vain / (SERIES * POINTS)}


def main() -> None:
    """Print both screens' figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--tuning", action="store_true")
    first = 1 if options.parse_args().tuning else REPORTING
    print("windows", young_score(asked_old, first))
    for earliest in (EAGER.earliest,) if first != 1 else (3, 4, 5, 6):
        persona = replace(EAGER, earliest=earliest)
        print("eager, from", earliest, young_score(lambda v, a, p=persona: asked_eager(v, a, p), first))


if __name__ == "__main__":
    main()
