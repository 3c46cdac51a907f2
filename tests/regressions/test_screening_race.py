"""Four processes screen and tell at the very same time, on a real database file."""

from tests.regressions.racing import Race


def test_nothing_is_doubled_when_four_do_the_same_at_once(tmp_path):
    with Race("tests.regressions.racer", tmp_path) as race:
        race.ask("fill")
        race.begin()
        assert race.ask("show") == {
            "unscreened": 0, "suspicions": 3, "open": 3, "comparisons": 1, "confirmations": 0,
            "counted": 1, "regressions": 1, "incidents": 1, "notifications": 0, "mails": 0,
        }  # fmt: skip
        race.ask("report")
        race.begin()
        assert race.ask("show") == {
            "unscreened": 0, "suspicions": 3, "open": 0, "comparisons": 1, "confirmations": 3,
            "counted": 1, "regressions": 4, "incidents": 1, "notifications": 1, "mails": 1,
        }  # fmt: skip
