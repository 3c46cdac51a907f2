"""How far the medians of equal runs lie apart: `python -m tests.gpu.spread --processes 10 -- ARGUMENTS`.

Runs `python -m benchmarks run ARGUMENTS --suite latency --json` in as many fresh processes, one after the
other, and prints the coefficient of variation of each metric's value over them, as Markdown.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict

import numpy as np

from benchmarks.metrics import metric_get


def reports_run(arguments, processes):
    for _ in range(processes):
        command = [sys.executable, "-m", "benchmarks", "run", *arguments, "--suite", "latency", "--json"]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        reports = json.loads(answer.stdout)
        yield from reports if isinstance(reports, list) else [reports]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("arguments", nargs="+")
    options = parser.parse_args()
    values = defaultdict(list)
    for report in reports_run(options.arguments, options.processes):
        for outcome in report["outcomes"]:
            if outcome["status"] != "done":
                print(outcome["case"]["runner"], outcome["reason"], file=sys.stderr)
        for one in report["measurements"]:
            case = one["case"]
            key = (case["model"], case["runner"], case["precision"], case["batch"], one["metric"])
            values[key].append(one["value"])
    print("| model | runner | precision | batch | metric | median | CV | processes |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (*case, name), found in values.items():
        metric, array = metric_get(name), np.asarray(found)
        if metric.better is None or len(found) < 2:
            continue
        spread = array.std(ddof=1) / array.mean()
        words = " | ".join(map(str, case))
        print(f"| {words} | {name} | {metric.format(np.median(array))} | {spread:.3%} | {len(found)} |")


if __name__ == "__main__":
    main()
