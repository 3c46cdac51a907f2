"""The false verdicts that a day's comparisons allow: counted, and kept within the project's budget."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.regressions.confirmation.alarms import (
    ALARMS_PER_DAY,
    alarms_spent,
    alarms_today,
    alpha_allowed,
)
from perfsite.regressions.models import Suspicion
from perfsite.regressions.services import reports_screen
from perfsite.runs.models import Job
from tests.factories import build_make, job_make, project_make
from tests.regressions.builders import QUIET, compare_job, history_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(project):
    """Orders a comparison of a suspicion with this alpha; it is settled."""
    history_make(project, [*QUIET, 1.2])
    reports_screen()
    template = Suspicion.objects.get()
    Job.objects.filter(kind="compare").delete()
    series, base, trigger = template.series, template.base, template.trigger
    template.delete()

    def ask(alpha: float | None, questions: int = 1) -> Job:
        spec = {} if alpha is None else {"alpha": alpha}
        build = build_make(project, 100 + Job.objects.count())
        job = job_make(build, kind="compare", state="done")
        Job.objects.filter(pk=job.pk).update(spec={**job.spec, **spec})
        for number in range(questions):
            build = build_make(project, 1000 * (number + 1) + Job.objects.count())
            Suspicion.objects.create(
                series=series, build=build, base=base, trigger=trigger, job=job, state="settled", evidence={}
            )
        return job

    return ask


def allowed(project, *, questions: int = 1, alpha: float = 0.01, **confirmation) -> float:
    spec = {"confirmation": confirmation} if confirmation else {}
    now = timezone.now()
    return alpha_allowed(alpha, questions=questions, project_id=project.pk, spec=spec, now=now)


def test_what_was_asked_is_counted_with_its_own_alpha(project, asked):
    now = timezone.now()
    assert alarms_today(project_id=project.pk, now=now).asked == 0
    asked(0.002)
    asked(None, questions=2)
    found = alarms_today(project_id=project.pk, now=now)
    assert (found.asked, found.expected) == (3, pytest.approx(0.022))
    yesterday = now - timedelta(days=2)
    Suspicion.objects.update(opened_at=yesterday)
    Job.objects.update(created_at=yesterday)
    assert alarms_today(project_id=project.pk, now=now).asked == 0
    assert alarms_spent(project_id=project.pk, since=now - timedelta(days=3)).asked == 3
    assert alarms_spent(project_id=project_make().pk, since=now - timedelta(days=3)).asked == 0


def test_half_of_the_budget_goes_at_the_rules_own_alpha_and_the_rest_in_parts(project, asked):
    assert allowed(project) == 0.01
    asked(0.01, questions=9)
    assert allowed(project) == 0.01
    asked(0.01)
    assert allowed(project) == pytest.approx(ALARMS_PER_DAY / 2 / 20)
    assert allowed(project, alpha=0.0001) == 0.0001
    assert allowed(project, false_alarms_per_day=1.0) == 0.01


def test_a_day_of_many_comparisons_stays_within_the_budget_and_goes_on(project, asked):
    alphas = []
    for questions in (1, 3, 1, 8, 1) * 12:
        alphas.append(allowed(project, questions=questions))
        asked(alphas[-1], questions=questions)
    assert alphas[0] == 0.01
    assert alphas == sorted(alphas, reverse=True)
    assert alphas[-1] > 0
    assert alarms_today(project_id=project.pk, now=timezone.now()).expected <= ALARMS_PER_DAY


def test_more_suspicions_than_parts_share_what_is_left(project, asked):
    assert 50 * allowed(project, questions=50) <= ALARMS_PER_DAY
    asked(0.01, questions=30)  # the budget was larger then
    assert 0 < allowed(project) < 1e-8


def test_the_ordered_comparison_has_the_tightened_alpha(project):
    history_make(project, [*QUIET, 1.2])
    for job in Job.objects.all():
        job.spec["confirmation"] = {"minutes_per_day": 120, "false_alarms_per_day": 0.01}
        job.save()
    reports_screen()
    assert compare_job().spec["alpha"] == pytest.approx(0.01 / 20)
