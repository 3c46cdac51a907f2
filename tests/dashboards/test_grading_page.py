"""How right was it: the figures, the rule's history, the dry run, and applying a change."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from perfsite.regressions.grading.rules import rule_change, rule_now
from perfsite.regressions.models import RuleChange, SelfTest
from tests.dashboards.conftest import GOOD_S, measured
from tests.dashboards.markup import Page
from tests.factories import job_make, project_make

TRIED = {"score": "6", "alpha": "0.02", "max_pairs": "12", "relevant.latency_p50": "60"}


@pytest.fixture
def address(world) -> str:
    return reverse("grading", args=["zoo"])


def text_of(client, address: str, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_fresh_project_is_told_what_will_be_counted(person):
    project_make(slug="fresh")
    html = text_of(person, "/projects/fresh/grading/")
    assert "No build was compared with itself yet" in html
    assert "Nobody has judged an incident yet" in html
    assert "these are the defaults" in html
    assert "Pairs were asked about no suspicion in 90 days. A day may allow 0.2;" in html


def test_figures_stand_in_a_sentence_and_by_kind(world, address, person):
    job = job_make(world.builds[0], kind="compare")
    for verdict in ("same", "same", "regressed"):
        SelfTest.objects.create(
            project=world.project,
            job=job,
            metric="latency_p50",
            device_class="cpu",
            verdict=verdict,
            relative=0.0,
            pairs=4,
        )
    type(world.incident).objects.update(state="invalid")
    html = text_of(person, address)
    assert (
        "Of 3 self-tests in 1 comparison of a build with itself 1 told a change: 33.3 % [0.8, 90.6]" in html
    )
    assert "Of 1 judged incident 0 were real" in html
    assert 'data-label="False alarms">33.3 % [0.8, 90.6]' in html


def test_strangers_see_the_figures_of_a_public_project_and_try_nothing(world, address, client):
    assert client.get(address).status_code == 302
    type(world.project).objects.update(is_public=True)
    html = text_of(client, address, **TRIED)
    assert "How right was it?" in html
    assert "Try it on the history" not in html
    assert "Dry run" not in html
    answer = client.post(reverse("rule-apply", args=["zoo"]), {**TRIED, "reason": "x"})
    assert answer.status_code == 302
    assert "/login/" in answer.headers["Location"]
    assert not RuleChange.objects.exists()


def test_trying_shows_the_difference_and_writes_nothing(world, address, person):
    html = text_of(person, address, **TRIED)
    assert "Tried: score 6, alpha 0.02, most pairs 12, relevant latency_p50 60.0 %" in html
    assert 'name="relevant.latency_p50" value="60"' in html
    assert not RuleChange.objects.exists()
    assert Page(html).problems == []
    assert Page(html).headings.count("h1") == 1


def test_applying_needs_a_reason_and_is_in_the_history_then(world, address, person):
    apply = reverse("rule-apply", args=["zoo"])
    refused = person.post(apply, {**TRIED, "since": "", "reason": ""}, follow=True)
    assert "Not applied: say why" in refused.content.decode()
    applied = person.post(apply, {**TRIED, "since": "", "reason": "quieter"}, follow=True).content.decode()
    assert "Applied" in applied
    assert "quieter" in applied
    assert "ada" in applied
    now = rule_now(project_id=world.project.pk)
    assert now == {"score": 6.0, "alpha": 0.02, "max_pairs": 12, "relevant": {"latency_p50": 0.6}}


def test_a_form_that_is_behind_changes_nothing(world, address, person):
    rule_change(project=world.project, parameters={"score": 4.0}, actor="bob", reason="calm", since=None)
    answer = person.post(
        reverse("rule-apply", args=["zoo"]), {**TRIED, "since": "", "reason": "x"}, follow=True
    )
    assert "bob changed the rule meanwhile" in answer.content.decode()
    assert RuleChange.objects.count() == 1


def test_an_empty_relevant_change_is_the_usual_one_again(world, address, person):
    parameters = {"relevant": {"latency_p50": 0.2}}
    one = rule_change(project=world.project, parameters=parameters, actor="bob", reason="calm", since=None)
    sent = {**TRIED, "relevant.latency_p50": "", "since": str(one.pk), "reason": "back"}
    person.post(reverse("rule-apply", args=["zoo"]), sent)
    assert rule_now(project_id=world.project.pk)["relevant"] == {}


ONE_MORE = {"case": "cnn/torch/*/*", "metric": "latency_p50", "part": "80"}


def test_a_case_gets_a_relevant_change_of_its_own_and_loses_it_again(world, address, person):
    html = text_of(person, address, **TRIED, **ONE_MORE)
    assert "relevant latency_p50 of cnn/torch/*/* 80.0 %" in html
    assert "goes before one without, of several the longest pattern" in html
    assert 'name="relevant.cnn/torch/*/*:latency_p50" value="80" placeholder="60"' in html
    assert Page(html).problems == []
    apply = reverse("rule-apply", args=["zoo"])
    key = "relevant.cnn/torch/*/*:latency_p50"
    applied = person.post(apply, {**TRIED, key: "80", "since": "", "reason": "noisy"}, follow=True)
    assert (
        "relevant latency_p50 of cnn/torch/*/* 80.0 %, relevant latency_p50 60.0 %"
        in applied.content.decode()
    )
    now = rule_now(project_id=world.project.pk)["relevant"]
    assert now == {"cnn/torch/*/*:latency_p50": 0.8, "latency_p50": 0.6}
    since = str(RuleChange.objects.get().pk)
    person.post(apply, {**TRIED, key: "", "since": since, "reason": "calm again"})
    assert rule_now(project_id=world.project.pk)["relevant"] == {"latency_p50": 0.6}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"part": ""}, "needs the case and the per cent"),
        ({"case": " "}, "needs the case and the per cent"),
        ({"case": "cnn"}, "matches no case"),
        ({"part": "much"}, "part is &#x27;much&#x27;, not a number"),
    ],
)
def test_what_is_wrong_with_a_cases_own_change_is_told_and_what_was_typed_stays(
    world, address, person, changes, says
):
    typed = {**ONE_MORE, **changes}
    html = text_of(person, address, **TRIED, **typed)
    assert says in html
    assert f'name="part" value="{typed["part"]}"' in html


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"score": "much"}, "score is &#x27;much&#x27;, not a number"),
        ({"score": "99"}, "score is 99; it can be 2 to 12"),
        ({"max_pairs": "2.5"}, "max_pairs is 2.5, not a whole number"),
        ({"score": "4", "relevant.nothing": "5"}, "no metric that is judged"),
    ],
)
def test_parameters_that_make_no_rule_are_answered_with_the_reason(world, address, person, query, says):
    html = text_of(person, address, **{**TRIED, **query})
    assert "Not tried" in html
    assert says in html


def test_queries_do_not_grow_with_the_kinds_or_the_incidents(world, address, person):
    with CaptureQueriesContext(connection) as before:
        person.get(address)
    for ordinal in range(20, 26):
        measured(world.project, ordinal, GOOD_S, world.worker)
    with CaptureQueriesContext(connection) as after:
        person.get(address)
    assert len(after) <= len(before)


def test_a_long_history_is_tried_in_part_and_the_command_for_all_is_given(
    world, address, person, monkeypatch
):
    monkeypatch.setattr("perfsite.dashboards.views.grading.PAGE_POINTS", 1)
    html = text_of(person, address, **TRIED)
    assert "Replayed 1 of 2 series" in html
    assert "dry_run --project zoo --score 6 --alpha 0.02 --max-pairs 12 --relevant latency_p50=0.6" in html
