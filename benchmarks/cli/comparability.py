"""What stands against comparing two files of reports: machines, facts, unstable numbers.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from benchmarks.cases import Case
from benchmarks.report import Comparison, Fact, Report


class FactDiffering(BaseModel):
    """A fact of the environment that is not the same on both sides: every value it has on each."""

    model_config = ConfigDict(frozen=True)

    name: str
    before: tuple[Fact, ...]
    after: tuple[Fact, ...]
    splits: bool

    @property
    def words(self) -> str:
        """`name before -> after`."""
        return f"{self.name} {_told(self.before)} -> {_told(self.after)}"


def facts_differing(before: Sequence[Report], after: Sequence[Report]) -> list[FactDiffering]:
    """The facts that differ, those that make the numbers incomparable first.

    These are the device, and the name of the GPU or, where none measured, of the processor.
    """
    splitting = {"device", *(_place(report) for report in (*before, *after))}
    names = dict.fromkeys(name for report in (*before, *after) for name in report.environment.facts)
    found = []
    for name in names:
        first, second = _values(before, name), _values(after, name)
        if set(first) != set(second):
            # a fact that one side does not tell is no proof of another machine
            splits = name in splitting and None not in (*first, *second)
            found.append(FactDiffering(name=name, before=first, after=second, splits=splits))
    return sorted(found, key=lambda fact: not fact.splits)


def machines_check(differing: Iterable[FactDiffering], *, across: bool) -> None:
    """Refuse two machines, unless `across`.

    Raises:
        ValueError: the device, the GPU or the processor differs; each is named.
    """
    splits = [fact.words for fact in differing if fact.splits]
    if splits and not across:
        raise ValueError(
            f"the reports are of different machines ({'; '.join(splits)}): a difference would tell of "
            "them and not of the model; measure both on one machine, or compare with --across-machines"
        )


def doubts_of(reports: Iterable[Report]) -> dict[str, str]:
    """By the label of each case whose numbers nobody should judge by: the first such remark's sentence."""
    doubts: dict[str, str] = {}
    for report in reports:
        for remark in report.remarks:
            if remark.unstable:
                cases: Iterable[Case] = (
                    [remark.case] if remark.case else (row.case for row in report.measurements)
                )
                for case in cases:
                    doubts.setdefault(case.label, remark.sentence)
    return doubts


def doubt_apply(row: Comparison, doubts: Mapping[str, str], *, judge: bool) -> Comparison:
    """The comparison as `unknown` for this doubt, by side; with `judge` its verdict stays and says so."""
    if not doubts:
        return row
    reason = "; ".join(f"{side} is unstable: {sentence}" for side, sentence in doubts.items())
    if judge:
        return row.model_copy(update={"sentence": f"{row.sentence} Judged with --unstable: {reason}"})
    return row.model_copy(update={"verdict": "unknown", "sentence": reason})


def _place(report: Report) -> str:
    facts = report.environment.facts
    return "gpu_name" if facts.get("gpu_name") and facts.get("device") != "cpu" else "cpu_model"


def _values(reports: Iterable[Report], name: str) -> tuple[Fact, ...]:
    return tuple(dict.fromkeys(report.environment.facts.get(name) for report in reports))


def _told(values: Iterable[Fact]) -> str:
    return ", ".join("not told" if value is None else str(value) for value in values)
