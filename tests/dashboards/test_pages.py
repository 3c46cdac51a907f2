"""Every page answers with what it is for."""

import json

import pytest
from django.urls import reverse
from django.utils import timezone

from perfsite.alerts.models import OutboxMail
from perfsite.dashboards.selectors.verdicts import verdict_counts
from perfsite.regressions.models import Suspicion
from perfsite.results.models import Report, Series
from perfsite.runs.models import Build, Job
from tests.dashboards.conftest import judged
from tests.factories import build_make, project_make


def text_of(answer, status=200) -> str:
    assert answer.status_code == status
    return answer.content.decode()


def test_home_says_how_to_begin_when_there_is_no_project(person):
    assert "manage.py project add" in text_of(person.get("/"))


def test_home_shows_the_project_and_what_needs_a_person(world, person):
    html = text_of(person.get("/"))
    assert "Model zoo" in html
    assert reverse("incident", args=["zoo", world.incident.pk]) in html
    assert "bench-1" in html


def test_home_shows_what_runs(running_job, person):
    html = text_of(person.get("/"))
    assert 'value="0.660"' in html
    assert "about 42 s left" in html


def test_overview_shows_what_moved_what_failed_and_the_builds(world, failed_job, person):
    html = text_of(person.get("/projects/zoo/"))
    assert "+19.5 % [17.0, 22.0]".replace(" %", "\u00a0%") in html
    assert "no ONNX function for aten::odd" in html
    assert world.builds[5].short in html


def test_overview_of_a_project_without_builds_names_its_webhook(person):
    project_make(slug="fresh")
    assert "/webhooks/github/fresh/" in text_of(person.get("/projects/fresh/"))


def test_builds_explains_a_skipped_build(world, person):
    assert "only README.md changed" in text_of(person.get("/projects/zoo/builds/"))
    page = text_of(person.get(reverse("build", args=["zoo", world.skipped.pk])))
    assert "Why this build was skipped" in page
    assert "only README.md changed" in page


def test_a_build_with_one_run_goes_to_the_run(world, person):
    job = world.jobs[0]
    answer = person.get(reverse("build", args=["zoo", job.run.build_id]))
    assert answer.headers["Location"] == reverse("run", args=[job.run_id])


def test_builds_are_paged(world, person):
    for ordinal in range(20, 80):
        build_make(world.project, ordinal)
    first = text_of(person.get("/projects/zoo/builds/"))
    second = text_of(person.get("/projects/zoo/builds/?page=2"))
    assert "page 1 of 2" in first
    assert world.builds[0].short not in first
    assert world.builds[0].short in second


def test_run_shows_measurements_stages_and_how_to_reproduce(world, person):
    html = text_of(person.get(reverse("run", args=[world.jobs[5].run_id])))
    assert "4.90 ms" in html
    assert "python -m benchmarks run --model tiny-cnn --runner torch" in html
    assert f"git checkout --detach {world.builds[5].sha}" in html
    assert "A processor" in html
    assert "hx-get" not in html.split('id="run-live"')[1].split(">")[0]


def test_run_shows_why_a_job_failed(world, failed_job, person):
    html = text_of(person.get(reverse("run", args=[failed_job.run_id])))
    assert "no ONNX function for aten::odd" in html
    assert "Traceback: aten::odd" in html
    assert reverse("job-again", args=[failed_job.pk]) in html


def test_a_running_run_asks_for_itself_until_it_has_ended(running_job, person):
    page = text_of(person.get(reverse("run", args=[running_job.run_id])))
    live = reverse("run-live", args=[running_job.run_id])
    assert f'hx-get="{live}"' in page
    assert "4 of 6 cases" in text_of(person.get(live))
    Job.objects.filter(pk=running_job.pk).update(state="done")
    assert person.get(live).headers["HX-Refresh"] == "true"


def test_trends_lists_series_and_narrows_them(world, person):
    whole = text_of(person.get("/projects/zoo/trends/"))
    assert "Latency p50" in whole
    assert "Latency p99" in whole
    answer = person.get("/projects/zoo/trends/?q=cnn+p99&model=", headers={"HX-Request": "true"})
    part = text_of(answer)
    assert "Latency p99" in part
    assert "Latency p50" not in part
    assert "<html" not in part
    assert answer.headers["HX-Replace-Url"] == "/projects/zoo/trends/?q=cnn+p99"
    assert "HX-Request" in answer.headers["Vary"]
    assert "No series matches" in text_of(person.get("/projects/zoo/trends/?q=nothing-like-it"))


def test_series_holds_the_same_values_as_its_chart(world, person):
    html = text_of(person.get(reverse("series", args=[world.series.pk])))
    assert "Latency p50" in html
    assert "4.10 ms" in html
    assert reverse("series-data", args=[world.series.pk]) in html
    assert reverse("incident", args=["zoo", world.incident.pk]) in html


def test_series_data_has_points_marks_and_deltas(world, person):
    data = json.loads(text_of(person.get(reverse("series-data", args=[world.series.pk]))))
    assert data["mode"] == "points"
    assert data["unit"] == "ms"
    assert data["x"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert data["value"][5] == pytest.approx(4.9)
    assert data["delta"][5][0] == pytest.approx(4.9 / 4.1 - 1)
    assert data["run"][5] == world.jobs[5].run_id
    mark = data["marks"][0]
    assert (mark["x"], mark["kind"]) == (6, "regressed")
    assert mark["url"] == reverse("incident", args=["zoo", world.incident.pk])


def test_series_data_of_a_zoom_has_only_that_span(world, person):
    url = reverse("series-data", args=[world.series.pk])
    data = json.loads(text_of(person.get(url, {"first": "3", "last": "5"})))
    assert data["x"] == [3, 4, 5]
    assert json.loads(text_of(person.get(url, {"first": "x", "last": "'"})))["x"][0] == 1


def test_incidents_are_listed_with_their_worst_change(world, person):
    for url in ("/incidents/", "/projects/zoo/incidents/"):
        html = text_of(person.get(url))
        assert world.builds[5].short in html
        assert "+19.5" in html


def test_incident_shows_sentence_evidence_and_whom_we_told(world, person):
    html = text_of(person.get(reverse("incident", args=["zoo", world.incident.pk])))
    assert "made cnn 19.5 % slower on cpu" in html
    assert "slower in 3 of 3 pairs" in html
    assert html.count('class="pair-suspect"') == 3 + 1  # three pairs and the key
    assert "4,321" in html
    assert "ada@example.org" in html


def test_workers_shows_cards_and_how_to_join(world, running_job, person):
    html = text_of(person.get("/workers/"))
    assert "A processor" in html
    assert "cnn/fp32" in html
    assert "manage.py worker add" in html
    assert "<html" not in text_of(person.get("/workers/", headers={"HX-Request": "true"}))


def test_outbox_lists_mails_and_shows_one_as_text(world, person):
    assert "cnn got slower" in text_of(person.get("/outbox/"))
    html = text_of(person.get(reverse("mail", args=[world.mail.pk])))
    assert 'href="http://127.0.0.1:8000/projects/zoo/incidents/1/"' in html
    assert "&lt;b&gt;not markup" in html
    assert "alert(1)" not in html
    OutboxMail.objects.all().delete()
    assert "No mail" in text_of(person.get("/outbox/"))


@pytest.mark.parametrize("words", ["zoo", "latency p50", "cnn torch", "commit 6"])
def test_search_finds_projects_series_and_builds(world, person, words):
    assert "Nothing matches" not in text_of(person.get("/search/", {"q": words}))


def test_search_finds_a_commit_by_its_start(world, person):
    html = text_of(person.get("/search/", {"q": world.builds[2].sha[:8]}))
    assert world.builds[2].short in html
    assert "1 match" in html


def test_pages_show_hostile_names_as_text(world, person):
    Build.objects.filter(pk=world.builds[0].pk).update(subject="<img src=x onerror=alert(1)>")
    for url in ("/projects/zoo/", "/projects/zoo/builds/", reverse("series", args=[world.series.pk])):
        assert "<img src=x" not in text_of(person.get(url))


def test_what_the_screen_passed_counts_as_same_and_a_doubt_is_told(world, person):
    silent = world.builds[6]
    Report.objects.filter(job__run__build=silent).update(screened_at=timezone.now())
    assert verdict_counts(build_ids=[silent.pk])[silent.pk] == {"same": 2}
    doubt = {"build": silent, "base": world.builds[4], "trigger": world.jobs[6]}
    Suspicion.objects.create(series=world.series, **doubt)
    assert verdict_counts(build_ids=[silent.pk])[silent.pk] == {"same": 1, "suspected": 1}
    assert "1 suspected" in text_of(person.get("/projects/zoo/builds/"))


def test_what_could_not_be_judged_yet_counts_as_nothing(world):
    first = world.builds[0]
    Report.objects.filter(job__run__build=first).update(screened_at=timezone.now())
    for series in Series.objects.filter(project=world.project):
        judged(series, first, first, kind="unknown", stage="screen")
    assert verdict_counts(build_ids=[first.pk]).get(first.pk, {}) == {}
    judged(world.series, first, first, kind="unknown", stage="confirmation")
    assert verdict_counts(build_ids=[first.pk])[first.pk] == {"unknown": 1}
