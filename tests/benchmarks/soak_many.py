"""Many leak-free soaks: how many are accused of a leak?  By hand:

    python -m tests.benchmarks.soak_many --count 200 --seconds 5 [--model tiny-cnn] [--runner torch]

Each soak is a process of its own; `--per-job` of them share a job, its export and its imports.  Exit
status 1 when any is accused.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator


def soaks(model: str, runner: str, seconds: float, count: int) -> Iterator[tuple[float | None, list[str]]]:
    """Of each of `count` soaks, how many counters leak (None without a verdict), and its remarks."""
    # a segment that may last longer than the soak changes nothing, and makes it another case
    segments = ",".join(str(seconds + number) for number in range(count))
    command = [sys.executable, "-m", "benchmarks", "run", "--model", model, "--runner", runner, "--no-canary"]
    command += ["--suite", "soak", "--duration", str(seconds), "--option", f"segment_s={segments}", "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(answer.stderr)
    report = json.loads(answer.stdout)
    for outcome in report["outcomes"]:
        case = outcome["case"]
        leaks = [
            one["value"] for one in report["measurements"] if one["case"] == case and one["metric"] == "leaks"
        ]
        told = [f"{one['code']}: {one['sentence']}" for one in report["remarks"] if one["case"] == case]
        yield (leaks[0] if leaks else None), told


def main() -> int:
    """Soak in turns over the models and runners; print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--per-job", type=int, default=10)
    parser.add_argument("--model", action="append")
    parser.add_argument("--runner", action="append")
    options = parser.parse_args()
    models, runners = options.model or ["tiny-cnn", "tiny-bert"], options.runner or ["torch", "onnxruntime"]
    began, count = time.monotonic(), Counter[str]()
    for model, runner in itertools.cycle(itertools.product(models, runners)):
        left = options.count - count.total()
        if left <= 0:
            break
        for leaks, told in soaks(model, runner, options.seconds, min(left, options.per_job)):
            word = "no verdict" if leaks is None else "leak" if leaks else "no leak"
            count[word] += 1
            print(f"{count.total():4} {model}/{runner}: {word}", flush=True)
            for sentence in told:
                if leaks != 0 or sentence.startswith("memory-grew"):
                    print(f"       {sentence}", flush=True)
    print(
        f"{dict(count)} of {options.count} soaks of {options.seconds:g} s, {time.monotonic() - began:.0f} s"
    )
    return 1 if count["leak"] else 0


if __name__ == "__main__":
    sys.exit(main())
