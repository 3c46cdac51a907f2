"""A backup: one tar file with the database, the stored files, and a manifest of digests.

The database is copied first, as of one moment; files are named by their digest and never change, so all
that the copy names are there when they are copied after it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from perfsite.core.errors import PerfsiteError
from perfsite.runs.models import Project

FORMAT = 1
MANIFEST = "manifest.json"
_DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}
_FILES = "artifacts/"


def backup_write(*, target: Path) -> dict[str, Any]:
    """Write a backup to `target`; returns its manifest.

    Raises:
        PerfsiteError: the target exists, or the database's own tool is missing or fails.
    """
    if target.exists():
        raise PerfsiteError(f"{target} exists already; a backup is never written over another one")
    half = target.with_name(f".{target.name}.half")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        name = _DATABASES[connection.vendor]
        _database_copy(Path(folder) / name)
        digests: dict[str, str] = {}
        with tarfile.open(half, "w") as archive:
            for path, inside in [(Path(folder) / name, name), *_stored()]:
                digests[inside] = _digest(path)
                archive.add(path, inside, recursive=False)
            manifest = {
                "format": FORMAT,
                "made_at": timezone.now().isoformat(),
                "vendor": connection.vendor,
                "migrations": sorted(map("/".join, MigrationRecorder(connection).applied_migrations())),
                "sha256": digests,
            }
            _text_add(archive, MANIFEST, json.dumps(manifest))
    half.rename(target)
    return manifest


def backup_restore(*, source: Path, force: bool = False) -> dict[str, Any]:
    """Put a backup in the place of this site's database and files; returns its manifest.

    Every digest is checked before anything is replaced.  The site, its schedule must not run meanwhile.

    Raises:
        PerfsiteError: the archive is damaged or of another database; or this site has projects and
            `force` was not given.
    """
    with tempfile.TemporaryDirectory(dir=_data_folder()) as folder:
        manifest = _unpacked(source, Path(folder))
        if manifest["vendor"] != connection.vendor:
            raise PerfsiteError(
                f"the backup is of {manifest['vendor']}, this site's database is {connection.vendor}; "
                "set DATABASE_URL to one of the same kind"
            )
        if not force and _has_projects():
            raise PerfsiteError("this site has projects, which a restore would replace; say --force")
        _database_replace(Path(folder) / _DATABASES[connection.vendor])
        for path in sorted((Path(folder) / _FILES).rglob("*")):
            if path.is_file():
                place = Path(settings.MEDIA_ROOT) / path.relative_to(Path(folder) / _FILES)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, place)
    return manifest


def _data_folder() -> Path:
    settings.DATA.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings.DATA


def _has_projects() -> bool:
    return Project._meta.db_table in connection.introspection.table_names() and Project.objects.exists()


def _stored() -> Iterator[tuple[Path, str]]:
    root = Path(settings.MEDIA_ROOT)
    for path in sorted(root.rglob("*")) if root.exists() else ():
        if path.is_file():
            yield path, _FILES + path.relative_to(root).as_posix()


def _database_copy(target: Path) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(target)])
        return
    _tool("pg_dump", "--format=custom", "--no-owner", f"--file={target}")


def _database_replace(source: Path) -> None:
    if connection.vendor == "sqlite":
        place = Path(str(connection.settings_dict["NAME"]))
        connection.close()
        for suffix in ("-wal", "-shm"):
            place.with_name(place.name + suffix).unlink(missing_ok=True)
        shutil.move(source, place)
        return
    connection.close()
    _tool("pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", str(source))


def _tool(name: str, *arguments: str) -> None:
    """Run a tool of PostgreSQL on the site's database; the password goes by the environment."""
    given = connection.settings_dict
    where = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    told = {variable: str(given[key]) for variable, key in where.items() if given.get(key)}
    database = [f"--dbname={given['NAME']}"]
    try:
        done = subprocess.run([name, *database, *arguments], env={**os.environ, **told},
                              capture_output=True, text=True, check=False)  # fmt: skip
    except FileNotFoundError:
        raise PerfsiteError(f"{name} is not installed here; install PostgreSQL's client tools") from None
    if done.returncode:
        raise PerfsiteError(f"{name} failed: {done.stderr.strip()[-1000:]}")


def _unpacked(source: Path, folder: Path) -> dict[str, Any]:
    try:
        with tarfile.open(source) as archive:
            archive.extractall(folder, filter="data")  # no path may leave the folder
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, tarfile.TarError, ValueError) as error:
        raise PerfsiteError(f"{source} is no whole backup: {error}") from None
    if manifest.get("format") != FORMAT:
        told = manifest.get("format")
        raise PerfsiteError(f"{source} is a backup of format {told}; this site reads {FORMAT}")
    for name, sha256 in manifest["sha256"].items():
        if not (folder / name).is_file() or _digest(folder / name) != sha256:
            raise PerfsiteError(f"{source} is damaged: {name} is not as it was written; take another backup")
    return manifest


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _text_add(archive: tarfile.TarFile, name: str, text: str) -> None:
    info = tarfile.TarInfo(name)
    content: IO[bytes] = io.BytesIO(text.encode())
    info.size = len(text.encode())
    archive.addfile(info, content)
