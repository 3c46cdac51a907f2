"""Projects, their builds, and the work: runs, jobs, attempts, workers."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


def _secret() -> str:
    return secrets.token_hex(32)


class Project(models.Model):
    """A watched repository with its rules."""

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    repo = models.CharField(max_length=500, help_text="a URL or a path git can fetch from")
    branch = models.CharField(max_length=200, default="main")
    # the HMAC needs the secret itself: a hash cannot check a signature
    webhook_secret = models.CharField(max_length=200, default=_secret)
    is_public = models.BooleanField(default=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    owner_email = models.EmailField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.slug

    @property
    def forge_name(self) -> str:
        """`owner/name` as the forge calls the repository: the last two parts of its URL or path."""
        parts = self.repo.rstrip("/").removesuffix(".git").replace(":", "/").split("/")
        return "/".join(parts[-2:])


class Build(models.Model):
    """One version under test: a commit on a branch; knows its parents and its place on the branch.

    `ordinal` is the number of commits on the first-parent line up to and with this one; a build
    that is not on that line (a merged side branch, a commit a force-push removed) has none.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="builds")
    branch = models.CharField(max_length=200)
    sha = models.CharField(max_length=64)
    parents = models.JSONField(default=list)
    ordinal = models.PositiveIntegerField(null=True)
    subject = models.CharField(max_length=300, blank=True)
    author_name = models.CharField(max_length=200, blank=True)
    author_email = models.CharField(max_length=254, blank=True)
    committed_at = models.DateTimeField(null=True)
    is_head = models.BooleanField(default=False, help_text="the newest commit of the push that brought it")
    state = models.CharField(max_length=12, default="received")
    reason = models.TextField(blank=True, help_text="why it was skipped or failed, for people")
    plan_tries = models.PositiveSmallIntegerField(default=0)
    plan_due_at = models.DateTimeField(default=timezone.now)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "branch", "sha"], name="build_once_per_branch"),
            models.UniqueConstraint(fields=["project", "branch", "ordinal"], name="build_one_per_place"),
        ]
        indexes = [
            models.Index(fields=["state", "received_at"], name="build_by_state"),
            models.Index(fields=["project", "sha"], name="build_by_sha"),
        ]

    def __str__(self) -> str:
        return f"{self.project_id}:{self.sha[:7]}"

    @property
    def short(self) -> str:
        """The commit as people see it: seven characters."""
        return self.sha[:7]


class BuildFile(models.Model):
    """What makes a build one of a delivered file: where a worker fetches it; its digest is the build's `sha`.

    `rules` is what the delivery asked for: `measure`, `devices`, `limits`, `level`.
    """

    build = models.OneToOneField(Build, primary_key=True, on_delete=models.CASCADE, related_name="file")
    url = models.CharField(max_length=2000)
    size = models.PositiveBigIntegerField(null=True, help_text="bytes, when the sender said")
    format = models.CharField(max_length=10)  # onnx, engine
    model = models.CharField(max_length=100)
    rules = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.format} file of build {self.build_id}"


class Run(models.Model):
    """One build measured on one device class: a group of jobs."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="runs")
    device_class = models.CharField(max_length=64)
    state = models.CharField(max_length=12, default="queued")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["build", "device_class"], name="run_once_per_class"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} on {self.device_class}"


class Job(models.Model):
    """The unit of queue work, one lease of one device.  `spec` is the order without its attempt."""

    class Kind(models.TextChoices):
        MEASURE = "measure"
        COMPARE = "compare"
        SOAK = "soak"
        PROFILE = "profile"
        EXTERNAL = "external"  # nobody's order: results that were measured elsewhere

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.MEASURE)
    device_class = models.CharField(max_length=64)
    pin = models.CharField(max_length=100, blank=True, help_text="the only device uuid that may take it")
    model = models.CharField(max_length=100)
    precision = models.CharField(max_length=20)
    spec = models.JSONField()
    priority = models.SmallIntegerField(default=0, help_text="a larger number goes first")
    state = models.CharField(max_length=12, default="queued")
    tries = models.PositiveSmallIntegerField(default=0)
    failure_kind = models.CharField(max_length=20, blank=True)
    failure = models.TextField(blank=True)
    log = models.TextField(blank=True, help_text="the tail of the last attempt's log")
    progress = models.JSONField(default=dict)
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # the claim: the best queued job of a class, and nothing else is read
            models.Index(
                fields=["device_class", "-priority", "id"],
                name="job_claim",
                condition=models.Q(state="queued"),
            ),
            models.Index(fields=["state"], name="job_by_state"),
        ]

    def __str__(self) -> str:
        return f"job {self.pk} ({self.kind} {self.model}/{self.precision})"


class Worker(models.Model):
    """A process that measures on one device; it introduced itself and says that it lives."""

    name = models.CharField(max_length=100, unique=True)
    device_class = models.CharField(max_length=64)
    device_name = models.CharField(max_length=200)
    device_uuid = models.CharField(max_length=100)
    facts = models.JSONField(default=dict)
    telemetry = models.JSONField(default=dict)
    token = models.ForeignKey(
        "access.Token",
        null=True,
        on_delete=models.SET_NULL,
        related_name="workers",
        help_text="the only one that may speak for it, while it lives",
    )
    first_seen = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Attempt(models.Model):
    """One try of a job by one worker; its token is the fence, a superseded token writes nothing."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="attempts")
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    state = models.CharField(max_length=12, default="running")
    reason = models.TextField(blank=True)
    exit_code = models.IntegerField(null=True)
    claimed_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    lease_expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="attempt_number_once"),
            # the database itself refuses a second live attempt of a job
            models.UniqueConstraint(
                fields=["job"], condition=models.Q(state="running"), name="attempt_one_alive"
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_expires_at"],
                name="attempt_by_lease",
                condition=models.Q(state="running"),
            ),
            models.Index(
                fields=["worker"],
                name="attempt_of_worker",
                condition=models.Q(state="running"),
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of job {self.job_id}"


class Pair(models.Model):
    """One finished pair of a comparison, kept as soon as it was run: a killed worker loses none.

    `values` has a row `[case index, metric, a, b]` per metric; pairs of another device do not count.  A row
    without a case index holds the builds' digests, or a case that was disturbed, of which the pair does not.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="pairs")
    number = models.PositiveSmallIntegerField()
    device_uuid = models.CharField(max_length=100)
    values = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="pair_once"),
        ]

    def __str__(self) -> str:
        return f"pair {self.number} of job {self.job_id}"


class Schedule(models.Model):
    """What a project measures by the clock: at a local time of some weekdays, Monday is 0.

    `due_at` is when it is due next; `minutes_per_day` bounds the device time of its jobs in a local day.
    """

    class What(models.TextChoices):
        FULL = "full", "every model that the newest build was not measured with"
        SOAK = "soak", "the soaks of the newest build"
        CANARY = "canary", "the canary alone: is the device well?"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="schedules")
    name = models.CharField(max_length=60)
    what = models.CharField(max_length=10, choices=What.choices)
    at = models.TimeField()
    days = models.JSONField(help_text="weekdays, Monday is 0")
    time_zone = models.CharField(max_length=60, default="UTC")
    device_class = models.CharField(max_length=64, blank=True, help_text="empty: those of perfsite.toml")
    minutes_per_day = models.FloatField(default=120.0)
    is_active = models.BooleanField(default=True)
    due_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="schedule_name_once"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="schedule_due", condition=models.Q(is_active=True)),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.project_id}"


class ScheduleTurn(models.Model):
    """One time that a schedule was due, caught up late or in time."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="turns")
    due_at = models.DateTimeField()
    begun_at = models.DateTimeField(default=timezone.now)
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, default="open")  # open, ended
    reason = models.TextField(blank=True, help_text="why it waits or ended, for people")
    wanted = models.PositiveIntegerField(default=0, help_text="jobs in all")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="turn_once"),
        ]
        indexes = [
            models.Index(fields=["id"], name="turn_open", condition=models.Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"turn of schedule {self.schedule_id} at {self.due_at:%Y-%m-%d %H:%M}"


class ScheduledJob(models.Model):
    """A job that a turn queued; `place` tells which of the turn's it is, so that none is queued twice."""

    turn = models.ForeignKey(ScheduleTurn, on_delete=models.CASCADE, related_name="jobs")
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="scheduled")
    place = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["turn", "place"], name="scheduled_once"),
        ]

    def __str__(self) -> str:
        return f"job {self.job_id} of turn {self.turn_id}"


class SiteStart(models.Model):
    """When the site last came up: leases expire only after it was up for a full term."""

    started_at = models.DateTimeField(default=timezone.now)
    swept_at = models.DateTimeField(null=True)
