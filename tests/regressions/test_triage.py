"""What people do with incidents: words, merging, splitting, moving; and what later builds verify."""

from __future__ import annotations

import pytest
from django.utils import timezone

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.assigning import assignee_of
from perfsite.regressions.causes import causes_find
from perfsite.regressions.causes.fixing import fixes_verify
from perfsite.regressions.changes import regression_open
from perfsite.regressions.incident_states import PERSON_STATES, state_of
from perfsite.regressions.models import Incident, Regression, Verdict
from perfsite.regressions.regrouping import incident_merge, incident_reassign, incident_split
from perfsite.regressions.triage import incident_triage, incidents_triage
from perfsite.regressions.triage_details import incident_edit
from perfsite.results.models import Measurement, Series
from perfsite.runs.models import Build, Job
from tests.factories import job_make, project_make
from tests.regressions.builders import build_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return project_make(slug="zoo", owner_email="owner@example.org")


@pytest.fixture
def line(project) -> list[Build]:
    return [build_make(project, ordinal) for ordinal in range(1, 21)]


def verdict_make(build: Build, base: Build, *, metric: str = "latency_p50", **fields) -> Verdict:
    series, _ = Series.objects.get_or_create(
        key=f"{build.project_id}-{metric}",
        project=build.project, branch=build.branch, model="cnn", runner="torch", precision="fp32",
        suite="latency", shape="b1", device_class="cpu", metric=metric,
    )  # fmt: skip
    values = {"kind": "regressed", "stage": "confirmation", "before": 1.0, "after": 1.2, "relative": 0.2}
    values |= {"sentence": "slower", "detector": "tests", "data_sha256": "0" * 64}
    return Verdict.objects.create(series=series, build=build, base=base, **(values | fields))


def opened(line: list[Build], accused: int, good: int, **fields) -> Incident:
    """The incident of a regression of the build `accused` since `good` (ordinals)."""
    build, base = line[accused - 1], line[good - 1]
    return regression_open(verdict=verdict_make(build, base, **fields), base=base)


def codes(incident: Incident) -> list[str]:
    return list(incident.events.order_by("id").values_list("code", flat=True))


def points_add(line: list[Build], ordinals: range, value: float) -> None:
    series = Series.objects.get(metric="latency_p50")
    job = Job.objects.first() or job_make(line[0])
    Measurement.objects.bulk_create(
        Measurement(series=series, build=line[n - 1], ordinal=n, value=value, n=100, job=job)
        for n in ordinals
    )


@pytest.mark.parametrize(
    ("override", "kind", "withdrawn", "fixed", "word"),
    [
        ("", "code", False, False, "untriaged"),
        ("", "environment", False, False, "environment"),
        ("", "environment", False, True, "fixed"),
        ("", "code", True, True, "withdrawn"),
        ("accepted", "code", True, False, "accepted"),
        ("investigating", "environment", False, False, "investigating"),
    ],
)
def test_a_persons_word_stands_over_what_the_data_say(override, kind, withdrawn, fixed, word):
    assert state_of(override=override, kind=kind, is_withdrawn=withdrawn, is_fixed=fixed) == word


def test_untriaged_takes_a_persons_word_back(line):
    incident = opened(line, 5, 4)
    incident_triage(incident=incident, state="confirmed", actor="ada", reason="seen at home")
    assert (incident.state, incident.override) == ("confirmed", "confirmed")
    incident_triage(incident=incident, state="untriaged", actor="ada")
    assert (incident.state, incident.override) == ("untriaged", "")
    assert "seen at home" in incident.events.get(code="confirmed").sentence
    with pytest.raises(PerfsiteError, match="unknown incident state 'withdrawn'"):
        incident_triage(incident=incident, state="withdrawn")
    assert "withdrawn" not in PERSON_STATES


def test_many_are_triaged_at_once_and_each_says_so(line):
    rows = [opened(line, 5, 4), opened(line, 10, 9)]
    incident_triage(incident=rows[0], state="accepted", actor="ada")
    moved = incidents_triage(incidents=rows, state="accepted", actor="bob", reason="the new base image")
    assert moved == [rows[1]]
    assert codes(rows[1]) == ["opened", "accepted"]


def test_whose_it_is_follows_the_author_until_a_person_says_otherwise(line, project):
    incident = opened(line, 5, 4)
    assert assignee_of(incident=incident) == "ada@example.org"
    Build.objects.update(author_email="1+ada@users.noreply.github.com")
    incident.refresh_from_db()
    assert assignee_of(incident=incident) == "owner@example.org"
    incident_edit(
        incident=incident, actor="bob", assignee="dan", tags=["GPU", "gpu ", "fusion"], due_on="2026-12-24"
    )
    assert (assignee_of(incident=incident), incident.tags) == ("dan", ["fusion", "gpu"])
    assert codes(incident) == ["opened", "assignee", "tags", "due_on"]
    for wrong in ({"links": ["javascript:alert(1)"]}, {"due_on": "tomorrow"}, {"tags": ["x" * 41]}):
        with pytest.raises(PerfsiteError):
            incident_edit(incident=incident, actor="bob", **wrong)
    assert codes(incident) == ["opened", "assignee", "tags", "due_on"]


def test_ranges_that_overlap_are_one_incident_accusing_the_earliest_build(line):
    incident = opened(line, 8, 4)
    assert opened(line, 6, 5, metric="latency_p99") == incident
    incident.refresh_from_db()
    assert (incident.build, incident.range_start) == (line[5], line[4])
    assert (incident.original_build, incident.original_start) == (line[7], line[3])
    assert opened(line, 8, 4, metric="throughput") == incident  # the first build leads here still
    assert opened(line, 9, 8, metric="latency_p99") != incident  # the range begins where the other ends
    assert Incident.objects.count() == 2


def test_what_was_merged_takes_later_regressions_along_and_can_be_split_again(line):
    first, second = opened(line, 5, 4), opened(line, 10, 9, metric="latency_p99")
    incident_merge(incident=second, into=first, actor="ada", reason="one cause")
    assert second.merged_into == first
    assert opened(line, 10, 9, metric="throughput") == first
    assert first.regressions.count() == 3
    with pytest.raises(PerfsiteError, match="merged into another already"):
        incident_merge(incident=second, into=first, actor="ada")
    going = list(first.regressions.filter(build=line[9]).values_list("pk", flat=True))
    again = incident_split(incident=first, regressions=going, build=line[9], actor="ada")
    assert (again, again.merged_into, again.regressions.count()) == (second, None, 2)
    assert codes(second)[-2:] == ["merged", "split"]


def test_what_was_told_with_another_incident_is_not_told_again_when_it_is_split_off(line):
    first, second = opened(line, 5, 4), opened(line, 10, 9, metric="latency_p99")
    incident_merge(incident=second, into=first, actor="ada")
    told = timezone.now()
    Incident.objects.filter(pk=first.pk).update(told_at=told)
    going = list(first.regressions.filter(build=line[9]).values_list("pk", flat=True))
    assert incident_split(incident=first, regressions=going, build=line[9], actor="ada").told_at == told


def test_a_breach_is_neither_merged_nor_moved(line, project):
    """Later series would join one that nobody sees."""
    breach = Incident.objects.create(
        project=project, build=line[9], range_start=line[8], kind="service", level="p99", facts={}
    )
    other = opened(line, 5, 4)
    for step in (
        lambda: incident_merge(incident=breach, into=other, actor="ada"),
        lambda: incident_merge(incident=other, into=breach, actor="ada"),
        lambda: incident_reassign(incident=breach, build=line[6], actor="ada"),
    ):
        with pytest.raises(PerfsiteError, match="breach of a service level"):
            step()
    breach.refresh_from_db()
    assert (breach.build, breach.merged_into) == (line[9], None)


def test_a_split_leaves_something_and_accuses_another_build(line):
    incident = opened(line, 8, 4)
    opened(line, 8, 4, metric="latency_p99")
    one, two = incident.regressions.order_by("id")
    for going, build in (([], line[5]), ([one.pk, two.pk], line[5]), ([one.pk], line[7])):
        with pytest.raises(PerfsiteError):
            incident_split(incident=incident, regressions=going, build=build, actor="ada")
    new = incident_split(incident=incident, regressions=[two.pk], build=line[5], actor="ada")
    assert (new.build, new.range_start) == (line[5], line[4])
    assert Regression.objects.get(pk=two.pk).incident == new


def test_a_moved_incident_keeps_its_first_range_and_its_later_regressions(line):
    incident = opened(line, 8, 4)
    incident_reassign(incident=incident, build=line[6], actor="ada", reason="read the diff")
    incident_reassign(incident=incident, build=line[2], actor="ada")
    assert (incident.build, incident.range_start) == (line[2], line[1])
    assert (incident.original_build, incident.original_start) == (line[7], line[3])
    assert opened(line, 8, 4, metric="latency_p99") == incident
    other = opened(line, 15, 14)
    with pytest.raises(PerfsiteError, match="merge the two instead"):
        incident_reassign(incident=incident, build=other.build, actor="ada")


@pytest.mark.parametrize(
    ("value", "state", "code"),
    [(1.01, "fixed", "verified"), (1.19, "confirmed", "not_fixed"), (1.08, "fixed", "fixed")],
)
def test_later_builds_verify_what_a_person_calls_fixed(line, value, state, code):
    incident = opened(line, 5, 4)
    points_add(line, range(1, 5), 1.0)
    points_add(line, range(5, 8), 1.2)
    incident_triage(incident=incident, state="fixed", actor="ada")
    points_add(line, range(8, 10), value)
    assert fixes_verify() == 0  # two points are too few
    points_add(line, range(10, 11), value)
    causes_find()
    incident.refresh_from_db()
    assert (incident.state, codes(incident)[-1]) == (state, code)
    assert (incident.fixed_at is not None) == (code == "verified")
    assert fixes_verify() == 0


def test_a_fixed_incident_that_a_person_opens_again_is_not_closed_by_the_same_verdicts(line):
    incident = opened(line, 5, 4)
    mend = {"kind": "improved", "before": 1.2, "after": 1.0, "relative": -1 / 6}
    verdict_make(line[8], line[7], **mend)
    causes_find()
    incident.refresh_from_db()
    assert incident.state == "fixed"
    incident_triage(incident=incident, state="confirmed", actor="ada", reason="only hidden")
    causes_find()
    incident.refresh_from_db()
    assert incident.state == "confirmed"
