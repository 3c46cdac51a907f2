"""A series as a small picture for mails, which show no SVG (pure: points in, PNG out)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

# shown at 600 x 220; drawn larger, so that dense screens and slanted lines look well
WIDTH, HEIGHT = 600, 220
_SCALE = 4
_KEPT_SCALE = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 30, 26

# the light set of the site's design tokens
_INK = {"text": "#14181d", "muted": "#565f6b", "line": "#dfe3e8", "plot": "#1a5fb4", "paper": "#ffffff"}
_MARKS = {"regressed": "#d55e00", "improved": "#009e73"}


@dataclass(frozen=True)
class ChartPoint:
    """One build of a series: its place on the branch and its value in the metric's unit."""

    ordinal: int
    value: float


def chart_png(
    points: Sequence[ChartPoint],
    *,
    title: str,
    accused: int,
    before: float,
    after: float,
    value_text: Callable[[float], str],
    tone: str = "regressed",
) -> bytes:
    """The points in branch order, the levels before and after, and the accused build marked.

    Empty when there are fewer than two points: nothing could be seen.
    """
    if len(points) < 2:
        return b""
    image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), _INK["paper"])
    frame = _Frame(ImageDraw.Draw(image), points, (before, after))
    frame.text((12, 8), title, _INK["text"], size=12)
    _axes(frame, value_text)
    _levels(frame, accused, (before, after), _MARKS[tone])
    frame.line([frame.place(point.ordinal, point.value) for point in points], _INK["plot"], 1.5)
    for point in points:
        is_accused = point.ordinal == accused
        frame.dot(frame.place(point.ordinal, point.value), _MARKS[tone] if is_accused else _INK["plot"], 2)
    _mark(frame, points, accused, _MARKS[tone])
    kept = image.resize((WIDTH * _KEPT_SCALE, HEIGHT * _KEPT_SCALE), Image.Resampling.LANCZOS)
    file = BytesIO()
    kept.save(file, "PNG", optimize=True)
    return file.getvalue()


class _Frame:
    """Pixels for ordinals and values, and strokes in the picture's shown size."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, points: Sequence[ChartPoint], levels: tuple[float, float]
    ) -> None:
        self._draw = draw
        self.first, self.last = points[0].ordinal, points[-1].ordinal
        values = [*(point.value for point in points), *levels]
        low, high = min(values), max(values)
        room = (high - low) * 0.08 or abs(high) * 0.02 or 1.0
        self.low, self.high = low - room, high + room

    def place(self, ordinal: float, value: float) -> tuple[float, float]:
        x = (ordinal - self.first) / max(self.last - self.first, 1)
        y = (value - self.low) / (self.high - self.low)
        return (
            _LEFT + x * (WIDTH - _LEFT - _RIGHT),
            HEIGHT - _BOTTOM - y * (HEIGHT - _TOP - _BOTTOM),
        )

    def line(self, places: Sequence[tuple[float, float]], colour: str, width: float) -> None:
        scaled = [(x * _SCALE, y * _SCALE) for x, y in places]
        self._draw.line(scaled, fill=colour, width=round(width * _SCALE), joint="curve")

    def dot(self, place: tuple[float, float], colour: str, radius: float) -> None:
        x, y, r = place[0] * _SCALE, place[1] * _SCALE, radius * _SCALE
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def triangle(self, place: tuple[float, float], colour: str) -> None:
        x, y = place
        corners = ((x, y - 6), (x - 5, y + 3), (x + 5, y + 3))
        self._draw.polygon([(a * _SCALE, b * _SCALE) for a, b in corners], fill=colour)

    def text(
        self, place: tuple[float, float], words: str, colour: str, *, size: int = 11, anchor: str = "la"
    ) -> None:
        font = ImageFont.load_default(size * _SCALE)
        self._draw.text((place[0] * _SCALE, place[1] * _SCALE), words, fill=colour, font=font, anchor=anchor)


def _axes(frame: _Frame, value_text: Callable[[float], str]) -> None:
    for share in (0.1, 0.5, 0.9):
        value = frame.low + share * (frame.high - frame.low)
        left, right = frame.place(frame.first, value), frame.place(frame.last, value)
        frame.line([left, right], _INK["line"], 1)
        frame.text((_LEFT - 8, left[1]), value_text(value), _INK["muted"], anchor="rm")
    for ordinal, anchor in ((frame.first, "lb"), (frame.last, "rb")):
        x, _ = frame.place(ordinal, frame.low)
        frame.text((x, HEIGHT - 6), f"build {ordinal}", _INK["muted"], anchor=anchor)


def _levels(frame: _Frame, accused: int, levels: tuple[float, float], colour: str) -> None:
    before, after = levels
    frame.line([frame.place(frame.first, before), frame.place(accused, before)], _INK["muted"], 1)
    frame.line([frame.place(accused, after), frame.place(frame.last, after)], colour, 1.5)


def _mark(frame: _Frame, points: Sequence[ChartPoint], accused: int, colour: str) -> None:
    value = next((point.value for point in points if point.ordinal == accused), None)
    if value is not None:
        x, y = frame.place(accused, value)
        frame.triangle((x, y), colour)
