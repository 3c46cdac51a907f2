"""A bisection's rows as the pure search sees them, and what its steps have learnt meanwhile: reads only."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.metrics import Metric, metric_get
from benchmarks.report import Comparison
from perfsite.regressions.bisection.search import RATE, Answer, Search, answer_of, answers_most
from perfsite.regressions.models import Bisection, BisectionStep, Regression
from perfsite.regressions.selectors import EXCLUDED
from perfsite.results.models import Measurement, Report, Series
from perfsite.runs.cases import case_key
from perfsite.runs.models import Build, Job
from perfsite.runs.relevant import Relevant
from perfsite.runs.states import JOB_ENDED

BACKFILL_MOST = 20  # measure jobs that a search for an exact change may order
_FAULT_OF_COMMIT = ("export", "build", "model", "measure")


@dataclass(frozen=True)
class Learnt:
    """What became of a step: the answer, and the sentence that goes with it."""

    answer: Answer
    sentence: str


@dataclass(frozen=True)
class Searched:
    """A bisection with its steps by ordinal and the search they make up.

    `base` is the last good build at its beginning and `accused` the bad one; a commit that the site was
    never told of has no step, and stays unknown.
    """

    bisection: Bisection
    steps: dict[int, BisectionStep]
    base: Build
    accused: Build
    search: Search

    @property
    def series(self) -> Series:
        """The series whose change is searched for."""
        return self.bisection.regression.series

    @property
    def metric(self) -> Metric:
        """The metric of that series, with the smallest change that the confirmation was to tell.

        An exact one is settled by one measurement of each commit.
        """
        return metric_told(self.bisection.regression)

    @property
    def alpha(self) -> float:
        """What each answer is held to."""
        return RATE / self.search.most

    def build(self, ordinal: int) -> Build:
        """The build at a place of the range that is no unknown commit."""
        ends = {self.base.ordinal: self.base, self.accused.ordinal: self.accused}
        return ends.get(ordinal) or self.steps[ordinal].build

    def name(self, ordinal: int) -> str:
        """Seven characters, also of a commit that has no build."""
        known = ordinal in self.steps or ordinal in (self.base.ordinal, self.accused.ordinal)
        return self.build(ordinal).short if known else f"commit {ordinal} of the branch"


def metric_told(regression: Regression) -> Metric:
    """The metric of a regression, with the smallest change that its verdict was to tell."""
    row, job = metric_get(regression.series.metric), regression.verdict.job
    told = Relevant((job.spec if job else {}).get("relevant", {}))
    return told.metric_of(row, case=regression.series.case_label)


def searched(*, bisection: Bisection) -> Searched | None:
    """The search as its rows tell it; None when a force-push took one of its builds off the branch."""
    regression = bisection.regression
    base, accused = regression.verdict.base, regression.build
    steps = list(bisection.steps.select_related("build", "job__report").order_by("id"))
    places = [step.build.ordinal for step in steps]
    if base is None or base.ordinal is None or accused.ordinal is None or None in places:
        return None
    if any(place is None or not base.ordinal < place < accused.ordinal for place in places):
        return None
    by_place = {step.build.ordinal or 0: step for step in steps}
    left_out = {place for place, step in by_place.items() if step.verdict == EXCLUDED}
    commits = tuple(place for place in range(base.ordinal, accused.ordinal + 1) if place not in left_out)
    hint = _hint(commits, bisection.hint.ordinal if bisection.hint else None)
    is_exact = metric_get(regression.series.metric).exact
    search = Search(
        commits,
        {place: answer for place in commits[1:-1] if (answer := _answer(by_place.get(place)))},
        regression.verdict.relative or 1.0,
        BACKFILL_MOST if is_exact else answers_most(len(commits) - 2, len(hint)),
        hint,
    )
    return Searched(bisection, by_place, base, accused, search)


def _hint(commits: tuple[int, ...], culprit: int | None) -> tuple[int, ...]:
    """The commits to ask about first: the parent of what another search found, and that one."""
    if culprit is None or culprit not in commits[1:]:
        return ()
    place = commits.index(culprit)
    return tuple(commit for commit in commits[place - 1 : place + 1] if commit in commits[1:-1])


def _answer(step: BisectionStep | None) -> Answer | None:
    if step is None:
        return Answer("failed")
    if not step.verdict:
        return None
    return Answer(step.verdict, step.relative, step.relative_low, step.relative_high)  # type: ignore[arg-type]


def step_learnt(*, of: Searched, step: BisectionStep) -> Learnt | None:
    """What a step's job told; None while it has not ended."""
    if of.metric.exact:
        point = Measurement.objects.filter(series=of.series, build_id=step.build_id).first()
        if point is not None:
            return _learnt_exact(of, point)
    job = step.job
    if job is None or job.state not in JOB_ENDED:
        return None
    report: Report | None = getattr(job, "report", None)
    if report is None:
        return Learnt(Answer("failed"), job.failure or f"the job ended {job.state} and sent no report")
    if of.metric.exact:
        return Learnt(Answer("failed"), "it was measured, but in another environment or without this metric")
    return _learnt_compared(of, report)


def answer_counted(*, regression: Regression, value: float, alpha: float) -> Answer:
    """What one value of a commit tells of a counted regression: it needs no pairs."""
    verdict = regression.verdict
    whole = verdict.relative or 1.0
    return answer_of([verdict.before], [value], metric=metric_told(regression), whole=whole, alpha=alpha)


def answer_compared(*, regression: Regression, row: Comparison, alpha: float) -> Answer:
    """What the pairs of a commit with the good build tell of a regression."""
    whole = regression.verdict.relative or 1.0
    return answer_of(row.a, row.b, metric=metric_told(regression), whole=whole, alpha=alpha)


def _learnt_exact(of: Searched, point: Measurement) -> Learnt:
    answer = answer_counted(regression=of.bisection.regression, value=point.value, alpha=of.alpha)
    return Learnt(answer, f"{of.metric.title} {of.metric.format(point.value)}; counted, not timed")


def _learnt_compared(of: Searched, report: Report) -> Learnt:
    for fields in report.comparisons:
        row = Comparison.model_validate(fields)
        if (case_key(row.case), row.metric) != (case_key(of.series), of.series.metric) or not row.a:
            continue
        answer = answer_compared(regression=of.bisection.regression, row=row, alpha=of.alpha)
        return Learnt(answer, row.sentence)
    reasons = [outcome["reason"] for outcome in report.outcomes if outcome.get("reason")]
    return Learnt(Answer("failed"), reasons[0] if reasons else "the comparison's report does not tell of it")


def measure_job(*, regression: Regression, build: Build) -> Job | None:
    """The job that measured the regression's model on a build; None when there is none."""
    series = regression.series
    return Job.objects.filter(
        run__build=build,
        kind=Job.Kind.MEASURE,
        device_class=series.device_class,
        model=series.model,
        precision=series.precision,
    ).first()


def known_to_fail(*, regression: Regression, build: Build) -> str:
    """Why a commit cannot be measured, when an earlier job found that the fault is its own; else empty."""
    job = measure_job(regression=regression, build=build)
    if job is None or job.state != "failed" or job.failure_kind not in _FAULT_OF_COMMIT:
        return ""
    return job.failure or f"its measuring failed ({job.failure_kind})"
