"""A station with a result that cannot be delivered: it works on nevertheless."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from site_standin import PATIENCE_S, TOKEN, StandIn, wait_until
from watched_repository import Repository

from workers.client import SiteClient
from workers.device import device_leased
from workers.folders import Folders
from workers.messages import Failure, Hello
from workers.nursery import Nursery
from workers.spool import Spool
from workers.station import Station


@pytest.mark.parametrize("poison", ["500", "503", "damaged"])
def test_one_poisoned_result_does_not_keep_the_station_from_claiming(
    site: StandIn, repository: Repository, nursery: Nursery, tmp_path: Path, poison: str
) -> None:
    bad, next_one = repository.order(), repository.order(kind="soak")  # refused: it is no soak
    site.give(bad)
    site.orders.clear()
    told = site.give(next_one)
    folders = Folders.under(tmp_path / "work", "w")
    Spool(folders.spool).failure_save(bad.token, Failure(kind="model", message="m"))
    if poison == "damaged":
        (folders.spool / bad.token / "entry.json").write_bytes(b"")
    else:
        site.broken[f"{bad.token}/failure"] = int(poison)
    with (
        device_leased("cpu", work=tmp_path, locks=tmp_path) as bench,
        SiteClient(site.url, TOKEN, patience_s=0) as client,
    ):
        station = Station(
            name="w", client=client, bench=bench, nursery=nursery, folders=folders, poll_s=0.1, retry_s=0.1
        )
        hello = Hello(worker="w", device=bench.device)
        assert station.introduce(hello)
        thread = threading.Thread(target=station.run, args=(hello,))
        thread.start()
        try:
            wait_until(lambda: told.failure is not None)
        finally:
            station.stop()
            thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert station.undelivered == (poison != "damaged")
