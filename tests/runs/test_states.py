"""The state tables are closed and the compare-and-swap obeys them."""

import pytest

from perfsite.core.transition import state_swap
from perfsite.runs.models import Job
from perfsite.runs.states import ATTEMPT_STATES, BUILD_STATES, JOB_ENDED, JOB_STATES, run_state
from tests.factories import build_make, job_make, project_make


@pytest.mark.parametrize("table", [ATTEMPT_STATES, BUILD_STATES, JOB_STATES])
def test_every_step_leads_to_a_known_state(table):
    assert {target for targets in table.values() for target in targets} <= table.keys()


def test_a_done_job_never_moves_again():
    assert JOB_STATES["done"] == frozenset()
    assert JOB_STATES.keys() >= JOB_ENDED


@pytest.mark.parametrize(
    ("jobs", "state"),
    [
        (["queued", "queued"], "queued"),
        (["queued", "done"], "running"),
        (["running", "failed"], "running"),
        (["done", "failed"], "failed"),
        (["done", "cancelled"], "cancelled"),
        (["done", "done"], "done"),
        ([], "done"),
    ],
)
def test_run_state(jobs, state):
    assert run_state(jobs) == state


@pytest.mark.django_db
def test_swap_is_won_once():
    job = job_make(build_make(project_make(), 1))
    rival = Job.objects.get(pk=job.pk)
    assert state_swap(job, to="running", legal=JOB_STATES)
    assert not state_swap(rival, to="running", legal=JOB_STATES)
    assert job.state == "running"
    assert rival.state == "queued"  # what it saw; it lost


@pytest.mark.django_db
def test_illegal_step_names_the_legal_ones():
    job = job_make(build_make(project_make(), 1), state="done")
    with pytest.raises(ValueError, match="no step from 'done' to 'queued'"):
        state_swap(job, to="queued", legal=JOB_STATES)
