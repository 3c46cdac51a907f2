"""Reports as the table of benchmarks/measured/README.md: `python -m tests.gpu.table a.json b.json ...`.

Each file is what `python -m benchmarks run --json` printed.  A cell that was not measured is empty; why, is
listed below the table.  With `--points` every metric of every case is listed instead.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.metrics import metric_get

COLUMNS = (
    "gpu_compute_time_p50",
    "latency_p50",
    "throughput",
    "gpu_peak_memory",
    "host_peak_memory",
)


def reports_read(paths):
    for path in paths:
        found = json.loads(Path(path).read_text())
        yield from found if isinstance(found, list) else [found]


def table_print(reports):
    rows = defaultdict(dict)
    reasons = {}
    for report in reports:
        for one in report["measurements"]:
            case = Case.model_validate(one["case"])
            if case.options:  # a point of another suite
                continue
            rows[(case.model, case.runner, case.precision, case.batch)][one["metric"]] = one["value"]
        for outcome in report["outcomes"]:
            case = Case.model_validate(outcome["case"])
            if outcome["status"] != "done":
                reasons.setdefault((case.model, case.runner, case.precision, outcome["reason"]), []).append(
                    f"{case.suite} b{case.batch}"
                )
    titles = [metric_get(name).title for name in COLUMNS]
    print(f"| model | runner | precision | batch | {' | '.join(titles)} |")
    print("| --- | --- | --- | --- |" + " --- |" * len(COLUMNS))
    for key, found in sorted(rows.items()):
        cells = [metric_get(name).format(found[name]) if name in found else "" for name in COLUMNS]
        print(f"| {' | '.join(map(str, key))} | {' | '.join(cells)} |")
    for (model, runner, precision, reason), suites in reasons.items():
        print(f"not run: {model} {runner} {precision} ({', '.join(suites)}): {reason[:300]}")


def points_print(reports):
    for report in reports:
        for one in report["measurements"]:
            case, metric = Case.model_validate(one["case"]), metric_get(one["metric"])
            if metric.name not in ("cpu_utilisation", "gpu_utilisation"):
                print(f"| {case.label} | {metric.title} | {metric.format(one['value'])} | {one['n']} |")
        for outcome in report["outcomes"]:
            if outcome["status"] != "done":
                print(f"not run: {Case.model_validate(outcome['case']).label}: {outcome['reason'][:300]}")
        for remark in report["remarks"]:
            print(f"remark: {remark['code']}: {remark['sentence'][:200]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", action="store_true")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    reports = list(reports_read(options.files))
    (points_print if options.points else table_print)(reports)


if __name__ == "__main__":
    main()
