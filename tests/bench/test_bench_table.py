"""What is told of a figure: its ratio, whether the aim is met, how it grew."""

from dataclasses import replace

from perfsite.bench.table import row_at_least, row_at_most, row_under, rows_growth, table_text


def test_aims_are_met_or_honestly_missed():
    assert row_at_least("a", 70, "1/s", floor=100, least=0.7).ok
    missed = row_at_least("a", 69, "1/s", floor=100, least=0.7)
    assert (missed.ok, missed.ratio) == (False, 0.69)
    assert row_at_most("b", 20, "ms", floor=10, most=2).ok
    assert not row_at_most("b", 21, "ms", floor=10, most=2).ok
    assert not row_under("c", 1.0, "s", limit=1.0).ok
    assert not row_at_least("a", 1, "1/s", floor=0, least=0.7).ok  # without a floor nothing is met


def test_growth_is_how_much_worse_and_knows_which_way():
    small = [row_at_least("rate", 100, "1/s", floor=100, least=0.5), row_under("time", 1.0, "s", limit=9)]
    large = [replace(small[0], value=40, points=10), replace(small[1], value=1.9, points=10)]
    rate, time = rows_growth(small, large)
    assert (rate.ratio, rate.ok) == (2.5, False)
    assert (time.ratio, time.ok) == (1.9, True)
    assert "growth, 0 to 10 points: rate" in rate.what


def test_the_table_shouts_what_is_missed():
    text = table_text([row_at_least("a", 10, "1/s", floor=100, least=0.7, note="a note")])
    assert text.splitlines()[1].endswith("NO")
    assert text.splitlines()[-1] == "- a note"
