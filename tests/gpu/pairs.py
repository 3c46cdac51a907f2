"""A model against itself, and against 1 % more of it: `python -m tests.gpu.pairs --pairs 30`.

The model is a chain of 100 small matrix products; the other one has 101.  Every run is a process of its own
(forked from one that has the libraries and no CUDA yet), its report is compared with another's as
`python -m benchmarks compare` does.  Prints how often each verdict on the GPU's time was told.
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.cases import Case, ModelSource
from benchmarks.cli.comparing import measured, measurements_compare
from benchmarks.isolation import isolated
from benchmarks.nursery import nursery_open
from benchmarks.preload import libraries_preload
from benchmarks.session import measure

CHAIN = """
import torch


class Chain(torch.nn.Module):
    def __init__(self, products):
        super().__init__()
        self.products = products
        self.weight = torch.nn.Parameter(torch.randn(512, 512) / 512**0.5)

    def forward(self, rows):
        for _ in range(self.products):
            rows = rows @ self.weight
        return rows


def build100():
    return Chain(100), torch.randn(512, 512)


def build101():
    return Chain(101), torch.randn(512, 512)
"""


def report_make(folder, function, runner, duration):
    case = Case(
        model="chain", runner=runner, precision="fp16", suite="latency", duration_s=duration, batch=512
    )
    return measure(
        ModelSource(kind="entry", ref=f"chain.py:{function}"),
        model="chain",
        precision="fp16",
        cases=[case],
        checkout=folder,
        workdir=folder / "work",
        on_progress=lambda *_: None,
        canary=False,
    )


def verdicts(pairs):
    counts = Counter()
    changes = []
    for first, second in pairs:
        for row in measurements_compare(measured([first]), measured([second])):
            if row.metric == "gpu_compute_time_p50":
                counts[row.verdict] += 1
                changes.append(round(row.relative * 100, 3))
    return {"verdicts": dict(counts), "changes_percent": sorted(changes)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--runner", default="torch")
    parser.add_argument("--duration", type=float, default=0.6)
    options = parser.parse_args()
    with (
        nursery_open(lambda: libraries_preload([options.runner], export=False)) as nursery,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        (folder / "chain.py").write_text(CHAIN)

        def run(function):
            return isolated(report_make, folder, function, options.runner, options.duration, nursery=nursery)

        rounds = [(run("build100"), run("build101"), run("build100")) for _ in range(options.pairs)]
    print("itself", json.dumps(verdicts((first, last) for first, _, last in rounds)))
    print("1 % more", json.dumps(verdicts((first, more) for first, more, _ in rounds)))


if __name__ == "__main__":
    main()
