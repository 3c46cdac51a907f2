"""An incident whose regressions need not be one commit's doing: each is accused by its own measurements."""

import pytest

from benchmarks.cases import Case
from perfsite.alerts.facts import incident_facts
from perfsite.regressions.bisection import bisections_step
from perfsite.regressions.bisection.accusing import accusation_of, regression_accuses
from perfsite.regressions.bisection.covering import witnesses_of
from perfsite.regressions.bisection.due import build_is_settled, incident_is_searched, regression_due
from perfsite.regressions.models import Bisection, Incident, Regression, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.results.models import Series
from perfsite.runs.models import Build, Job
from perfsite.runs.plan import builds_plan
from tests.factories import project_make, worker_make
from tests.regressions.builders import QUIET, compare_report, comparison_make, job_report, values_report
from tests.regressions.searching import answer, asked
from tests.runs.repository import Repository, push

SMALL, LARGE = 1000.0, 1370.0
TIME, CPU, COUNT, SIZE = "latency_p50", "cpu_time_p50", "parameter_count", "model_size"
TOML = """
[measure]
commits = "heads"
[defaults]
runners = ["torch"]
suites = ["latency"]
[models.cnn]
catalogue = "tiny-cnn"
"""


def measured(build: Build, *, large: bool, time: float, cpu: float = 1.0, size: float = 1e6) -> None:
    """The build's measure job comes home."""
    values = {COUNT: LARGE if large else SMALL, SIZE: size, TIME: time, CPU: cpu}
    values_report(Job.objects.get(run__build=build, kind="measure"), values)


@pytest.fixture
def pushed(db, settings, tmp_path) -> list[Build]:
    """Eight heads, then a push of five whose head is larger and confirmed to be slower."""
    settings.MEDIA_ROOT, settings.MIRRORS = tmp_path, tmp_path / "mirrors"
    worker_make()
    repository = Repository(tmp_path / "models")
    project = project_make(repo=str(repository.path))
    for number, time in enumerate(QUIET):
        push(project, repository.commit(f"head {number}", perfsite_DOT_toml=TOML, a=str(number)))
        builds_plan()
        measured(Build.objects.get(ordinal=number + 1), large=False, time=time, cpu=time)
    shas = [repository.commit(f"part {number}", b=str(number)) for number in range(5)]
    push(project, *shas)
    builds_plan()
    return [Build.objects.get(sha=sha) for sha in shas]


def head_report(builds: list[Build], *, size: float = 1e6, cpu: float = 1.0) -> None:
    """The head's report, and the comparison that confirms its time."""
    measured(builds[-1], large=True, time=1.2, cpu=cpu, size=size)
    reports_screen()
    compare_report(Job.objects.get(kind="compare"), {TIME: 1.2}, besides={CPU: cpu})
    reports_screen()


def between_report(builds: list[Build], *, large: int, size: int | None = None) -> None:
    """The search by what is counted has its commits measured; from the number `large` on they are larger."""
    bisections_step()
    for number, build in enumerate(builds[:-1]):
        grown = 1e6 if size is None or number < size else 2e6
        measured(build, large=number >= large, time=1.0, size=grown)
    reports_screen()
    bisections_step()


def whom(metric: str) -> tuple[str, str]:
    """Whom the regression of a metric accuses, and by what."""
    row = Regression.objects.get(series__metric=metric)
    accused = regression_accuses(regression=row, searches=witnesses_of(incident=row.incident))
    return accused.label, accused.basis


def test_what_is_counted_is_searched_first_and_the_time_asks_at_what_it_found(pushed):
    head_report(pushed)
    bisections_step()
    assert Bisection.objects.get().regression.series.metric == COUNT
    assert Job.objects.filter(kind="compare").count() == 1  # nothing timed is asked yet
    between_report(pushed, large=2)
    first, second = Bisection.objects.order_by("id")
    assert (first.state, first.bad) == ("found", pushed[2])
    assert (second.regression.series.metric, second.hint) == (TIME, pushed[2])
    assert not build_is_settled(build=pushed[-1])  # nobody is told before the time was asked about
    assert asked().build == pushed[1]
    answer(1.0)
    assert asked().build == pushed[2]
    answer(1.2)
    incident = Incident.objects.get()
    assert incident.culprit == pushed[2]
    assert whom(COUNT) == whom(TIME) == (pushed[2].short, "search")
    assert Job.objects.filter(kind="compare").count() == 3
    assert build_is_settled(build=pushed[-1])


def test_two_commits_one_grows_the_model_and_a_later_one_slows_it(pushed):
    head_report(pushed)
    between_report(pushed, large=1)
    answer(1.0)  # the parent of the one that grew it
    answer(1.0)  # and itself: innocent of the time
    assert asked().build == pushed[2]
    answer(1.0)
    answer(1.2)
    grown, slow = Incident.objects.order_by("id")
    assert (grown.culprit, grown.regressions.get().series.metric) == (pushed[1], COUNT)
    assert (slow.culprit, slow.build, slow.range_start) == (pushed[3], pushed[3], pushed[2])
    assert slow.regressions.get().series.metric == TIME
    assert [accusation_of(incident=one).build for one in (grown, slow)] == [pushed[1], pushed[3]]
    assert not incident_is_searched(incident=grown)
    assert not incident_is_searched(incident=slow)
    told = grown.events.get(code="split").sentence
    assert f"{pushed[3].short} by Ada changed the latency p50 of cnn" in told
    assert pushed[1].short in told
    # each message accuses its own commit of its own change
    facts = incident_facts(incident=slow)
    assert (facts.sha, facts.regressions[0].subject.sha) == (pushed[3].sha, pushed[3].short)


def test_two_commits_an_earlier_one_slows_the_model_and_a_later_one_grows_it(pushed):
    head_report(pushed)
    between_report(pushed, large=3)
    assert asked().build == pushed[2]
    answer(1.2)  # slow already before it grew
    assert asked().build == pushed[0]
    answer(1.0)
    answer(1.2)
    by_metric = {row.series.metric: row.incident.culprit for row in Regression.objects.all()}
    assert by_metric == {COUNT: pushed[3], TIME: pushed[1]}


def test_the_head_slows_what_an_earlier_commit_grew(pushed):
    head_report(pushed)
    between_report(pushed, large=1)
    for _ in range(4):
        answer(1.0)
    by_metric = {row.series.metric: row.incident for row in Regression.objects.all()}
    assert by_metric[TIME].build == by_metric[TIME].culprit == pushed[4]
    assert by_metric[COUNT].build == by_metric[COUNT].culprit == pushed[1]
    assert by_metric[COUNT].range_start == pushed[0]


def test_a_time_too_noisy_to_tell_accuses_nobody_while_the_size_names_its_commit(pushed):
    head_report(pushed)
    between_report(pushed, large=2)
    for _ in range(2):
        job = asked().job
        few = comparison_make(Case.model_validate(job.spec["cases"][0]), TIME, ratio=1.1, pairs=2)
        job_report(job, comparisons=(few,))
        bisections_step()
    incident = Incident.objects.get()
    assert incident.culprit == pushed[2]
    assert whom(COUNT) == (pushed[2].short, "search")
    good = Build.objects.get(ordinal=8)
    assert whom(TIME) == (f"{good.short}..{pushed[4].short}", "search")
    facts = incident_facts(incident=incident)
    assert facts.regressions[0].subject.metric == TIME
    assert facts.regressions[0].subject.sha == f"{good.short}..{pushed[4].short}"
    assert (facts.suspects, facts.sha) == (5, pushed[4].sha)  # as its headline says
    assert "the change of the parameters of cnn" in facts.search
    assert "The change of the latency p50 of cnn came with one of the 5 commits" in facts.search
    assert "too noisy" in facts.search


def test_a_time_that_was_not_asked_about_accuses_nobody(pushed):
    head_report(pushed)
    between_report(pushed, large=2)
    Bisection.objects.filter(regression__series__metric=TIME).delete()
    assert whom(TIME)[1] == "unknown"
    sentence = accusation_of(incident=Incident.objects.get()).sentence
    assert "Which commit changed the latency p50 of cnn (torch) is not told" in sentence


def test_two_counts_of_two_commits_cost_no_second_measurement(pushed):
    head_report(pushed, size=2e6)
    between_report(pushed, large=1, size=3)
    counted = Regression.objects.exclude(series__metric=TIME)
    assert {row.series.metric: row.incident.culprit for row in counted} == {COUNT: pushed[1], SIZE: pushed[3]}
    assert Job.objects.filter(kind="measure", run__build__in=pushed[:-1]).count() == 4


def test_many_regressions_of_one_model_cost_no_query_each(pushed, django_assert_max_num_queries):
    head_report(pushed)
    between_report(pushed, large=2)
    incident, first = Incident.objects.get(), Regression.objects.get(series__metric=COUNT)
    for number in range(2, 42):
        series, verdict = Series.objects.get(pk=first.series_id), Verdict.objects.get(pk=first.verdict_id)
        series.pk, series.shape, series.key = None, f"b{number}", f"{number:064x}"
        series.save()
        verdict.pk, verdict.series = None, series
        verdict.save()
        Regression.objects.create(incident=incident, series=series, build=first.build, verdict=verdict)
    Bisection.objects.filter(state="running").delete()
    with django_assert_max_num_queries(12):
        assert regression_due(incident=incident).series.metric == TIME
    with django_assert_max_num_queries(12):
        assert accusation_of(incident=incident).build == pushed[2]


def both_answer(time: float, cpu: float) -> None:
    """The pairs that were asked for come home with two times of the same runs."""
    compare_report(asked().job, {TIME: time}, besides={CPU: cpu})
    bisections_step()


def test_a_second_time_of_the_same_pairs_agrees_by_its_own_numbers(pushed):
    head_report(pushed, cpu=1.3)
    between_report(pushed, large=2)
    both_answer(1.0, 1.0)
    both_answer(1.2, 1.3)
    assert whom(CPU) == (pushed[2].short, "agrees")
    assert Bisection.objects.filter(state="found").count() == Bisection.objects.count() == 2
    assert Incident.objects.get().culprit == pushed[2]


def test_a_second_time_that_contradicts_gets_a_search_of_its_own(pushed):
    head_report(pushed, cpu=1.3)
    between_report(pushed, large=2)
    both_answer(1.0, 1.0)
    both_answer(1.2, 1.0)  # the processor's time came later
    assert Bisection.objects.last().regression.series.metric == CPU
    while Bisection.objects.filter(state="running").exists():
        ratio = 1.3 if asked().build.ordinal >= pushed[3].ordinal else 1.0
        compare_report(asked().job, {CPU: ratio})
        bisections_step()
    culprits = {row.series.metric: row.incident.culprit for row in Regression.objects.all()}
    assert culprits == {COUNT: pushed[2], TIME: pushed[2], CPU: pushed[3]}
