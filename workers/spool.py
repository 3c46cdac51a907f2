"""Results on disk until the site has them: nothing measured is lost to an outage or a kill.

Every ended job is written here first and sent from here, so that sending now, later or after a
restart is the same path.  An entry is a folder named by its attempt's token; it is made under
another name and renamed, hence either whole or not there.

    <token>/entry.json      what it is: {"kind": "report" | "failure", "artifacts": [...]}
    <token>/body.json       the report or failure
    <token>/artifacts/*     the files of a report
    damaged/<token>         an entry that cannot be read, kept for a person to look at
    pairs/<token>/*         finished pairs of a comparison (`pair_spool.py`), sent before their entry

An entry the site does not take now is put off, by itself, so that it holds up neither the others
nor the next job.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
from pydantic import BaseModel, ValidationError

from benchmarks.report import ArtifactRef, Report
from workers.client import Broken, Offline, Rejected, SiteClient, Superseded, Unreachable
from workers.files import written
from workers.messages import Failure, Pair
from workers.pair_spool import PairSpool

log = structlog.get_logger(__name__)

KEEP_S = 14 * 86400.0
"""After this long the site has surely given the job to another attempt."""
PAUSE_S = 5.0
LONGEST_PAUSE_S = 3600.0
BROKEN_TIMES = 5
"""So often may the site fail over the same entry before it is told that it cannot store it."""

_DAMAGED = "damaged"
_PAIRS = "pairs"


class Entry(BaseModel):
    """What an entry of the spool is."""

    kind: Literal["report", "failure"]
    artifacts: tuple[ArtifactRef, ...] = ()


@dataclass
class _Delay:
    """An entry's next try, on the monotonic clock, and what came of those before."""

    due: float = 0.0
    tries: int = 0
    broken: int = 0


class Spool:
    """The folder of results not yet delivered; an entry's first pause is `pause_s`, then it doubles."""

    def __init__(self, folder: Path, *, pause_s: float = PAUSE_S) -> None:
        self._folder = folder
        self._pause_s = pause_s
        self._delays: dict[str, _Delay] = {}
        self._pairs = PairSpool(folder / _PAIRS, keep_s=KEEP_S)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # tokens are names here
        for half in folder.glob(".*"):
            _remove(half)

    def pending(self) -> list[str]:
        """The tokens of the entries, the oldest first."""
        paths = [path for path in self._folder.glob("[!.]*") if path.name not in (_DAMAGED, _PAIRS)]
        return [path.name for path in sorted(paths, key=lambda path: path.stat().st_mtime)]

    @property
    def waiting(self) -> list[str]:
        """The tokens of the attempts that something is left of: an entry, or pairs without one."""
        return list(dict.fromkeys([*self._pairs.tokens(), *self.pending()]))

    def rest_s(self) -> float:
        """Seconds until something is due, infinite when there is nothing."""
        now = time.monotonic()
        return min((max(0.0, self._due(token) - now) for token in self.waiting), default=float("inf"))

    def pair_save(self, token: str, pair: Pair) -> None:
        """Keep a finished pair."""
        self._pairs.save(token, pair)

    def pairs_deliver(self, client: SiteClient, token: str) -> None:
        """Send the pairs of an attempt that runs, as far as the site takes them; the others stay.

        Raises:
            Refused: the site no longer takes this worker's token; the pairs stay.
        """
        try:
            self._pairs.deliver(client, token)
        except Unreachable as answer:
            log.info("a pair waits in the spool", entry=token[:8], reason=str(answer))

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
        _remove(half)  # from a try that the disk had no room for
        (half / "artifacts").mkdir(parents=True)
        for name, path in files.items():
            shutil.move(path, half / "artifacts" / name)
        written(half / "body.json", body)
        written(half / "entry.json", entry.model_dump_json())
        os.replace(half, self._folder / token)  # noqa: PTH105 - Path.rename would say less: this is atomic

    def deliver_all(self, client: SiteClient) -> None:
        """Send what is due: entries, and the pairs of attempts without one, whose worker was killed.

        Raises:
            Offline: the site as a whole is away; what is left stays for the next call.
            Refused: the site no longer takes this worker's token; the same.
        """
        entries = set(self.pending())
        for token in self.waiting:
            if self._due(token) > time.monotonic():
                continue
            if token in entries:
                self.deliver(client, token)
            else:
                self._pairs_only_deliver(client, token)

    def _pairs_only_deliver(self, client: SiteClient, token: str) -> None:
        try:
            self._pairs.deliver(client, token)
        except Offline:
            raise
        except Unreachable as answer:
            self._put_off(token, answer)

    def deliver(self, client: SiteClient, token: str) -> None:
        """Send one entry and forget it; a superseded or too old one is forgotten unsent.

        One the site cannot take now stays and is put off; one that cannot be read is set aside.

        Raises:
            Offline: the site as a whole is away; the entry stays.
            Refused: the site no longer takes this worker's token; the entry stays.
        """
        folder = self._folder / token
        if time.time() - folder.stat().st_mtime > KEEP_S:
            log.warning("a result is dropped, it is too old", entry=token[:8])
        else:
            try:
                self._send_or_give_up(client, token, folder)
            except Offline:
                raise
            except Unreachable as answer:
                self._put_off(token, answer)
                return
            except (OSError, ValidationError) as error:
                self._set_aside(token, error)
                return
            except Superseded as answer:
                log.warning(
                    "a result is dropped, the attempt was superseded", entry=token[:8], answer=str(answer)
                )
            except Rejected as answer:
                log.warning("a result is dropped, the site rejects it", entry=token[:8], answer=str(answer))
        shutil.rmtree(folder)
        self._pairs.forget(token)
        self._delays.pop(token, None)

    def _due(self, token: str) -> float:
        return self._delays.get(token, _Delay()).due

    def _put_off(self, token: str, answer: Unreachable) -> None:
        delay = self._delays.setdefault(token, _Delay())
        pause = min(self._pause_s * 2**delay.tries, LONGEST_PAUSE_S)
        delay.due, delay.tries = time.monotonic() + pause, delay.tries + 1
        log.warning("a result is put off", entry=token[:8], seconds=pause, answer=str(answer))

    def _set_aside(self, token: str, error: Exception) -> None:
        aside = self._folder / _DAMAGED / token
        aside.parent.mkdir(exist_ok=True)
        _remove(aside)
        (self._folder / token).rename(aside)
        self._delays.pop(token, None)
        log.error(
            "a result cannot be read and is set aside", entry=token[:8], path=str(aside), error=str(error)
        )

    def _send_or_give_up(self, client: SiteClient, token: str, folder: Path) -> None:
        """Send the entry; when the site has failed over it too often, tell it that instead."""
        try:
            self._send(client, token, folder)
        except Broken as answer:
            delay = self._delays.setdefault(token, _Delay())
            delay.broken += 1
            if delay.broken < BROKEN_TIMES:
                raise
            sentence = f"the site could not store the result in {delay.broken} tries; it answered: {answer}"
            client.failure(token, Failure(kind="protocol", message=sentence[:4000]))
            log.warning("a result is dropped, the site cannot store it", entry=token[:8], answer=str(answer))

    def _pairs_first(self, client: SiteClient, token: str) -> None:
        """Send the pairs ahead of what ends their attempt.

        One that the site fails over holds no report up, which tells the same once more.
        """
        try:
            self._pairs.deliver(client, token)
        except Broken as answer:
            log.warning("pairs are dropped, the site cannot store them", entry=token[:8], answer=str(answer))
            self._pairs.forget(token)

    def _send(self, client: SiteClient, token: str, folder: Path) -> None:
        self._pairs_first(client, token)
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
                    "an artifact is not accepted", entry=token[:8], artifact=ref.name, answer=str(answer)
                )
        try:
            client.report(token, body)
        except Rejected as answer:
            sentence = f"the site does not accept the report: {answer}"
            client.failure(token, Failure(kind="protocol", message=sentence[:4000]))


def _remove(path: Path) -> None:
    """Remove a folder or file, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
