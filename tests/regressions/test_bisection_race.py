"""A search that is killed at any write, or run by four at once, asks nothing twice and names one culprit."""

import pytest
from django.db import connection

from perfsite.regressions.bisection import bisections_step
from perfsite.regressions.models import Bisection, Incident
from perfsite.runs.models import Job
from tests.factories import project_make
from tests.regressions.builders import QUIET, compare_report, history_make
from tests.regressions.racing import Race
from tests.regressions.searching import asked, confirm, push_make


class KilledError(BaseException):
    """The process ends here; nothing catches it."""


def survive_kills() -> int:
    """Take the sweep again and again, killed one write later each time; returns how often it was killed."""
    for allowed in range(200):
        left = allowed

        def write_or_die(execute, sql, params, many, context):
            nonlocal left
            if sql.startswith(("INSERT", "UPDATE", "DELETE")):
                if left == 0:
                    raise KilledError
                left -= 1
            return execute(sql, params, many, context)

        try:
            with connection.execute_wrapper(write_or_die):
                bisections_step()
        except KilledError:
            continue
        return allowed
    raise AssertionError("the search never came to rest")


@pytest.mark.django_db(transaction=True)
def test_killed_at_any_write_it_comes_to_the_same_end(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.MIRRORS = tmp_path / "mirrors"
    project = project_make()
    history_make(project, QUIET)
    pushed = push_make(project, first=9)
    confirm()
    kills = survive_kills()
    compare_report(asked().job, {"latency_p50": 1.0})
    kills += survive_kills()
    compare_report(asked().job, {"latency_p50": 1.2})
    kills += survive_kills()
    assert kills > 10
    assert Incident.objects.get().culprit == pushed[2]
    assert Bisection.objects.get().state == "found"
    assert Job.objects.filter(kind="compare").count() == 3
    codes = list(Incident.objects.get().events.values_list("code", flat=True))
    assert [code for code in codes if "bisection" in code or "culprit" in code] == [
        "bisection_started",
        "culprit_found",
    ]


def test_four_sweeps_at_once_ask_once_and_end_once(tmp_path):
    with Race("tests.regressions.bisection_racer", tmp_path) as race:
        race.ask("fill")
        for compared in (2, 3):
            race.begin()
            assert race.ask("show") == {"searches": 1, "compared": compared, "ended": 0, "culprits": 0}
            race.ask("slow")
        race.begin()
        assert race.ask("show") == {"searches": 1, "compared": 3, "ended": 1, "culprits": 1}
