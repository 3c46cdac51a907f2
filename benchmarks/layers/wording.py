"""A difference in words."""

from __future__ import annotations

from benchmarks.layers.difference import Change, Detail, Difference
from benchmarks.metrics import format_seconds

MOST_NAMES = 3
LONGEST = 60  # characters of a name or a kernel

_WHOLES = {
    "measured": "measured without a profiler",
    "profile": "as the profilers saw it, which cost time themselves",
    "layers": "the sum of the layers, for nothing tells the time from end to end",
}


def change_words(seconds: float) -> str:
    """`+12.3 µs`, with its sign."""
    return f"{'+' if seconds >= 0 else '−'}{format_seconds(abs(seconds))}"


def names_words(change: Change) -> str:
    """What a group is called: its origins where there are any, else its layers' names."""
    layers = (*change.group.before, *change.group.after)
    names = sorted({one for layer in layers for one in layer.origins}) or list(
        dict.fromkeys(layer.name for layer in layers)
    )
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(map(_short, names[:MOST_NAMES])) + more


def details_words(change: Change) -> str:
    """What differs besides the time, in a few words; "" when nothing does."""
    if change.group.how in ("added", "removed"):
        return f"{change.group.how}: {_kinds(change)}".rstrip(": ")
    return "; ".join(map(detail_words, change.details))


def detail_words(detail: Detail) -> str:
    """`precision fp16 → fp32`, `3 layers fused into 1`."""
    if detail.what == "layers":
        before, after = int(detail.before), int(detail.after)
        if after == 1:
            return f"{before} layers fused into 1"
        return f"1 layer split into {after}" if before == 1 else f"{before} layers became {after}"
    return f"{detail.what} {_short(detail.before)} → {_short(detail.after)}"


def explained_sentence(found: Difference) -> str:
    """How much of the change from end to end the layers show, and what is left."""
    return " ".join(filter(None, (whole_sentence(found), largest_sentence(found), rest_sentence(found))))


def whole_sentence(found: Difference) -> str:
    """One inference from end to end, before and after, and how that is known."""
    if found.seconds is None or found.before_s is None or found.after_s is None:
        return "No times: what differs is ranked by how much differs."
    return (
        f"One inference: {format_seconds(found.before_s)} before, {format_seconds(found.after_s)} after, "
        f"{change_words(found.seconds)} ({_WHOLES[found.whole]})."
    )


def largest_sentence(found: Difference, count: int = 3) -> str:
    """`The 3 largest explain 87 % of the change.`; empty where there are no more, or nobody can tell."""
    share = found.largest(count)
    if share is None or len(found.changes) <= count:
        return ""
    if share <= 0:
        return f"The {count} largest went against the change: these layers do not explain it."
    return f"The {count} largest explain {percent_words(share)} of the change."


def rest_sentence(found: Difference) -> str:
    """What all layers together explain, and what they leave."""
    if found.explained is None or found.rest_s is None:
        return ""
    return (
        f"All layers together explain {percent_words(found.explained)}; the rest, "
        f"{change_words(found.rest_s)}, lies between the layers or outside them."
    )


def percent_words(share: float) -> str:
    """`87 %`, with a true minus sign."""
    return f"{'−' if round(share * 100) < 0 else ''}{abs(share) * 100:.0f}\N{NO-BREAK SPACE}%"


def _kinds(change: Change) -> str:
    return ", ".join(
        dict.fromkeys(one.kind for one in (*change.group.before, *change.group.after) if one.kind)
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 + 1 :]}"
