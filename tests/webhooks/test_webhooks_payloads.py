"""Payloads of every forge, read without a database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfsite.runs.commits import Commit
from perfsite.webhooks.forges import FORGES
from perfsite.webhooks.payloads.events import Deletion, Ignored, Payload, PayloadError, Ping, Push
from perfsite.webhooks.payloads.fields import branch_of
from perfsite.webhooks.repository import repository_matches

A, B, C, ZERO = "a" * 40, "b" * 40, "c" * 64, "0" * 40


def commit(sha: str, **more: Any) -> dict[str, Any]:
    author = {"name": "Ada", "email": "ada@example.org", "username": "ada"}
    return {
        "id": sha,
        "message": "one\n\ntwo",
        "timestamp": "2026-11-21T10:00:00+02:00",
        "author": author,
        **more,
    }


def push(**more: Any) -> dict[str, Any]:
    return {
        "ref": "refs/heads/main", "before": ZERO, "after": B, "deleted": False,
        "commits": [commit(A), commit(B)], "head_commit": commit(B),
        "repository": {"full_name": "acme/vision", "clone_url": "https://github.com/acme/vision.git"}, **more,
    }  # fmt: skip


def github(payload: Any, event: str = "push", kind: str = "application/json") -> Payload:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return FORGES["github"].parse({"X-GitHub-Event": event, "Content-Type": kind}, body)


def generic(payload: Any) -> Payload:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return FORGES["generic"].parse({}, body)


def test_a_push_lists_its_commits_oldest_first():
    when = datetime(2026, 11, 21, 8, tzinfo=UTC)
    assert github(push()) == Payload(
        "push",
        Push("main", tuple(Commit(sha, "one", "Ada", "ada@example.org", when) for sha in (A, B)), B),
        ("acme/vision", "https://github.com/acme/vision.git"),
    )


def test_a_form_is_read_as_well():
    form = urlencode({"payload": json.dumps(push(commits=[commit(B, message="50 % more & + ü")]))}).encode()
    action = github(form, kind="application/x-www-form-urlencoded; charset=utf-8").action
    assert isinstance(action, Push)
    assert [item.subject for item in action.commits] == ["50 % more & + ü"]


@pytest.mark.parametrize("commits", [[], None])
def test_a_new_branch_without_commits_has_its_head(commits: list | None):
    action = github(push(ref="refs/heads/feature/x", commits=commits)).action
    assert isinstance(action, Push)
    assert (action.branch, [item.subject for item in action.commits]) == ("feature/x", ["one"])


def test_a_head_that_nobody_describes_is_built_all_the_same():
    action = github(push(after=C, head_commit=None)).action
    assert isinstance(action, Push)
    assert [item.sha for item in action.commits] == [A, B, C]
    assert action.head == C


def test_of_too_many_commits_the_newest_count():
    many = [commit(f"{number:040x}") for number in range(1, 3001)]
    action = github(push(commits=many, after=many[-1]["id"])).action
    assert isinstance(action, Push)
    assert len(action.commits) == 2048
    assert action.commits[-1].sha == many[-1]["id"]


@pytest.mark.parametrize("more", [{"deleted": True, "after": ZERO}, {"after": ZERO}, {"after": "0" * 64}])
def test_a_deleted_branch(more: dict[str, Any]):
    assert github(push(head_commit=None, commits=[], **more)).action == Deletion("main")


def test_tags_and_other_events_start_nothing():
    assert github(push(ref="refs/tags/v1")).action == Ignored(
        "'refs/tags/v1' is no branch; only commits on branches are measured"
    )
    assert github({"action": "opened"}, event="issues").action == Ignored("event 'issues' starts no build")
    assert github({"zen": "Speak like a human."}, event="ping").action == Ping()


MALFORMED = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"\xff", "not JSON"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
    (b"[]", "no object: it is a list"),
    ({}, "ref: Field required"),
    (push(after="xyz"), "after: should be 40 or 64 hexadecimal digits"),
    (push(commits=[commit("a" * 41)]), "commits.0.id: should be 40 or 64 hexadecimal digits"),
    (push(commits=[1]), "commits.0"),
    (push(commits="x"), "commits"),
    (push(repository=None), "repository"),
    (push(repository={"full_name": ""}), "repository.full_name"),
    (push(ref=1), "ref"),
    (push(ref="refs/heads/"), "names no branch that git allows"),
    (push(ref="refs/heads/a b"), "names no branch that git allows"),
    (push(ref="refs/heads/a\0"), "names no branch that git allows"),
    (push(ref="refs/heads/\ud800"), "ref"),
]


@pytest.mark.parametrize(("payload", "reason"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_pushes_say_why(payload: Any, reason: str):
    with pytest.raises(PayloadError, match=reason):
        github(payload)


def test_a_missing_event_header_says_so():
    with pytest.raises(PayloadError, match="X-GitHub-Event"):
        FORGES["github"].parse({}, b"{}")


@pytest.mark.parametrize("form", [b"x=1", b"", b"&" * 50, b"\xff"])
def test_a_form_without_payload_says_so(form: bytes):
    with pytest.raises(PayloadError, match="the form"):
        github(form, kind="application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-21T10:00:00Z", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21 10:00:00", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        (1795255200, datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        (1e300, None),
        (float("nan"), None),
        (None, None),
        ({}, None),
    ],
)
def test_strange_times_are_no_reason_to_lose_a_commit(value: Any, moment: datetime | None):
    action = github(push(commits=[commit(B, timestamp=value)])).action
    assert isinstance(action, Push)
    assert action.commits[0].committed_at == moment


def test_texts_are_bounded_and_free_of_what_databases_refuse():
    author = {"name": "N\0" * 500, "email": "\ud800" + "e" * 500}
    action = github(push(commits=[commit(B, message="\n\0s\ud800" + "x" * 5000, author=author)])).action
    assert isinstance(action, Push)
    (item,) = action.commits
    assert item.subject == "s?" + "x" * 298
    assert item.author_name == "N" * 200
    assert item.author_email == "?" + "e" * 253


@pytest.mark.parametrize("author", [None, {"name": None, "email": 3}, {}])
def test_an_author_may_be_missing(author: Any):
    action = github(push(commits=[commit(B, author=author)])).action
    assert isinstance(action, Push)
    assert (action.commits[0].author_name, action.commits[0].author_email) == ("", "")


def test_upper_case_shas_are_the_same_commits():
    action = github(push(after="B" * 40, commits=[commit("B" * 40)])).action
    assert isinstance(action, Push)
    assert [item.sha for item in action.commits] == [B]


COMMIT = {
    "kind": "commit",
    "ref": "refs/heads/main",
    "sha": B,
    "parents": [A],
    "message": "m",
    "timestamp": "2026-11-21",
}


@pytest.mark.parametrize(
    ("author", "name", "email"),
    [
        ("Ada <ada@example.org>", "Ada", "ada@example.org"),
        ("Ada", "Ada", ""),
        ({"name": "Ada", "email": "a@b"}, "Ada", "a@b"),
        (None, "", ""),
    ],
)
def test_a_generic_commit(author: Any, name: str, email: str):
    payload = generic({**COMMIT, "author": author})
    when = datetime(2026, 11, 21, tzinfo=UTC)
    assert payload == Payload("commit", Push("main", (Commit(B, "m", name, email, when, (A,)),), B))


def test_generic_refs():
    assert generic({**COMMIT, "ref": "main"}).action.branch == "main"  # type: ignore[union-attr]
    assert isinstance(generic({**COMMIT, "ref": "refs/tags/v1"}).action, Ignored)
    assert generic({**COMMIT, "sha": ZERO}).action == Deletion("main")
    assert generic({**COMMIT, "deleted": True}).action == Deletion("main")


def test_generic_kinds():
    assert generic({"kind": "ping"}).action == Ping()
    with pytest.raises(PayloadError, match="ref: Field required"):
        generic({"kind": "artifact", "format": "onnx"})
    assert generic({"kind": "x\0" * 100}) == Payload(
        "x" * 60, Ignored(f"kind {'x' * 60!r} is not known; known: commit, artifact, ping")
    )
    for kind in ({}, {"kind": ""}, {"kind": 3}):
        with pytest.raises(PayloadError, match="kind"):
            generic(kind)


@pytest.mark.parametrize(
    "more", [{"sha": "x"}, {"ref": ""}, {"parents": ["x"]}, {"author": 3}, {"parents": [A] * 101}]
)
def test_malformed_generic_commits(more: dict[str, Any]):
    with pytest.raises(PayloadError, match=next(iter(more))):
        generic({**COMMIT, **more})


@pytest.mark.parametrize("name", ["main", "feature/x", "release/1.2", "ü", "a@b", "dependabot/npm/x-1.2.3"])
def test_branches_that_git_allows(name: str):
    assert branch_of(f"refs/heads/{name}") == name


@pytest.mark.parametrize(
    "name",
    ["", "-x", "/x", "x/", "x//y", ".x", "x/.y", "x..y", "x.lock", "x.lock/y", "x y", "x~1", "x^", "x:y",
     "x?", "x*", "x[y", "x\\y", "x@{1}", "@", "x.", "\x7f", "x" * 201],
)  # fmt: skip
def test_branches_that_git_refuses(name: str):
    with pytest.raises(PayloadError, match="names no branch"):
        branch_of(f"refs/heads/{name}")


@pytest.mark.parametrize(
    ("repo", "given", "same"),
    [
        ("https://github.com/acme/Vision.git", ["Acme/vision"], True),
        ("git@github.com:acme/vision.git", ["acme/vision"], True),
        ("git@github.com:acme/vision.git", ["x/y", "https://github.com/acme/vision"], True),
        ("ssh://git@github.com/acme/vision", ["git@github.com:acme/vision.git"], True),
        ("/srv/git/vision", ["git/vision"], True),
        ("/srv/git/vision", ["other", "/srv/git/vision/"], True),
        (
            "https://github.com/acme/vision",
            ["acme/vision-fork", "https://github.com/acme/vision-fork"],
            False,
        ),
        ("https://github.com/acme/vision", ["vision"], False),
        ("https://github.com/acme/vision", [], True),
    ],
)
def test_repositories(repo: str, given: list[str], same: bool):
    forge_name = "/".join(repo.rstrip("/").removesuffix(".git").replace(":", "/").split("/")[-2:])
    assert repository_matches(repo=repo, forge_name=forge_name, given=given) == same


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([A, ZERO]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


GITLAB_PUSH = {
    "object_kind": "push",
    "ref": "refs/heads/main",
    "after": "a" * 40,
    "project": {"path_with_namespace": "acme/vision"},
}


@given(st.sampled_from(sorted(FORGES)), st.dictionaries(st.sampled_from([*push(), *COMMIT]), _JSON))
@settings(max_examples=300, deadline=None)
def test_any_json_is_a_payload_or_a_reason(forge: str, changes: dict[str, Any]):
    base = {"github": push(), "gitlab": GITLAB_PUSH}.get(forge, COMMIT)
    body = json.dumps({**base, **changes}).encode()
    reason = ""
    try:
        FORGES[forge].parse({"X-GitHub-Event": "push"}, body)
    except PayloadError as error:
        reason = str(error)
    assert bool(reason) <= bool(changes)


@given(st.sampled_from(sorted(FORGES)), st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused_with_a_reason(forge: str, body: bytes):
    with pytest.raises(PayloadError, match=r"\w"):
        FORGES[forge].parse({"X-GitHub-Event": "push"}, body)
