"""A worker's log in JSON: every line an object, with the ids of the job it is about and no secret."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest
from site_standin import PATIENCE_S, TOKEN, StandIn, wait_until
from watched_repository import Repository

from workers.options import options_read

Worker = Callable[..., subprocess.Popen[str]]


def lines_of(process: subprocess.Popen[str]) -> list[dict[str, object]]:
    assert process.stderr is not None
    return [json.loads(line) for line in process.stderr.read().splitlines()]


def test_lines_about_a_job_tell_its_ids_and_no_token(
    site: StandIn, worker: Worker, repository: Repository
) -> None:
    order = repository.order()
    told = site.give(order)
    process = worker("--poll", "600", "--name", "box-1", PERFSITE_LOG_FORMAT="json")
    wait_until(lambda: told.progress)
    process.terminate()  # it gives the job back
    assert process.wait(PATIENCE_S) == 0
    lines = lines_of(process)
    assert all({"event", "level", "timestamp", "logger"} <= line.keys() for line in lines)
    about = {line["event"]: line for line in lines if "job" in line}
    assert {"job claimed", "job stopped"} <= about.keys()
    builds = [build.build_id for build in order.builds]
    for line in about.values():
        ids = (line["job"], line["attempt"], line["builds"], line["worker"])
        assert ids == (order.job_id, order.attempt, builds, "box-1")
    text = json.dumps(lines)
    assert order.token not in text
    assert TOKEN not in text


def test_a_heartbeats_lines_tell_the_ids_too(site: StandIn, worker: Worker, repository: Repository) -> None:
    order = repository.order()
    site.give(order)
    site.superseded.add(order.token)
    process = worker("--poll", "600", PERFSITE_LOG_FORMAT="json")
    wait_until(lambda: len(site.claims) > 1)  # the job was stopped, it asks for another
    process.terminate()
    process.wait(PATIENCE_S)
    (line,) = [line for line in lines_of(process) if "its job stops" in str(line["event"])]
    assert (line["job"], line["attempt"]) == (order.job_id, order.attempt)


def test_the_end_of_a_refused_worker_is_an_object_as_well(site: StandIn, worker: Worker) -> None:
    site.refuse_hello = "this site speaks protocol 9"
    process = worker(PERFSITE_LOG_FORMAT="json")
    assert process.wait(PATIENCE_S) == 3
    last = lines_of(process)[-1]
    assert (last["event"], last["reason"]) == ("the worker cannot work", "this site speaks protocol 9")


def test_an_unknown_form_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    needed = {"PERFSITE_SITE": "http://site.example", "PERFSITE_TOKEN": "secret"}
    assert options_read([], needed).log_format == "line"
    with pytest.raises(SystemExit):
        options_read([], {**needed, "PERFSITE_LOG_FORMAT": "xml"})
    assert "a log is in the form line or json, not 'xml'" in capsys.readouterr().err
