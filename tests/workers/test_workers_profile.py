"""The job kind `profile`: both builds' files come home, and no numbers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from site_standin import StandIn, wait_until
from watched_repository import Repository

from benchmarks.cases import Case
from workers.messages import BuildSource

CASE = Case(model="net", runner="onnxruntime", suite="latency", duration_s=0.1)
OTHER = Case(model="net", runner="tensorrt", suite="latency", duration_s=0.1)


def test_both_builds_are_profiled_once_and_what_cannot_be_says_why(
    site: StandIn, worker: Callable[..., subprocess.Popen[str]], repository: Repository
) -> None:
    shas = (repository.head, repository.commit("README.md", "only words"))
    builds = tuple(BuildSource(build_id=1, repo=str(repository.path), sha=sha) for sha in shas)
    told = site.give(repository.order(kind="profile", builds=builds, cases=(CASE, OTHER)))
    worker("--poll", "0.2")
    wait_until(lambda: told.ended)
    report = told.report
    assert report is not None, told.failure
    assert (report.kind, report.measurements) == ("measure", ())
    kept = {ref.name for ref in report.artifacts if ref.kind == "profile"}
    assert {name.split(".")[0] for name in kept} == {"good", "suspect"}
    assert kept < set(told.artifacts)
    assert all(len(told.artifacts[name]) > 0 for name in kept)
    done, refused = report.outcomes
    assert (done.case, done.status) == (CASE, "done")
    assert (refused.case, refused.status) != (OTHER, "done")
    assert refused.reason.startswith("good: ")
    assert "; suspect: " in refused.reason
