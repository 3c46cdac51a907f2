"""Which case of an order a point belongs to, and the case that measures the point alone."""

from dataclasses import dataclass

from benchmarks.cases import Case
from perfsite.runs.cases import case_find, cases_of, origin_of
from tests.factories import case_make


@dataclass
class Row:
    """The fields of a series."""

    shape: str
    suite: str = "sweep"
    runner: str = "torch"
    precision: str = "fp32"


SWEEP = case_make(suite="sweep", duration_s=3.0, options={"largest_size": 512})


def test_an_order_from_before_there_were_options_is_read():
    fields = {name: value for name, value in SWEEP.model_dump().items() if name != "options"}
    assert cases_of({"cases": [fields]}) == [SWEEP.at(largest_size=None)]
    assert cases_of({}) == []


def test_an_ordered_case_is_found_as_it_is():
    latency = case_make(suite="latency", batch=8)
    assert case_find([SWEEP, latency], Row("b8", suite="latency")) == latency
    assert case_find([SWEEP, latency], Row("b1,largest_size=512")) == SWEEP


def test_a_point_becomes_the_case_that_measures_it_alone():
    found = case_find([case_make(suite="latency"), SWEEP], Row("b1,largest_size=512,size=384"))
    assert isinstance(found, Case)
    assert (found.suite, found.duration_s, found.option("size")) == ("sweep", 3.0, 384)


def test_what_the_order_cannot_have_reported_is_not_found():
    assert case_find([SWEEP], Row("b1,size=384", runner="onnxruntime")) is None
    assert case_find([SWEEP], Row("b1,option_of_old=384")) is None
    assert case_find([SWEEP], Row("an old shape")) is None


def test_a_point_comes_from_the_ordered_case_it_is_nearest_to():
    small, large = (case_make(suite="sweep", batch=batch) for batch in (1, 8))
    assert origin_of(small.at(size=512), [small, large]) == [small]
    assert origin_of(large, [small, large]) == [large]
    slow, fast = (case_make(suite="server", options={"qps": qps}) for qps in (10, 50))
    assert origin_of(fast.at(max_batch=2), [slow, fast]) == [fast]
    assert origin_of(case_make(suite="memory"), [slow, fast]) == []
