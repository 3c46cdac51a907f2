"""A caller of the API with one token: what is sent and answered is JSON."""

import json
from typing import Any

from django.test import Client

from perfsite.access.services import token_add


class Caller:
    """`post("/projects/zoo/...", body)` gives (status, answer)."""

    def __init__(self, purpose: str, *, project_id: int | None = None) -> None:
        secret = token_add(name=f"caller {purpose}", purpose=purpose, project_id=project_id)
        self.client = Client(headers={"Authorization": f"Bearer {secret}"})

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        answer = self.client.get(f"/api/v1{path}", query)
        return answer.status_code, answer.json()

    def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        return self._send("post", path, body)

    def put(self, path: str, body: Any = None) -> tuple[int, Any]:
        return self._send("put", path, body)

    def patch(self, path: str, body: Any = None) -> tuple[int, Any]:
        return self._send("patch", path, body)

    def delete(self, path: str) -> tuple[int, Any]:
        return self._send("delete", path, None)

    def _send(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        sent = json.dumps({} if body is None else body)
        answer = getattr(self.client, method)(f"/api/v1{path}", sent, content_type="application/json")
        return answer.status_code, json.loads(answer.content) if answer.content else None
