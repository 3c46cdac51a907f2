"""Results on disk until the site has them: nothing measured is lost to an outage or a kill.

Every ended job is written here first and sent from here, so that sending now, later or after a
restart is the same path.  An entry is a folder named by its attempt's token; it is made under
another name and renamed, hence either whole or not there.

    <token>/entry.json      what it is: {"kind": "report" | "failure", "artifacts": [...]}
    <token>/body.json       the report or failure
    <token>/artifacts/*     the files of a report
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import structlog
from pydantic import BaseModel

from benchmarks.report import ArtifactRef, Report
from workers.client import Rejected, SiteClient, Superseded
from workers.messages import Failure

log = structlog.get_logger(__name__)

KEEP_S = 14 * 86400.0
"""After this long the site has surely given the job to another attempt."""


class Entry(BaseModel):
    """What an entry of the spool is."""

    kind: Literal["report", "failure"]
    artifacts: tuple[ArtifactRef, ...] = ()


class Spool:
    """The folder of results not yet delivered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # tokens are names here
        for half in folder.glob(".*"):
            shutil.rmtree(half)

    def pending(self) -> list[str]:
        """The tokens of the entries, the oldest first."""
        return [
            path.name for path in sorted(self._folder.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
        ]

    def report_save(self, token: str, report: Report, files: Mapping[str, Path]) -> None:
        """Keep a report and its files (by artifact name; they are moved here)."""
        entry = Entry(kind="report", artifacts=tuple(ref for ref in report.artifacts if ref.name in files))
        self._save(
            token, entry, report.model_dump_json(), {ref.name: files[ref.name] for ref in entry.artifacts}
        )

    def failure_save(self, token: str, failure: Failure) -> None:
        """Keep a failure."""
        self._save(token, Entry(kind="failure"), failure.model_dump_json(), {})

    def _save(self, token: str, entry: Entry, body: str, files: Mapping[str, Path]) -> None:
        half = self._folder / f".{token}"
        (half / "artifacts").mkdir(parents=True)
        for name, path in files.items():
            shutil.move(path, half / "artifacts" / name)
        (half / "body.json").write_text(body, encoding="utf-8")
        (half / "entry.json").write_text(entry.model_dump_json(), encoding="utf-8")
        os.replace(half, self._folder / token)  # noqa: PTH105 - Path.rename would say less: this is atomic

    def deliver_all(self, client: SiteClient) -> None:
        """Send every entry.

        Raises:
            Unreachable: the site is away; what is left stays for the next call.
            Refused: the site no longer takes this worker's token; the same.
        """
        for token in self.pending():
            self.deliver(client, token)

    def deliver(self, client: SiteClient, token: str) -> None:
        """Send one entry and forget it; a superseded or too old one is forgotten unsent.

        Raises:
            Unreachable: the site is away; the entry stays.
            Refused: the site no longer takes this worker's token; the entry stays.
        """
        folder = self._folder / token
        if time.time() - folder.stat().st_mtime > KEEP_S:
            log.warning("a result is dropped, it is too old", attempt=token)
        else:
            try:
                self._send(client, token, folder)
            except Superseded as answer:
                log.warning(
                    "a result is dropped, the attempt was superseded", attempt=token, answer=str(answer)
                )
            except Rejected as answer:
                log.warning("a result is dropped, the site rejects it", attempt=token, answer=str(answer))
        shutil.rmtree(folder)

    def _send(self, client: SiteClient, token: str, folder: Path) -> None:
        entry = Entry.model_validate_json((folder / "entry.json").read_bytes())
        body = (folder / "body.json").read_bytes()
        if entry.kind == "failure":
            client.failure(token, Failure.model_validate_json(body))
            return
        for ref in entry.artifacts:
            try:
                client.artifact_put(token, ref, folder / "artifacts" / ref.name)
            except Rejected as answer:
                log.warning(
                    "an artifact is not accepted", attempt=token, artifact=ref.name, answer=str(answer)
                )
        try:
            client.report(token, body)
        except Rejected as answer:
            sentence = f"the site does not accept the report: {answer}"
            client.failure(token, Failure(kind="protocol", message=sentence[:4000]))
