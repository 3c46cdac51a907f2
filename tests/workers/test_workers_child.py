"""Real children of a real zygote: their surroundings, limits, logs and ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from child_runs import Runs
from site_standin import PATIENCE_S, alive, alive_pid, wait_until

from workers.child import ChildLog


def test_a_child_sees_no_secret_and_no_foreign_descriptor(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFSITE_TOKEN", "s3cret-token")
    monkeypatch.setenv("REDIS_URL", "redis://:s3cret-token@127.0.0.1")
    monkeypatch.setenv("CUDA_CACHE_PATH", "/cuda")
    leaked = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        ending = runs.run("tell_surroundings")
    finally:
        os.close(leaked)
    seen = ending.last
    assert "s3cret-token" not in str(seen)
    allowed = {
        "PATH",
        "LANG",
        "LC_ALL",
        "TZ",
        "LD_LIBRARY_PATH",
        "HOME",
        "TMPDIR",
        "CUDA_CACHE_PATH",
        "CUDA_VISIBLE_DEVICES",
    }
    assert set(seen["environ"]) <= allowed
    assert seen["environ"]["HOME"] == seen["environ"]["TMPDIR"] == seen["folder"] == str(runs.home)
    assert seen["environ"]["CUDA_VISIBLE_DEVICES"] == ""
    kinds = {fd: target for fd, target in seen["descriptors"].items() if not target.startswith("/proc/")}
    assert set(kinds) == {"0", "1", "2", "3"}
    assert kinds["0"] == "/dev/null"
    assert all(kinds[fd].startswith("pipe:") for fd in "123")
    assert seen["leads_session"]
    assert seen["threads"] == 1


def test_a_child_runs_on_the_devices_cores_only(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    with Runs(tmp_path, cores=(core,)) as runs:
        assert runs.run("tell_surroundings").last["cores"] == [core]


def test_each_child_is_a_process_of_its_own_and_draws_its_own_random_numbers(tmp_path: Path) -> None:
    with Runs(tmp_path, preload=("numpy",)) as runs:
        first, second = (runs.run("draw_random").last["drawn"] for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_the_wall_clock_ends_a_child(runs: Runs) -> None:
    ending = runs.run("sleep_long", wall_clock_s=0.5)
    assert ending.reason == "timeout"
    assert ending.exit_code == -signal.SIGKILL
    assert 0.5 <= ending.seconds < 60
    assert runs.nursery.family() == []


def test_the_memory_of_the_whole_family_counts(runs: Runs) -> None:
    ending = runs.run("eat_memory", resident_bytes=250 << 20)
    assert ending.reason == "memory"
    assert ending.peak_bytes > 250 << 20
    assert runs.nursery.family() == []


def test_memory_within_the_limit_is_left_alone(runs: Runs) -> None:
    ending = runs.run("eat_memory", resident_bytes=1 << 30, stop=lambda: bool(runs.events))
    assert ending.reason == "stopped"
    assert 300 << 20 <= ending.peak_bytes < 1 << 30


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGTERM"])
def test_a_signal_is_the_reason_and_the_log_stays(runs: Runs, name: str) -> None:
    ending = runs.run("die_of", files={"signal": name})
    assert (ending.reason, ending.exit_code) == ("signal", -signal.Signals[name])
    assert "about to die" in runs.log


def test_a_silent_exit_has_its_code_and_no_result(runs: Runs) -> None:
    ending = runs.run("exit_at_once")
    assert (ending.reason, ending.exit_code, ending.last) == ("exited", 7, {})


def test_an_entry_that_cannot_be_imported_is_an_exit_with_its_traceback(runs: Runs) -> None:
    ending = runs.run("no_such_entry")
    assert (ending.reason, ending.exit_code) == ("exited", 70)
    assert "no_such_entry" in runs.log
    assert ending.last["failure"] == "environment"  # the worker's trouble, not the watched code's
    assert "no_such_entry" in ending.last["message"]


def test_a_long_log_keeps_its_beginning_and_its_end(runs: Runs) -> None:
    ending = runs.run("chatter", log_limit=10_000)
    assert ending.last == {"done": True}
    assert runs.log.startswith("line 0\nline 1\n")
    assert "the log is cut here" in runs.log
    assert runs.log.endswith("the last line\n")
    assert len(runs.log) < 80_000


def test_a_log_that_just_reaches_its_limit_is_cut_by_the_next_byte(tmp_path) -> None:
    log = ChildLog(tmp_path / "log", limit=4)
    for data in (b"full", b"more"):
        log.write(data)
    log.close()
    kept = (tmp_path / "log").read_bytes()
    assert kept.startswith(b"full\n[the log is cut here")
    assert kept.endswith(b"fullmore")


def test_a_daemon_that_a_child_leaves_behind_is_ended_with_it(runs: Runs) -> None:
    ending = runs.run("leave_strays")
    assert ending.last == {"done": True}
    assert not alive_pid(int((runs.home / "stray").read_text()))


def test_lines_that_are_no_events_are_noted_in_the_log(runs: Runs) -> None:
    ending = runs.run("talk_rubbish")
    assert ending.last == {"done": True}
    assert runs.log.count("could not read") == 2


def test_a_stop_ends_the_child_at_once(runs: Runs) -> None:
    asked = threading.Event()
    threading.Timer(0.3, asked.set).start()
    ending = runs.run("sleep_long", stop=asked.is_set)
    assert ending.reason == "stopped"
    assert ending.seconds < 60


def test_a_killed_zygote_takes_its_child_along_and_is_replaced(runs: Runs) -> None:
    runs.nursery.warm()
    first = runs.nursery.pid
    assert first is not None
    threading.Timer(0.5, os.kill, (first, signal.SIGKILL)).start()
    assert runs.run("sleep_long").reason == "lost"
    assert runs.run("tell_done").last["done"]
    assert runs.nursery.pid != first


def test_a_zygote_that_does_not_answer_any_more_is_replaced(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.child.END_S", 0.5)
    monkeypatch.setattr("workers.nursery.CLOSE_S", 0.5)
    assert runs.run("stop_zygote", wall_clock_s=0.5).reason == "timeout"
    assert runs.run("tell_done").last["done"]


def test_a_zygote_told_to_end_takes_everything_below_it_along(runs: Runs) -> None:
    ended: list[str] = []
    thread = threading.Thread(target=lambda: ended.append(runs.run("sleep_long").reason))
    thread.start()
    wait_until(lambda: runs.events)
    family = runs.nursery.family()
    zygote = runs.nursery.pid
    os.kill(zygote or 0, signal.SIGTERM)
    thread.join(PATIENCE_S)
    assert ended == ["lost"]
    assert not any(alive(process) for process in family)


def test_a_warm_zygote_forks_at_once(tmp_path: Path) -> None:
    with Runs(tmp_path, preload=("torch",)) as runs:
        started = time.monotonic()
        runs.nursery.warm()
        warm = time.monotonic()
        runs.run("tell_done")
        assert time.monotonic() - warm < (warm - started) / 2
