"""The incident's page: where a change came from, what happened, the environment, a withdrawal."""

import pytest
from django.urls import reverse
from django.utils import timezone

from perfsite.dashboards.charts.causes import cause_bar
from perfsite.dashboards.selectors.verdicts import verdict_counts
from perfsite.regressions.models import Attribution, Incident, IncidentEvent, Regression
from tests.dashboards.conftest import judged
from tests.dashboards.markup import Page

PARTS = [
    {"cause": "code", "relative": 0.2, "low": 0.18, "high": 0.22, "sentence": "8 pairs say +19.5 %."},
    {"cause": "build luck", "relative": 0.0, "low": -0.01, "high": 0.01, "sentence": "Engines differ."},
    {"cause": "clock", "relative": -0.05, "low": -0.06, "high": -0.04, "sentence": "The clock rose."},
    {"cause": "toolchain", "relative": None, "low": None, "high": None, "sentence": "driver 1 → 2."},
    {"cause": "unexplained", "relative": 0.01, "low": -0.02, "high": 0.04, "sentence": "No more than noise."},
]


def page_of(person, incident) -> str:
    answer = person.get(reverse("incident", args=["zoo", incident.pk]))
    assert answer.status_code == 200
    html = answer.content.decode()
    assert Page(html).problems == []
    assert Page(html).unnamed == []
    return html.replace("\u00a0", " ")


@pytest.fixture
def attributed(world) -> Attribution:
    facts = {"low": 0.14, "high": 0.18, "left_out": {"machine": "one of the two reports has no canary"}}
    verdict = world.incident.regressions.get().verdict
    return Attribution.objects.create(verdict=verdict, total=0.16, parts=PARTS, facts=facts)


def test_the_parts_are_told_with_their_intervals_and_reasons(world, attributed, person):
    html = page_of(person, world.incident)
    assert "+16.0 % [14.0, 18.0]" in html
    assert "+20.0 % [18.0, 22.0]" in html
    assert "named only" in html
    assert "driver 1 → 2." in html
    assert "one of the two reports has no canary" in html
    assert 'class="cause-code"' in html
    assert "code +20.0 % [18.0, 22.0], build luck 0 % [−1.0, 1.0], clock −5.0 %" in html


def test_without_an_attribution_there_is_no_such_part(world, person):
    assert "Where it came from" not in page_of(person, world.incident)


def test_what_happened_is_told_in_order_with_the_actor(world, person):
    IncidentEvent.objects.create(incident=world.incident, code="opened", sentence="It began.")
    IncidentEvent.objects.create(incident=world.incident, code="accepted", sentence="<b>Fine.", actor="ada")
    html = page_of(person, world.incident)
    assert html.index("It began.") < html.index("&lt;b&gt;Fine.")
    assert "the service" in html


def test_triage_notes_who_did_it(world, person):
    url = reverse("incident-triage", args=["zoo", world.incident.pk])
    person.post(url, {"state": "investigating", "note": ""})
    event = world.incident.events.get()
    assert (event.actor, event.code) == ("ada", "investigating")


def test_a_withdrawn_incident_says_why_on_its_page_and_in_the_list(world, person):
    Incident.objects.filter(pk=world.incident.pk).update(
        withdrawn_at=timezone.now(), withdrawn_reason="Pairs measured again show no change."
    )
    assert "Pairs measured again show no change." in page_of(person, world.incident)
    assert "withdrawn" in person.get("/incidents/").content.decode()


def test_an_incident_of_the_environment_accuses_nobody(world, person):
    build, base = world.builds[6], world.builds[4]
    verdict = judged(world.series, build, base, stage="environment")
    headline = "The canary took 11 % longer on cpu; the code is innocent."
    incident = Incident.objects.create(
        project=world.project,
        build=build,
        range_start=base,
        kind="environment",
        facts={"headline": headline, "environment": {"device_class": "cpu"}},
    )
    Regression.objects.create(incident=incident, series=world.series, build=build, verdict=verdict)
    html = page_of(person, incident)
    assert f'<h1 class="sentence-title">{headline}</h1>' in html
    assert "Introduced by" not in html
    assert "accused" not in html
    assert "cpu: first seen here" in person.get("/incidents/").content.decode()
    # the build's own count shows no regression: its code did nothing
    assert "regressed" not in verdict_counts(build_ids=[build.pk])[build.pk]


def test_the_environments_page_shows_the_parts_of_the_comparison_it_rests_on(world, attributed, person):
    build, base = world.builds[6], world.builds[4]
    evidence = {"refuted": attributed.verdict_id}
    verdict = judged(world.series, build, base, stage="environment", evidence=evidence)
    incident = Incident.objects.create(
        project=world.project, build=build, range_start=base, kind="environment"
    )
    Regression.objects.create(incident=incident, series=world.series, build=build, verdict=verdict)
    assert "+16.0 % [14.0, 18.0]" in page_of(person, incident)


def test_the_bar_puts_what_lowered_the_value_left_of_zero():
    bar = cause_bar([("code", 0.3), ("clock", -0.1), ("toolchain", None), ("unexplained", 0.1)])
    assert bar.zero == 20
    assert [(one.cause, one.x, one.width) for one in bar.pieces] == [
        ("code", 20, 60),
        ("clock", 0, 20),
        ("unexplained", 80, 20),
    ]
    assert cause_bar([("code", 0.0), ("toolchain", None)]) is None
