"""The thin Celery tasks of this room; they are also on the beat schedule, which repairs a lost wake-up."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from perfsite.regressions.bisection import bisections_step
from perfsite.regressions.bisection.gaps import gaps_measure
from perfsite.regressions.causes import causes_find
from perfsite.regressions.grading.self_tests import self_tests_order, self_tests_settle
from perfsite.regressions.profiles import profiles_order
from perfsite.regressions.services import reports_screen


@shared_task(name="regressions.screen")
def screen(**_: Any) -> None:
    """Screen what came home, order comparisons, settle what they decided, find causes and guilty commits."""
    reports_screen()
    causes_find()
    bisections_step()
    gaps_measure()
    profiles_order()


@shared_task(name="regressions.grade")
def grade(**_: Any) -> None:
    """Keep what self-tests told, and order tonight's where that was not done yet."""
    self_tests_settle()
    self_tests_order()
