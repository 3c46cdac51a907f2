"""The bisection on the page of an incident: its plan, its steps, its end."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from perfsite.regressions.bisection import bisections_step
from perfsite.regressions.models import Bisection, Incident, Regression, Verdict
from perfsite.runs.models import Build, Job
from perfsite.runs.rules import BEHIND
from tests.dashboards.markup import Page
from tests.factories import build_make
from tests.regressions.builders import compare_report


@pytest.fixture
def gap(world, settings, tmp_path) -> list[Build]:
    """Three unmeasured commits between the incident's good build and the accused one."""
    settings.MIRRORS, settings.MEDIA_ROOT = tmp_path / "mirrors", tmp_path
    accused = world.incident.build
    Build.objects.filter(ordinal__gt=5, project=world.project).update(ordinal=None)
    Build.objects.filter(pk=accused.pk).update(ordinal=9)
    # nobody screens this world: after ten minutes a search begins all the same
    Incident.objects.update(opened_at=timezone.now() - timedelta(minutes=11))
    facts = {"state": "skipped", "reason": BEHIND, "author_name": "Dan"}
    return [build_make(world.project, place, sha=f"{place:040x}", **facts) for place in (6, 7, 8)]


def shown(client, incident: Incident) -> str:
    return client.get(reverse("incident", args=["zoo", incident.pk])).content.decode()


def panel(html: str) -> str:
    """The text of the page's part about the bisection."""
    return html.partition('aria-labelledby="bisection-1"')[2].partition("</section>")[0]


def compare(ratio: float) -> None:
    compare_report(Job.objects.filter(kind="compare").latest("id"), {"latency_p50": ratio})
    bisections_step()


def test_without_a_search_the_page_has_no_such_part(world, client, person):
    assert 'aria-labelledby="bisection' not in shown(person, world.incident)


def test_the_plan_shows_each_commit_with_what_is_known_of_it(world, gap, person):
    bisections_step()
    html = shown(person, world.incident)
    assert Page(html).problems == []
    part = panel(html)
    assert "Searching" in part
    assert part.count("</span> not measured") == 2
    assert "queued" in part
    job = Job.objects.filter(kind="compare").latest("id")
    assert reverse("run", args=[job.run_id]) in part
    order = [
        part.index(f">{name}</span>") for name in (world.incident.build.short, *(b.short for b in gap[::-1]))
    ]
    assert order == sorted(order)  # the newest first, as everywhere


def test_the_end_names_the_culprit_above_and_in_the_plan(world, gap, person):
    bisections_step()
    compare(1.0)
    compare(1.195)
    html = shown(person, world.incident)
    culprit = gap[2]
    assert Incident.objects.get().culprit == culprit
    assert f'<h1 class="sentence-title">{culprit.short} made cnn' in html
    part = panel(html)
    assert f"the bisection found {culprit.short} by Dan" in part
    assert "<strong>culprit</strong>" in part
    assert "19" in part.partition(culprit.short)[2]
    assert Page(html).unnamed == []


def test_a_range_is_told_as_one_and_may_be_measured(world, gap, person, client):
    bisections_step()
    compare(1.09)
    html = shown(person, world.incident)
    assert f"{world.incident.range_start.short}..{world.incident.build.short} made cnn" in html
    assert "Introduced by one of 4 commits up to" in html
    button = reverse("range-measure", args=["zoo", world.incident.pk])
    assert button in html
    answer = person.post(button, follow=True)
    assert "Not queued" in answer.content.decode()  # this repository is nowhere, and the page says so
    person.logout()
    world.project.is_public = True
    world.project.save()
    assert button not in shown(client, world.incident)
    assert client.post(button).status_code == 302
    assert Regression.objects.count() == 1


def test_a_search_is_begun_at_the_point_that_regressed_and_once(world, gap, person):
    """The button says what it does: it searches where a regression stands, else it measures commits."""
    accused, series = world.incident.build, world.series
    series.points.filter(ordinal__gt=5).exclude(build=accused).delete()
    series.points.filter(build=accused).update(ordinal=9)
    page = f"{reverse('series', args=[series.pk])}?build={accused.pk}"
    html = person.get(page).content.decode()
    assert Page(html).problems == []
    assert "Bisect: search for the guilty commit" in html
    assert 'Measure the commits between <span class="count">3</span>' in html
    bisect = reverse("series-order", args=[series.pk, accused.pk, "bisect"])
    assert "The search begins" in person.post(bisect, follow=True).content.decode()
    search = Bisection.objects.get()
    assert (search.state, search.steps.count(), search.bad) == ("running", len(gap), accused)
    assert "ada asked for it." in world.incident.events.get(code="bisection_started").sentence
    html = person.get(page).content.decode()
    assert "Bisect: search" not in html
    assert "The search for the guilty commit runs" in html
    assert reverse("incident", args=["zoo", world.incident.pk]) in html
    assert "searched before" in person.post(bisect, follow=True).content.decode()
    bisections_step()  # what a person began goes on like any other
    assert Job.objects.filter(kind="compare", run__build__in=gap).count() == 1


def test_where_no_regression_stands_nothing_is_called_a_bisection(world, person):
    calm = world.builds[3]
    html = person.get(f"{reverse('series', args=[world.series.pk])}?build={calm.pk}").content.decode()
    assert "Confirm again" in html
    assert "Bisect" not in html
    assert "Measure the commits between" not in html
    address = reverse("series-order", args=[world.series.pk, calm.pk, "bisect"])
    assert "no regression of series" in person.post(address, follow=True).content.decode()
    assert not Bisection.objects.exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"incident": {"state": "accepted"}}, "is closed"),
        ({"verdict": {"stage": "person"}}, "was not confirmed by pairs"),
        ({"gap": None}, "no commit lies between"),
    ],
    ids=["closed", "marked by hand", "nothing between"],
)
def test_a_search_that_could_not_end_is_refused_with_the_reason(world, person, request, change, why):
    if "gap" not in change:
        request.getfixturevalue("gap")
    Incident.objects.update(**change.get("incident", {"tags": []}))
    Verdict.objects.update(**change.get("verdict", {"detector": "test-1"}))
    address = reverse("series-order", args=[world.series.pk, world.incident.build_id, "bisect"])
    assert why in person.post(address, follow=True).content.decode()
    assert not Bisection.objects.exists()
