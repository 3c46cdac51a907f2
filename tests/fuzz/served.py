"""The same input through the whole site, middleware and database included: no answer may be 5xx."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from django.test import Client
from hypothesis import strategies as st

from perfsite.access.services import token_add
from perfsite.runs.services import project_add
from tests.factories import build_make, case_make, claim, job_make, worker_make
from tests.fuzz import right
from tests.fuzz.inputs import bodies
from tests.fuzz.targets import Target
from tests.webhooks.signing import SECRET, signed

_SLUG = "fuzz"
_EVENTS = {"github": "push", "gitlab": "Push Hook", "generic": ""}
_RIGHT = {"github": right.GITHUB, "gitlab": right.GITLAB, "generic": right.GENERIC}


class Served:
    """A project, a worker and its running attempt; a database must be there."""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False)
        self.project = project_add(slug=_SLUG, repo="https://forge.example/acme/fuzz.git", secret=SECRET)
        self.token = token_add(name="fuzz", purpose="worker")
        self._places = itertools.count(1)
        self._attempt: Any = None
        self._worker = worker_make("w1", right.DEVICE)

    def targets(self) -> dict[str, Target]:
        """A target for each forge and for each operation of workers."""
        hooks = {f"POST webhooks/{name}": self._hook(name) for name in _RIGHT}
        return hooks | {f"POST {path}": self._operation(path, docs) for path, docs in right.MESSAGES.items()}

    def _hook(self, forge: str) -> Target:
        def feed(body: bytes) -> str:
            headers = {
                "X-Hub-Signature-256": signed(body),
                "X-GitHub-Delivery": str(uuid.uuid4()),
                "X-GitHub-Event": _EVENTS["github"],
                "X-Gitlab-Token": SECRET,
                "X-Gitlab-Event": _EVENTS["gitlab"],
                "Idempotency-Key": str(uuid.uuid4()),
                "X-Perfsite-Signature-256": signed(body),
                "X-Perfsite-Delivery": str(uuid.uuid4()),
            }
            return self._posted(f"/webhooks/{forge}/{_SLUG}/", body, headers)

        return Target(bodies(_RIGHT[forge]), feed)

    def _operation(self, path: str, docs: list[Any]) -> Target:
        def feed(given: tuple[bytes, bool]) -> str:
            body, stale = given
            token = str(uuid.uuid4()) if stale else self._running()
            address = f"/api/v1/{path.replace('{token}', token)}"
            return self._posted(address, body, {"Authorization": f"Bearer {self.token}"})

        return Target(st.tuples(bodies(docs), st.integers(0, 9).map(lambda number: number == 0)), feed)

    def _running(self) -> str:
        """The token of an attempt that runs."""
        if self._attempt is not None:
            self._attempt.refresh_from_db(fields=["state"])
        if self._attempt is None or self._attempt.state != "running":
            job_make(build_make(self.project, next(self._places), branch="fuzzed"), case_make(model="m"))
            self._attempt = claim(self._worker)
        return str(self._attempt.token)

    def _posted(self, address: str, body: bytes, headers: dict[str, str]) -> str:
        answer = self.client.post(address, body, content_type="application/json", headers=headers)
        assert answer.status_code < 500, f"{address} answered {answer.status_code}: {answer.content[:300]!r}"
        assert b"Traceback" not in answer.content, f"{address} shows a traceback"
        return str(answer.status_code)
