"""Many leak-free soaks, one after the other: how many are accused of a leak?  By hand:

    python -m tests.benchmarks.soak_many --count 200 --seconds 5 [--model tiny-cnn] [--runner torch]

Every one is a whole job in a fresh process of its own.  Exit status 1 when any is accused.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections import Counter


def soak(model: str, runner: str, seconds: float) -> tuple[float | None, list[str]]:
    """How many counters one soak found to leak (None without a verdict), and its remarks."""
    command = [sys.executable, "-m", "benchmarks", "run", "--model", model, "--runner", runner]
    command += ["--suite", "soak", "--duration", str(seconds), "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(answer.stderr)
    report = json.loads(answer.stdout)
    leaks = [one["value"] for one in report["measurements"] if one["metric"] == "leaks"]
    told = [f"{one['code']}: {one['sentence']}" for one in report["remarks"]]
    return (leaks[0] if leaks else None), told


def main() -> int:
    """Soak in turns over the models and runners; print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--model", action="append")
    parser.add_argument("--runner", action="append")
    options = parser.parse_args()
    models, runners = options.model or ["tiny-cnn", "tiny-bert"], options.runner or ["torch", "onnxruntime"]
    turns = itertools.cycle(itertools.product(models, runners))
    began, count = time.monotonic(), Counter[str]()
    for number, (model, runner) in zip(range(1, options.count + 1), turns, strict=False):
        leaks, told = soak(model, runner, options.seconds)
        word = "no verdict" if leaks is None else "leak" if leaks else "no leak"
        count[word] += 1
        print(f"{number:4} {model}/{runner}: {word}", flush=True)
        for sentence in told:
            if leaks != 0 or sentence.startswith("memory-grew"):
                print(f"       {sentence}", flush=True)
    print(
        f"{dict(count)} of {options.count} soaks of {options.seconds:g} s, {time.monotonic() - began:.0f} s"
    )
    return 1 if count["leak"] else 0


if __name__ == "__main__":
    sys.exit(main())
