"""The states of an incident (pure): what the data say, and a person's word over it; drawn in the README."""

from __future__ import annotations

STATES: dict[str, str] = {
    "untriaged": "nobody has looked at it yet",
    "investigating": "somebody looks into it",
    "confirmed": "a real regression that is to be mended",
    "fixed": "mended or reverted; later builds verify it",
    "accepted": "a price worth paying: the new level is the right one",
    "invalid": "not a regression: the detector was wrong",
    "environment": "the machine or its toolchain, not the commit",
    "withdrawn": "later data refute it",
}
# only later data withdraw; choosing `untriaged` takes a person's word back
PERSON_STATES: dict[str, str] = {word: says for word, says in STATES.items() if word != "withdrawn"}
# it still stands: told, and closed by itself when later data undo or refute it
OPEN_STATES = ("untriaged", "investigating", "confirmed", "environment")
# it still accuses somebody's commit: worth a search for the guilty one
ACCUSING_STATES = ("untriaged", "investigating", "confirmed")


def state_derived(*, kind: str, is_withdrawn: bool, is_fixed: bool) -> str:
    """What the data say about an incident of this kind."""
    if is_withdrawn:
        return "withdrawn"
    if is_fixed:
        return "fixed"
    return "environment" if kind == "environment" else "untriaged"


def state_of(*, override: str, kind: str, is_withdrawn: bool, is_fixed: bool) -> str:
    """A person's word where there is one, else what the data say."""
    return override or state_derived(kind=kind, is_withdrawn=is_withdrawn, is_fixed=is_fixed)
