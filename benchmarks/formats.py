"""Values as people read them: three significant digits and a unit.  Pure and light."""

from __future__ import annotations


def _three_digits(value: float) -> str:
    """`value` with three significant digits and no exponent."""
    if value == 0:
        return "0"
    magnitude = abs(value)
    digits = 2 if magnitude >= 1 else 3
    for bound in (10, 100):
        if magnitude >= bound:
            digits -= 1
    if magnitude < 1:
        return f"{value:.3g}"
    return f"{value:.{max(digits, 0)}f}"


def format_seconds(value: float) -> str:
    """Seconds for people: `12.3 ms`."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(value) >= factor:
            return f"{_three_digits(value / factor)} {unit}"
    return f"{_three_digits(value / 1e-9)} ns"


def format_bytes(value: float) -> str:
    """Bytes for people, in powers of 1,024: `12.3 MiB`."""
    for factor, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(value) >= factor:
            return f"{_three_digits(value / factor)} {unit}"
    return f"{value:.0f} B"


def format_rate(value: float) -> str:
    """Samples per second for people: `1,234 /s`."""
    return f"{value:,.0f} /s" if abs(value) >= 1000 else f"{_three_digits(value)} /s"


def format_ratio(value: float) -> str:
    """A ratio as a percentage: `12.3 %`."""
    return f"{_three_digits(value * 100)} %"


def format_joules(value: float) -> str:
    """Joules for people: `12.3 mJ`."""
    for factor, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")):
        if abs(value) >= factor:
            return f"{_three_digits(value / factor)} {unit}"
    return f"{_three_digits(value / 1e-9)} nJ"


def format_plain(value: float) -> str:
    """A number whose unit the title says: `1.23`."""
    return f"{value:,.0f}" if abs(value) >= 1000 else _three_digits(value)


def format_cost(value: float) -> str:
    """An amount in the currency that the price per GPU-hour was given in: `0.0123`."""
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.3g}"


def format_small(value: float) -> str:
    """A number that may be tiny: `1.23e-05`."""
    return f"{value:.3g}"


def format_count(value: float) -> str:
    """A count for people: `12,345`."""
    return f"{value:,.0f}"
