"""Text reads on its background in both themes: WCAG 2.2, 1.4.3 (4.5 to 1) and 1.4.11 (3 to 1)."""

import re
from pathlib import Path

import pytest

import perfsite.dashboards

TOKENS = Path(perfsite.dashboards.__file__).parent / "static/dashboards/css/tokens.css"
TEXTS = ["text", "muted", "accent", "regressed-text", "improved-text", "unsure-text", "failed-text"]
BADGES = ["regressed", "improved", "unsure", "failed"]
_BLOCK = re.compile(r"(:root[^{]*)\{([^}]*)\}")
_COLOUR = re.compile(r"--([\w-]+):\s*(#[0-9a-f]{6});", re.IGNORECASE)


def palettes() -> dict[str, dict[str, str]]:
    """The colours of each theme; the dark set is laid over the light one as the browser does."""
    blocks = [
        (name.strip(), dict(_COLOUR.findall(body))) for name, body in _BLOCK.findall(TOKENS.read_text())
    ]
    light = blocks[0][1]
    return {"light": light} | {name: light | colours for name, colours in blocks[1:]}


def luminance(colour: str) -> float:
    """WCAG's relative luminance of `#rrggbb`."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_itself():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_the_two_dark_sets_are_one():
    dark = [colours for name, colours in palettes().items() if name != "light"]
    assert len(dark) == 2
    assert dark[0] == dark[1]


@pytest.mark.parametrize("theme", palettes())
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ground", ["page", "surface", "sunken"])
def test_text_reads(theme, text, ground):
    colours = palettes()[theme]
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("theme", palettes())
@pytest.mark.parametrize("badge", BADGES)
def test_badges_read(theme, badge):
    colours = palettes()[theme]
    assert contrast(colours[f"{badge}-text"], colours[f"{badge}-soft"]) >= 4.5


@pytest.mark.parametrize("theme", palettes())
@pytest.mark.parametrize("mark", ["regressed", "improved", "accent"])
def test_marks_are_seen(theme, mark):
    colours = palettes()[theme]
    assert contrast(colours[mark], colours["surface"]) >= 3
