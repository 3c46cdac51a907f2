"""A day's cap is exact also when several senders decide at once, on SQLite and on PostgreSQL."""

import pytest

from tests.alerts.cap_racer import CAP, INCIDENTS
from tests.alerts.databases import spare_database
from tests.regressions.racing import Race

ROUNDS = 2


@pytest.mark.timeout(600)
def test_the_cap_is_never_passed_by_senders_that_decide_at_once(tmp_path):
    with (
        spare_database("cap") as database,
        Race("tests.alerts.cap_racer", tmp_path, database=database) as race,
    ):
        race.ask("migrate")
        for _ in range(ROUNDS):
            race.ask("prepare")
            race.begin()
        assert race.ask("counts") == [{"capped": INCIDENTS - CAP, "now": CAP}] * ROUNDS
