"""What a worker is told: command line first, then environment; and the price of its device."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.device import device_leased
from workers.options import Options, options_read

NEEDED = {"PERFSITE_SITE": "http://site.example", "PERFSITE_TOKEN": "secret"}


def read(*arguments: str, **environment: str) -> Options:
    return options_read(arguments, NEEDED | environment)


def test_a_price_comes_from_the_command_line_first() -> None:
    assert read().price_per_hour is None
    assert read(PERFSITE_PRICE="").price_per_hour is None
    assert read(PERFSITE_PRICE="2.5").price_per_hour == 2.5
    assert read("--price", "3", PERFSITE_PRICE="2.5").price_per_hour == 3.0


@pytest.mark.parametrize("price", ["0", "-1", "nan", "inf", "cheap"])
def test_what_is_no_price_is_refused_in_words(price: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read(PERFSITE_PRICE=price)
    assert ended.value.code == 2
    assert f"a price is a number above 0, not '{price}'" in capsys.readouterr().err


def test_the_price_is_known_wherever_the_device_is(tmp_path: Path) -> None:
    with device_leased("cpu", work=tmp_path, locks=tmp_path, price_per_hour=2.5) as bench:
        assert bench.price_per_hour == 2.5
    with device_leased("cpu", work=tmp_path, locks=tmp_path) as bench:
        assert bench.price_per_hour is None
