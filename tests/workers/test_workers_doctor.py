"""The doctor, against a real site stand-in and against nobody."""

from __future__ import annotations

import pytest
from site_standin import TOKEN, StandIn

from workers import doctor
from workers.messages import PROTOCOL


@pytest.fixture
def tell(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("PERFSITE_SITE", raising=False)

    def run(*arguments: str) -> tuple[int, dict[str, str]]:
        status = doctor.main(["--device", "cpu", "--work", str(tmp_path / "w"), *arguments])
        lines = capsys.readouterr().out.splitlines()
        return status, {line[6:18].strip(): line[:4].strip() for line in lines if not line.startswith(" ")}

    return run


def test_a_box_that_reaches_its_site_is_told_what_is_right(site: StandIn, tell):
    _, told = tell("--site", site.url, "--token", TOKEN)
    assert {told[name] for name in ("git", "work folder", "room", "PyTorch")} == {"ok"}
    assert tell("--site", site.url, "--token", "wrong")[1]["token"] == "fail"


def test_a_site_that_is_not_there_fails_with_what_to_do(tell, capsys):
    status, told = tell("--site", "http://127.0.0.1:1", "--token", TOKEN)
    assert (status, told["site"], told["token"]) == (1, "fail", "fail")


def test_a_work_folder_of_somebody_else_and_a_full_disk_are_named(site: StandIn, tell, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "ROOM_BYTES", 1 << 62)
    (tmp_path / "w").write_text("a file, no folder")
    status, told = tell("--quick", "--site", site.url, "--token", TOKEN)
    assert (status, set(told)) == (1, {"work folder", "room", "site"})
    assert told["work folder"] == told["room"] == "fail"


@pytest.mark.django_db
def test_the_real_site_tells_the_protocol_to_a_good_token(live_server, tell):
    from perfsite.access.services import token_add

    secret = token_add(name="w", purpose="worker")
    _, told = tell("--site", live_server.url, "--token", secret)
    assert (told["site"], told["token"]) == ("ok", "ok"), PROTOCOL
    assert tell("--site", live_server.url, "--token", "ps_worker_guess")[1]["token"] == "fail"
