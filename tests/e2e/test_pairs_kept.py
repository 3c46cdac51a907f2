"""A comparison whose worker and whose site are killed between its pairs: none is lost, none is run twice."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.e2e.service import CONFIG, MODELS, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

PAIRS = 5
# no evidence ends it before its pairs do, and a suspicion without a score is never refuted
ORDER = f"""
from benchmarks.cases import Case
from benchmarks.sequential import Suspected
from perfsite.runs.models import Job
from perfsite.runs.comparing import compare_order
first, second = Job.objects.filter(kind="measure", model="quick").order_by("run__build__ordinal")
case = Case.model_validate(second.spec["cases"][0])
job = compare_order(
    base=first.run.build, build=second.run.build, device_class="cpu", pin="", model="quick", precision="fp32",
    watch=[(case, "latency_p50")], suspected=[Suspected(1.0, 2.0, 1.0, 0.0)], alpha=1e-9, max_pairs={PAIRS},
)
print(job.pk)
"""
SHOW = """
import json
from perfsite.runs.models import Attempt, Job, Pair
from perfsite.results.models import Report
job = Job.objects.get(pk={job})
report = Report.objects.get(job=job)
print(json.dumps({{
    "pairs": [[p.number, p.values[0][2], p.created_at.timestamp()] for p in job.pairs.order_by("number")],
    "attempts": [[a.state, a.claimed_at.timestamp()] for a in job.attempts.order_by("number")],
    "told": report.comparisons[0]["a"],
}}))
"""


def stage(service, job: int) -> str:
    """Where the job is: its state, and while it runs which pair."""
    try:
        (found,) = (one for one in service.jobs("pairs") if one["id"] == job)
    except httpx.HTTPError:
        return "the site is away"
    return f"{found['state']} {found['progress'].get('stage', '')}"


def test_killed_worker_and_killed_site_cost_no_pair(service, watched):
    repository = watched("pairs")
    shas = [
        repository.commit("one", perfsite_DOT_toml=CONFIG, models_DOT_py=MODELS),
        repository.commit("two", models_DOT_py=MODELS + "# two\n"),
    ]
    assert repository.push(*shas).status_code == 202
    wait_for(lambda: [job["state"] for job in service.jobs("pairs")] == ["done"] * 4, 120)
    job = int(service.manage("shell", "-v0", "-c", ORDER).split()[-1])
    wait_for(lambda: "pair 3" in stage(service, job), 90, lambda: stage(service, job))
    service.part("-m workers").kill()
    wait_for(lambda: "pair 4" in stage(service, job), 90, lambda: stage(service, job))
    service.part("granian").kill()
    wait_for(lambda: stage(service, job).startswith("done"), 150, lambda: stage(service, job))
    seen = json.loads(service.manage("shell", "-v0", "-c", SHOW.format(job=job)).splitlines()[-1])
    assert [number for number, *_ in seen["pairs"]] == list(range(PAIRS))
    assert [value for _, value, _ in seen["pairs"]] == seen["told"]
    states = [state for state, _ in seen["attempts"]]
    assert states[0] == "lost"
    assert states.count("reported") == 1
    # the pairs before the kill are those that were run then
    assert [at < seen["attempts"][1][1] for *_, at in seen["pairs"]][:2] == [True, True]
