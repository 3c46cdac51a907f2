"""What was measured before does not change what is measured next: runners in a row share a stream."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import ModelSource
from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]


def captured_time(batch: int) -> float:
    """Seconds of the GPU for one inference of a model of many small kernels, by a runner of its own."""
    from benchmarks.gpu.events import launches_time

    assets = Assets(ModelSource(kind="catalogue", ref="tiny-bert"), Path(), "fp16", "cuda", 1)
    with runner_open("torch", assets) as runner:
        runner.bind(batch)
        runner.capture()
        launches_time(runner.submit, runner.stream, pairs=50, per_pair=100)
        return float(np.median(launches_time(runner.submit, runner.stream, pairs=50, per_pair=100)))


def test_runners_that_follow_each_other_share_a_stream():
    from benchmarks.gpu.streams import stream_return, stream_take

    first = stream_take()
    stream_return(first)
    assets = Assets(ModelSource(kind="catalogue", ref="tiny-cnn"), Path(), "fp32", "cuda", 1)
    with runner_open("torch", assets) as one, runner_open("torch", assets) as other:
        assert one.stream == first
        assert other.stream != first
    with runner_open("torch", assets) as later:
        assert later.stream == first


def test_a_runner_after_another_is_as_fast_as_the_first():
    seconds = [captured_time(1) for _ in range(4)]
    print(np.round(np.asarray(seconds) * 1e6, 2), "µs")
    assert max(seconds) < 1.02 * min(seconds)
