"""Retention that spares open incidents, files that are checked, and a backup that comes back."""

import sqlite3
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from perfsite.core.errors import PerfsiteError
from perfsite.keeping.backup import MANIFEST, backup_restore, backup_write
from perfsite.keeping.models import Check, Term
from perfsite.keeping.retention import retention_apply
from perfsite.keeping.scrub import artifacts_scrub
from perfsite.regressions.models import Incident, LevelStanding
from perfsite.results.artifacts import artifact_store
from perfsite.results.models import Artifact, Measurement
from perfsite.runs.models import Build, Job, Project
from tests.dashboards.conftest import world  # noqa: F401 - the fixture


@pytest.fixture(autouse=True)
def stored(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "artifacts"
    settings.DATA = tmp_path
    return tmp_path / "artifacts"


def age(days: int) -> None:
    """As if everything had come so many days ago."""
    then = timezone.now() - timedelta(days=days)
    Artifact.objects.update(stored_at=then)
    Build.objects.update(received_at=then)


def builds_with_files() -> list[int]:
    return sorted(Artifact.objects.values_list("job__run__build__ordinal", flat=True))


def test_raw_samples_go_after_their_term_but_not_what_an_open_incident_needs(world):  # noqa: F811
    assert builds_with_files() == [1, 2, 3, 4, 5, 6, 7, 8]
    age(89)
    assert retention_apply().artifacts == 0
    age(91)
    assert retention_apply().artifacts == 6
    assert builds_with_files() == [5, 6]  # the last good build and the accused one
    Incident.objects.update(state="refuted")
    assert retention_apply().artifacts == 2
    assert Measurement.objects.count() == 16  # points stay for ever
    assert Incident.objects.count() == 1


def test_points_go_only_where_a_project_says_so(world):  # noqa: F811
    Term.objects.create(project=world.project, raw_days=None, point_days=365)
    age(400)
    assert (retention_apply().points, Artifact.objects.count()) == (6, 8)
    kept = Measurement.objects.filter(series=world.series).count()
    assert kept == 8  # the series of the open incident, whole


def test_what_an_open_breach_of_a_service_level_needs_is_kept(world):  # noqa: F811
    """The breach began at build 2 and build 4 breaches now; its series has no regression."""
    Incident.objects.update(state="refuted")
    second, now = (Build.objects.get(ordinal=ordinal) for ordinal in (2, 4))
    breach = Incident.objects.create(
        project=world.project, kind="service", state="untriaged", build=second, range_start=second
    )
    series = Measurement.objects.exclude(series=world.series).first().series
    LevelStanding.objects.create(
        series=series,
        level="latency_p99 at_most 0.08",
        direction="at_most",
        bound=0.08,
        value=0.09,
        is_met=False,
        ordinal=4,
        build=now,
        job=world.jobs[3],
        incident=breach,
    )
    Term.objects.create(project=world.project, raw_days=90, point_days=365)
    points = Measurement.objects.filter(series=series).count()
    age(400)
    retention_apply()
    assert builds_with_files() == [2, 4]
    assert Measurement.objects.filter(series=series).count() == points > 2
    breach.state = "refuted"
    breach.save()
    retention_apply()
    assert builds_with_files() == []
    assert not Measurement.objects.filter(series=series).exists()


def test_a_file_goes_a_day_after_the_last_row_that_named_it(world, stored, monkeypatch):  # noqa: F811
    files = [path for path in stored.rglob("*") if path.is_file()]
    first = Artifact.objects.get(job=world.jobs[0])
    Artifact.objects.filter(file=first.file.name).delete()  # equal reports share their file
    assert retention_apply().files == 0  # it may be about to be named
    monkeypatch.setattr("perfsite.keeping.retention._ORPHAN_AGE", timedelta(0))
    assert retention_apply().files == 1
    assert len([path for path in stored.rglob("*") if path.is_file()]) == len(files) - 1
    assert all(default_storage.exists(one.file.name) for one in Artifact.objects.all())


def test_scrubbing_finds_what_is_broken_and_begins_with_the_unchecked(world, stored):  # noqa: F811
    flipped = Artifact.objects.get(job=world.jobs[0])
    attempt = world.jobs[0].attempts.get()
    artifact_store(attempt=attempt, name="job.txt", kind="log", content=ContentFile(b"lines"))
    gone = Artifact.objects.get(name="job.txt")
    assert artifacts_scrub() == []
    path = stored / flipped.file.name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (stored / gone.file.name).unlink()
    bad = Artifact.objects.filter(file__in=[flipped.file.name, gone.file.name])
    assert set(artifacts_scrub()) == set(bad)
    assert "gone" in Check.objects.get(artifact=gone).problem
    first = Check.objects.order_by("at").first()
    artifacts_scrub(most=1)
    assert Check.objects.get(pk=first.pk).at > first.at  # the longest unchecked one


@pytest.mark.django_db(transaction=True)
def test_a_backup_comes_back_whole(world, stored, tmp_path, monkeypatch):  # noqa: F811
    backup = tmp_path / "backup.tar"
    manifest = backup_write(target=backup)
    assert len(manifest["sha256"]) == 1 + Artifact.objects.values("file").distinct().count()
    with pytest.raises(PerfsiteError, match="has projects"):
        backup_restore(source=backup)
    with pytest.raises(PerfsiteError, match="exists already"):
        backup_write(target=backup)
    contents = {path.name: path.read_bytes() for path in stored.rglob("*") if path.is_file()}
    for path in stored.rglob("*"):
        if path.is_file():
            path.unlink()
    kept = {model: model.objects.count() for model in (Job, Measurement, Incident, Artifact)}
    assert _counts_restored(backup, kept, tmp_path / "restored.sqlite3", monkeypatch) == kept
    assert all(kept.values())
    assert {path.name: path.read_bytes() for path in stored.rglob("*") if path.is_file()} == contents


def _counts_restored(backup, models, place, monkeypatch):
    """Restore the backup; the rows of each model that its database has then."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {Project._meta.db_table} CASCADE")
        assert not Job.objects.exists()
        backup_restore(source=backup, force=True)
        return {model: model.objects.count() for model in models}
    monkeypatch.setitem(connection.settings_dict, "NAME", str(place))
    monkeypatch.setattr(connection, "close", lambda: None)  # the tests' own lives in memory
    backup_restore(source=backup, force=True)
    with sqlite3.connect(place) as restored:
        return {
            model: restored.execute(f"SELECT count(*) FROM {model._meta.db_table}").fetchone()[0]
            for model in models
        }


@pytest.mark.django_db(transaction=True)
def test_a_damaged_backup_replaces_nothing(world, stored, tmp_path):  # noqa: F811
    backup = tmp_path / "backup.tar"
    backup_write(target=backup)
    folder = tmp_path / "unpacked"
    with tarfile.open(backup) as archive:
        archive.extractall(folder, filter="data")
    victim = next(path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST)
    victim.write_bytes(b"\0")
    damaged = tmp_path / "damaged.tar"
    with tarfile.open(damaged, "w") as archive:
        archive.add(folder, ".")
    with pytest.raises(PerfsiteError, match="is damaged"):
        backup_restore(source=damaged, force=True)
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(PerfsiteError, match="no whole backup"):
        backup_restore(source=Path(tmp_path / "text.tar"), force=True)
    assert Artifact.objects.count() == 8
