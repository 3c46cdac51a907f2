"""Finished pairs of comparisons on disk until the site has them, each attempt's in the order they were run.

    <token>/0003.json    the pair number 3 of the attempt with this token

A pair goes home before its attempt's report or failure, because after that the token writes nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

import structlog
from pydantic import ValidationError

from workers.client import Rejected, SiteClient, Superseded
from workers.files import written
from workers.messages import Pair

log = structlog.get_logger(__name__)


class PairSpool:
    """The folder of pairs not yet delivered; it is there while there are some."""

    def __init__(self, folder: Path, *, keep_s: float) -> None:
        self._folder = folder
        self._keep_s = keep_s

    def tokens(self) -> list[str]:
        """The attempts that have pairs here, the oldest first."""
        folders = self._folder.glob("*") if self._folder.is_dir() else ()
        return [path.name for path in sorted(folders, key=lambda path: path.stat().st_mtime)]

    def save(self, token: str, pair: Pair) -> None:
        """Keep a pair; once this returns, a kill of the worker or of the machine loses it no more."""
        folder = self._folder / token
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = folder / f".{pair.number:04}"
        written(half, pair.model_dump_json())
        os.replace(half, folder / f"{pair.number:04}.json")  # noqa: PTH105 - says that it is atomic

    def deliver(self, client: SiteClient, token: str) -> None:
        """Send the pairs of an attempt, in order, and forget each that has arrived.

        One that cannot be read or is rejected is forgotten, too: the report tells it once more.  Those of
        a superseded attempt are, as well.

        Raises:
            Unreachable: the site cannot take one now; it and those behind it stay.
            Refused: the site no longer takes this worker's token; the same.
        """
        folder = self._folder / token
        if not folder.is_dir():
            return
        if time.time() - folder.stat().st_mtime > self._keep_s:
            log.warning("pairs are dropped, they are too old", entry=token[:8])
            self.forget(token)
        for path in sorted(folder.glob("[0-9]*.json")):
            try:
                client.pair(token, Pair.model_validate_json(path.read_bytes()))
            except Superseded as answer:
                log.warning(
                    "pairs are dropped, the attempt was superseded", entry=token[:8], answer=str(answer)
                )
                break
            except (Rejected, OSError, ValidationError) as error:
                log.warning("a pair is dropped", entry=token[:8], pair=path.stem, reason=str(error))
            path.unlink(missing_ok=True)
        self.forget(token)

    def forget(self, token: str) -> None:
        """Remove the pairs of an attempt."""
        shutil.rmtree(self._folder / token, ignore_errors=True)
        with contextlib.suppress(OSError):  # another attempt's are in it, or it is gone already
            self._folder.rmdir()
