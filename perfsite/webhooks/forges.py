"""The forges that may deliver: one row each.  Pure.

A new forge is one file in `payloads/` with its parser, and one row here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from perfsite.webhooks.payloads.events import Payload
from perfsite.webhooks.payloads.generic import generic_parse
from perfsite.webhooks.payloads.github import github_parse
from perfsite.webhooks.payloads.gitlab import gitlab_parse
from perfsite.webhooks.signature import signature_matches, token_matches


class Verify(Protocol):
    """Whether a header proves that the body is from who knows the secret; in constant time."""

    def __call__(self, *, secret: str, body: bytes, header: str) -> bool:
        """True when it does; a missing header is the empty text."""


@dataclass(frozen=True)
class Forge:
    """How one forge signs, numbers and shapes its deliveries; of its ids the first that is sent counts."""

    signature_header: str
    delivery_headers: tuple[str, ...]
    parse: Callable[[Mapping[str, str], bytes], Payload]
    verify: Verify = signature_matches


FORGES: dict[str, Forge] = {
    "github": Forge("X-Hub-Signature-256", ("X-GitHub-Delivery",), github_parse),
    # the key is the same when GitLab tries again; releases before 17.4 send the event's id alone
    "gitlab": Forge(
        "X-Gitlab-Token", ("Idempotency-Key", "X-Gitlab-Event-UUID"), gitlab_parse, verify=token_matches
    ),
    "generic": Forge("X-Perfsite-Signature-256", ("X-Perfsite-Delivery",), generic_parse),
}
