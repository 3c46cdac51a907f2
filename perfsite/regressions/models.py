"""What moved: suspicions, verdicts, regressions, incidents."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.results.models import Series
from perfsite.runs.models import Build, Job, Project


class SeriesState(models.Model):
    """How far the screen has come in a series: a series is screened strictly in branch order.

    `screened_through` is the ordinal of the newest screened point and `build` the build it belonged
    to: after a force-push another build may hold that place, which sets the state back.
    `level_start` is the ordinal where the present level began: after the last settled change.
    """

    series = models.OneToOneField(
        Series, primary_key=True, on_delete=models.CASCADE, related_name="screen_state"
    )
    screened_through = models.PositiveIntegerField(default=0)
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    level_start = models.PositiveIntegerField(default=0)
    screen = models.JSONField(default=dict, help_text="what the screen remembers; rebuildable from the rows")

    def __str__(self) -> str:
        return f"series {self.series_id} screened through {self.screened_through}"


AGAIN = "again"  # in a suspicion's evidence: the build that was suspected of this level before


class Suspicion(models.Model):
    """The screen found a point odd and ordered a comparison; open until a verdict settles it.

    While one is open, later points of the series wait: they would be judged against the wrong level.
    """

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="suspicions")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="suspicions")
    base = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    trigger = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="+", help_text="the measure job whose point stood out"
    )
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="suspicions")
    state = models.CharField(max_length=10, default="open")  # open, settled
    evidence = models.JSONField(default=dict)
    opened_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "build"], name="suspicion_once"),
            models.UniqueConstraint(
                fields=["series"], condition=models.Q(state="open"), name="suspicion_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"suspicion about {self.series_id} at {self.build_id}"


class Verdict(models.Model):
    """What was decided about one build of one series; append-only, the newest counts."""

    class Kind(models.TextChoices):
        REGRESSED = "regressed"
        IMPROVED = "improved"
        SAME = "same"
        UNKNOWN = "unknown"

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="verdicts")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="verdicts")
    base = models.ForeignKey(Build, null=True, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="verdicts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    stage = models.CharField(max_length=12)  # screen, confirmation
    before = models.FloatField()
    after = models.FloatField()
    relative = models.FloatField()
    relative_low = models.FloatField(null=True)
    relative_high = models.FloatField(null=True)
    evidence = models.JSONField(default=dict)
    sentence = models.TextField()
    detector = models.CharField(max_length=60)
    parameters = models.JSONField(default=dict)
    data_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["series", "build", "-id"], name="verdict_newest")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"


class Incident(models.Model):
    """The regressions one build is accused of; what a person triages.

    The accused build is unique: two passes at once make one incident.  One of kind `service` may stand
    beside it, the breach of a service level, `level`: it has `standings` and no regressions, and accuses
    nobody.  `culprit` is the commit that a bisection found among those that were not measured.  An incident
    of kind `environment` accuses the machine or its toolchain, and nobody's commit.  A withdrawn one stays,
    with the reason; when it stands again that is another `opening`, which is told anew.

    `state` is `override`, a person's word, or what the data say (`incident_states.py`).  `original_build`
    and `original_start` are the range it was opened with, set once it was moved.  A merged incident stays,
    empty, and leads to the one that took its regressions.
    """

    class Kind(models.TextChoices):
        CODE = "code"
        ENVIRONMENT = "environment"
        SERVICE = "service"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="incidents")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="incidents")
    range_start = models.ForeignKey(
        Build, on_delete=models.CASCADE, related_name="+", help_text="the last build known to be good"
    )
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.CODE)
    level = models.CharField(max_length=400, blank=True, help_text="the key of a breached service level")
    culprit = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=15, default="untriaged")
    override = models.CharField(
        max_length=15, blank=True, help_text="a person's word; empty: as the data say"
    )
    assignee = models.CharField(max_length=254, blank=True, help_text="a user name or an e-mail address")
    note = models.TextField(blank=True)
    tags = models.JSONField(default=list)
    links = models.JSONField(default=list)
    due_on = models.DateField(null=True)
    original_build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    original_start = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    merged_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="merged")
    fixed_at = models.DateTimeField(null=True, help_text="when later builds had shown that it is mended")
    opened_at = models.DateTimeField(default=timezone.now)
    opening = models.PositiveSmallIntegerField(
        default=1, help_text="one more each time that it stands again after it was taken back"
    )
    reopened_at = models.DateTimeField(null=True, help_text="when it last stood again")
    told_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_reason = models.TextField(blank=True)
    facts = models.JSONField(default=dict, help_text="what else was found out about it, by topic")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["build"], condition=~models.Q(kind="service"), name="incident_once_per_build"
            ),
            models.UniqueConstraint(
                fields=["project", "level", "build"],
                condition=models.Q(kind="service"),
                name="breach_once_per_level_and_build",
            ),
        ]
        indexes = [models.Index(fields=["project", "state", "-opened_at"], name="incident_list")]

    def __str__(self) -> str:
        return f"incident {self.pk}: {self.build}"


class Regression(models.Model):
    """A change point that is significant and relevant, of one series, in one incident."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="regressions")
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="regressions")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="regressions")
    verdict = models.OneToOneField(Verdict, on_delete=models.PROTECT, related_name="regression")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "build"], name="regression_once"),
        ]

    def __str__(self) -> str:
        return f"regression of {self.series_id} at {self.build_id}"


class LevelStanding(models.Model):
    """How a series stands to a service level, as its newest build's report says; `bound` is that build's.

    `value` and `bound` are in the metric's unit.  `incident` is the open breach it belongs to.
    """

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="standings")
    level = models.CharField(max_length=400)
    direction = models.CharField(max_length=10)  # at_most, at_least
    bound = models.FloatField()
    value = models.FloatField()
    is_met = models.BooleanField()
    ordinal = models.PositiveIntegerField()
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="standings")
    incident = models.ForeignKey(Incident, null=True, on_delete=models.SET_NULL, related_name="standings")
    since = models.DateTimeField(default=timezone.now, help_text="since when it is met, or is not")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "level"], name="standing_once"),
        ]

    def __str__(self) -> str:
        return f"{self.level} of series {self.series_id}: {'met' if self.is_met else 'breached'}"


class IncidentEvent(models.Model):
    """What happened to an incident, in order; append-only.  `actor` is empty where the service did it."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150, blank=True)
    code = models.CharField(max_length=30)
    sentence = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["incident", "id"], name="event_by_incident")]

    def __str__(self) -> str:
        return self.sentence


class Bisection(models.Model):
    """The search for the guilty one among commits that were not measured, by one regression.

    `good` and `bad` close in on it: the newest commit shown to be good, the oldest shown to be bad.  `hint`
    is what an earlier search of the incident found: it is asked about first, and proves nothing here.
    """

    regression = models.OneToOneField(Regression, on_delete=models.CASCADE, related_name="bisection")
    good = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    bad = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    hint = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, default="running")  # running, found, range, stopped
    reason = models.TextField(blank=True, help_text="why it ended, for people")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"bisection {self.pk} ({self.state})"


class BisectionStep(models.Model):
    """One commit of a bisection, compared with the last good build; `verdict` is empty until it is known."""

    bisection = models.ForeignKey(Bisection, on_delete=models.CASCADE, related_name="steps")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="bisection_steps")
    verdict = models.CharField(max_length=10, blank=True)
    relative = models.FloatField(null=True)
    relative_low = models.FloatField(null=True)
    relative_high = models.FloatField(null=True)
    sentence = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bisection", "build"], name="bisection_step_once"),
        ]

    def __str__(self) -> str:
        return f"step {self.pk} of bisection {self.bisection_id}"


class Attribution(models.Model):
    """Where a verdict's change came from: `parts` add up to `total`, both in relative change.

    Each part is `{"cause", "relative", "low", "high", "sentence"}`; the last one is what is unexplained.
    """

    verdict = models.OneToOneField(Verdict, on_delete=models.CASCADE, related_name="attribution")
    total = models.FloatField()
    parts = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"attribution of verdict {self.verdict_id}"


class SelfTest(models.Model):
    """One metric of one comparison of a build with itself: any change it tells is false."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="self_tests")
    series = models.ForeignKey(Series, null=True, on_delete=models.SET_NULL, related_name="self_tests")
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="self_tests")
    metric = models.CharField(max_length=60)
    device_class = models.CharField(max_length=64)
    verdict = models.CharField(max_length=10)
    relative = models.FloatField()
    pairs = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "series"], name="self_test_once", condition=models.Q(series__isnull=False)
            ),
        ]
        indexes = [models.Index(fields=["project", "-created_at"], name="self_test_list")]

    def __str__(self) -> str:
        return f"self-test of {self.metric} in job {self.job_id}"


class RuleChange(models.Model):
    """The rule's parameters of a project from a moment on; append-only, the newest counts."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rule_changes")
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150, blank=True)
    parameters = models.JSONField(default=dict)
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="rule_newest")]

    def __str__(self) -> str:
        return f"rule of {self.project_id} since {self.at:%Y-%m-%d}"
