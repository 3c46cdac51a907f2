"""Our own payload, for forges without a row here and for scripts: one commit or one artifact.  Pure.

`{"kind": "commit", "ref", "sha", "parents", "message", "author", "timestamp"}`, or
`{"kind": "artifact", "ref", "model", "url", "sha256", "format", "size", "rules", ...}`; `ref` may be a
branch's bare name, `author` a text such as `Ada <ada@example.org>` or an object with `name` and `email`.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parseaddr
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from perfsite.core.errors import ConfigError
from perfsite.runs.commits import Commit
from perfsite.runs.config_rows import model_name
from perfsite.runs.file_told import FileFormat, FileTold, file_config, url_checked
from perfsite.webhooks.payloads.events import (
    Deletion,
    FileDelivered,
    Ignored,
    Payload,
    PayloadError,
    Ping,
    Push,
    no_branch,
)
from perfsite.webhooks.payloads.fields import (
    Address,
    Link,
    Message,
    Name,
    Sha,
    Shape,
    When,
    branch_of,
    is_zero,
    json_read,
    shape_read,
    text_mend,
)


class _Person(Shape):
    name: Name = ""
    email: Address = ""


def _person(value: object) -> object:
    if value is None:
        return {}
    if not isinstance(value, str):
        return value
    name, email = parseaddr(text_mend(value)[:500])
    return {"name": name, "email": email} if "@" in email else {"name": value}


class _Commit(Shape):
    ref: str
    sha: Sha
    parents: Annotated[tuple[Sha, ...], Field(max_length=100)] = ()
    message: Message = ""
    author: Annotated[_Person, BeforeValidator(_person)] = _Person()
    timestamp: When = None
    deleted: bool = False
    repository: Link = ""


class _Artifact(Shape):
    ref: str
    url: Annotated[str, AfterValidator(url_checked)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
    format: FileFormat = "onnx"
    model: Annotated[str, AfterValidator(model_name)]
    size: Annotated[int, Field(ge=1, le=2**62)] | None = None
    rules: dict[str, Any] = {}
    message: Message = ""
    author: Annotated[_Person, BeforeValidator(_person)] = _Person()
    timestamp: When = None
    repository: Link = ""


def generic_parse(headers: Mapping[str, str], body: bytes) -> Payload:
    """Read one generic delivery; its content type does not matter.

    Raises:
        PayloadError: it cannot be understood.
    """
    value = json_read(body)
    kind = value.get("kind")
    if not isinstance(kind, str) or not kind:
        raise PayloadError('kind: should be "commit", "artifact" or "ping"')
    event = text_mend(kind)[:60]
    if kind == "commit":
        shape = shape_read(_Commit, value)
        return Payload(event, _action(shape), (shape.repository,) if shape.repository else ())
    if kind == "ping":
        return Payload(event, Ping())
    if kind == "artifact":
        artifact = shape_read(_Artifact, value)
        return Payload(event, _file(artifact), (artifact.repository,) if artifact.repository else ())
    return Payload(event, Ignored(f"kind {event!r} is not known; known: commit, artifact, ping"))


def _file(shape: _Artifact) -> FileDelivered | Ignored:
    branch = branch_of(shape.ref)
    if branch is None:
        return no_branch(shape.ref)
    try:
        file_config(model=shape.model, rules=shape.rules)
    except ConfigError as error:
        raise PayloadError(f"rules.{error}") from None
    told = FileTold(
        url=shape.url,
        sha256=shape.sha256.lower(),
        format=shape.format,
        model=shape.model,
        size=shape.size,
        rules=shape.rules,
        subject=shape.message,
        author_name=shape.author.name,
        author_email=shape.author.email,
        made_at=shape.timestamp,
    )
    return FileDelivered(branch, told)


def _action(shape: _Commit) -> Push | Deletion | Ignored:
    branch = branch_of(shape.ref)
    if branch is None:
        return no_branch(shape.ref)
    if shape.deleted or is_zero(shape.sha):
        return Deletion(branch)
    commit = Commit(
        sha=shape.sha,
        subject=shape.message,
        author_name=shape.author.name,
        author_email=shape.author.email,
        committed_at=shape.timestamp,
        parents=shape.parents,
    )
    return Push(branch, (commit,), commit.sha)
