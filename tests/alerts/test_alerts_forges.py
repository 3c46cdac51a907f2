"""GitHub and GitLab against servers that keep statuses and comments as theirs do."""

import ipaddress
import json
from datetime import time, timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from perfsite.alerts.channels import DeliveryError, github, gitlab
from perfsite.alerts.channels.forge import marker_line
from perfsite.alerts.configuring import channel_save
from perfsite.alerts.models import Channel, Notification, OutboxMail, Rule, Telling
from perfsite.alerts.services import incidents_tell
from perfsite.core.errors import PerfsiteError
from tests.alerts.http_sink import Answer, Call, HttpSink, http_sink
from tests.alerts.worlds import incident_make
from tests.factories import build_make, project_make

pytestmark = pytest.mark.django_db

STRANGER = {"id": 9, "type": "User"}
FORGES = {"github": github, "gitlab": gitlab}
SHA = "a" * 40


class Kept:
    """What a forge keeps: lists by path; GitLab calls notes what GitHub calls comments."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict]] = {}
        self.writes: list[str] = []
        self.account = {"id": 1, "type": "User"}
        self.says_who = True

    def answer(self, call: Call) -> Answer:
        path = urlsplit(call.path).path.replace("/repository/", "/")
        if path.endswith("/user"):
            status = 200 if self.says_who else 403
            return status, {"Content-Type": "application/json"}, json.dumps(self.account).encode()
        path = path.replace("/statuses/", "/commits/", 1).removesuffix("/statuses")
        status, found = 200, self._at(path, call)
        if found is None:
            return 404, {"Content-Type": "application/json"}, b'{"message": "Not Found"}'
        if call.method != "GET":
            self.writes.append(f"{call.method} {path.rsplit('/', 2)[-2]}")
            status = 201 if call.method == "POST" else 200
        return status, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def _at(self, path: str, call: Call) -> object:
        number = path.rsplit("/", 1)[-1]
        if call.method == "GET" and not number.isdecimal():
            return self.rows.get(path, {} if path.count("/") < 5 else [])
        if call.method == "POST":
            row = {"id": sum(map(len, self.rows.values())) + 1, **self.by(self.account), **call.json}
            row["issue_url"] = path.removesuffix("/comments")
            row["status"] = row.get("state")
            row["state"] = row.get("state", "")
            # statuses come the newest first, comments the oldest
            place = 0 if "commits" in path else len(self.rows.get(path, []))
            self.rows.setdefault(path, []).insert(place, row)
            return row
        for rows in self.rows.values():
            for row in [one for one in rows if str(one["id"]) == number]:
                if call.method == "DELETE":
                    rows.remove(row)
                elif call.method != "GET":
                    row |= call.json
                return row
        return None

    @staticmethod
    def by(account: dict) -> dict:
        return {"user": account, "author": account}


@pytest.fixture(params=["github", "gitlab"])
def forge(request, settings):
    """The channel's module, its project, the server and what it keeps."""
    settings.ALERTS_HTTP = True
    settings.ALERTS_TIMEOUT_SECONDS = 5
    settings.OUTBOUND_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    project = project_make()
    with http_sink() as sink:
        kept = Kept()
        sink.answer = kept.answer
        Channel.objects.create(
            project=project, kind=request.param, name="forge", settings={"api_url": sink.url},
            secrets={"token": "t0ken"},
        )  # fmt: skip
        yield FORGES[request.param], project, sink, kept


def test_a_status_is_written_once_and_again_only_when_it_differs(forge):
    module, project, sink, kept = forge
    said = {"project": project, "sha": SHA, "description": "x" * 300, "url": "https://p.example/1/"}
    for state in ("pending", "failure", "failure", "success"):
        module.status_set(state=state, **said)
    assert len(kept.writes) == 3
    (rows,) = kept.rows.values()
    assert rows[0]["target_url"] == "https://p.example/1/"
    assert len(rows[0]["description"]) == 140
    token = sink.calls[0].headers
    assert "t0ken" in (token.get("authorization", "") + token.get("private-token", ""))
    with pytest.raises(ValueError, match="unknown status"):
        module.status_set(state="red", **said)


def test_a_comment_is_edited_in_place_and_a_second_one_goes(forge):
    module, project, _, kept = forge
    put = {"project": project, "pull_request": 7, "marker": "pull"}
    module.comment_put(body="first", **put)
    module.comment_put(body="first", **put)
    module.comment_put(body="second", **put)
    (rows,) = kept.rows.values()
    line = marker_line(project=project, pull_request=7, marker="pull")
    assert [row["body"] for row in rows] == [f"second\n\n{line}"]
    assert line.count("<!--") == line.count("-->") == 1
    assert line != marker_line(project=project, pull_request=8, marker="pull")
    assert [word.split()[0] for word in kept.writes] in (["POST", "PATCH"], ["POST", "PUT"])
    # what somebody else wrote stays, what two senders wrote at once becomes one
    twin = {"id": 51, "body": f"second\n\n{line}", **kept.by(kept.account)}
    rows += [{"id": 50, "body": "thanks"}, twin]
    quoted = {"id": 52, "body": f"> me\n\n{line}", **kept.by(STRANGER)}
    rows.append(quoted)
    module.comment_put(body="third", **put)
    assert [row["body"] for row in rows] == [f"third\n\n{line}", "thanks", quoted["body"]]


def test_a_comment_that_somebody_put_there_before_is_not_ours(forge):
    module, project, _, kept = forge
    put = {"project": project, "pull_request": 7, "marker": "pull request"}
    module.comment_put(body="first", **put)
    (rows,) = kept.rows.values()
    forged = {"id": 90, "body": f"mine <!-- perfsite: pull request {'0' * 32} -->"}
    rows.insert(0, forged)
    module.comment_put(body="second", **put)
    assert [row["body"].split()[0] for row in rows] == ["mine", "second"]


def test_who_copies_the_sealed_line_into_an_older_comment_does_not_get_ours(forge):
    module, project, _, kept = forge
    put = {"project": project, "pull_request": 7, "marker": "pull request"}
    older = {"id": 0, "body": "first!", **kept.by(STRANGER)}
    known = module.comment_put(body="first", **put)
    (rows,) = kept.rows.values()
    rows.insert(0, older)
    older["body"] = f"mine\n\n{marker_line(project=project, pull_request=7, marker='pull request')}"
    taken = older["body"]
    for body, given in (("second", known), ("third", None), ("fourth", known)):
        assert module.comment_put(body=body, known=given, **put) == known
        assert [row["body"].split()[0] for row in rows] == ["mine", body]
    assert older["body"] == taken


def test_our_comment_that_is_gone_is_written_anew_and_another_accounts_is_left(forge):
    module, project, _, kept = forge
    put = {"project": project, "pull_request": 7, "marker": "pull request"}
    known = module.comment_put(body="first", **put)
    (rows,) = kept.rows.values()
    rows.clear()
    rows.append({"id": 40, "body": "thanks", **kept.by(STRANGER)})
    again = module.comment_put(body="second", known=known, **put)
    assert [row["body"].split()[0] for row in rows] == ["thanks", "second"]
    kept.account = {"id": 2, "type": "User"}  # the token is another account's since
    other = module.comment_put(body="third", known=again, **put)
    assert [row["body"].split()[0] for row in rows] == ["thanks", "second", "third"]
    assert module.comment_put(body="fourth", known=other, **put) == other != again


def test_where_the_forge_does_not_say_who_we_are_what_we_write_says_it(forge):
    """GitHub tells no app who it is.  The older of ours stays, nobody else's is taken for it."""
    module, project, _, kept = forge
    kept.says_who, kept.account = False, {"id": 3, "type": "Bot"}
    put = {"project": project, "pull_request": 7, "marker": "pull request"}
    known = module.comment_put(body="first", **put)
    (rows,) = kept.rows.values()
    line = marker_line(project=project, pull_request=7, marker="pull request")
    rows.insert(0, {"id": 0, "body": f"mine\n\n{line}", **kept.by(STRANGER)})
    rows.append({"id": 30, "body": f"beep\n\n{line}", **kept.by({"id": 4, "type": "Bot"})})
    for body, given in (("second", known), ("third", None)):
        assert module.comment_put(body=body, known=given, **put) == known
        assert [row["body"].split()[0] for row in rows] == ["mine", body, "beep"]


def test_who_we_are_is_asked_again_when_the_forge_fails_to_say(forge):
    """A second comment would be written if a failure were taken for an answer."""
    module, project, sink, kept = forge

    def answer(call: Call) -> Answer:
        return (502, {}, b"") if call.path.endswith("/user") else kept.answer(call)

    sink.answer = answer
    with pytest.raises(DeliveryError) as caught:
        module.comment_put(project=project, pull_request=7, marker="pull", body="x")
    assert not caught.value.permanent
    assert not kept.writes


@pytest.mark.parametrize(("status", "permanent"), [(401, True), (404, True), (502, False), (429, False)])
def test_what_a_forge_refuses_says_whether_another_try_helps(forge, status, permanent):
    module, project, sink, _ = forge
    sink.say(status, b'{"message": "no"}', Content_Type="application/json", Retry_After="3")
    with pytest.raises(DeliveryError) as caught:
        module.status_set(
            project=project, sha=SHA, state="failure", description="x", url="https://p.example/"
        )
    assert caught.value.permanent == permanent


def test_a_redirect_is_not_followed(forge):
    module, project, sink, _ = forge
    sink.answer = lambda call: (302, {"Location": f"{sink.url}/secret"}, b"")
    with pytest.raises(DeliveryError, match="redirects") as caught:
        module.status_set(
            project=project, sha=SHA, state="failure", description="x", url="https://p.example/"
        )
    assert caught.value.permanent
    assert not any("secret" in call.path for call in sink.calls)


def test_a_stored_token_is_not_sent_to_another_address(forge):
    project = forge[1]
    channel = Channel.objects.get()
    values = {"token": "", "api_url": "https://evil.example", "repository": ""}
    save = {"project": project, "kind": channel.kind, "name": "forge", "channel": channel}
    with pytest.raises(PerfsiteError, match="give Token again"):
        channel_save(values=values, **save)
    channel.refresh_from_db()
    assert channel.settings["api_url"] != values["api_url"]
    channel_save(values=values | {"token": "another"}, **save)
    channel.refresh_from_db()
    assert channel.secrets == {"token": "another"}


def test_without_a_channel_the_error_says_where_to_add_one(forge: tuple[object, object, HttpSink, Kept]):
    module, project, _, _ = forge
    Channel.objects.all().delete()
    with pytest.raises(DeliveryError, match="add its token on the alerts page"):
        module.comment_put(project=project, pull_request=1, body="x", marker="pull")  # type: ignore[attr-defined]


def gone(sink: HttpSink, kept: Kept, *, status: int, but: int = 200) -> None:
    """Commits that begin with f are gone; the repository answers `but`."""

    def answer(call: Call) -> Answer:
        if "f" * 40 in call.path:
            return status, {"Content-Type": "application/json"}, b'{"message": "No commit found"}'
        if "/commits/" not in call.path and "/statuses/" not in call.path:
            return but, {"Content-Type": "application/json"}, b'{"id": 1}'
        return kept.answer(call)

    sink.answer = answer


@pytest.mark.parametrize(
    ("status", "repository", "is_channels"), [(404, 200, False), (422, 200, False), (404, 404, True)]
)
def test_a_commit_that_is_gone_is_not_the_channels_fault(forge, status, repository, is_channels):
    module, project, sink, kept = forge
    gone(sink, kept, status=status, but=repository)
    with pytest.raises(DeliveryError) as caught:
        module.status_set(
            project=project, sha="f" * 40, state="failure", description="x", url="https://p.example/"
        )
    assert (caught.value.permanent, caught.value.is_message_only) == (True, not is_channels)


def test_one_gone_commit_leaves_the_channel_and_the_others_of_a_digest_alone(forge):
    """Through the sender: the notification fails for good, the next one goes out."""
    _, project, sink, kept = forge
    gone(sink, kept, status=404)
    channel = Channel.objects.get()
    Rule.objects.create(project=project, name="all", digest_at=time(0, 0)).channels.add(channel)
    bases = [build_make(project, ordinal, sha=sha * 40) for ordinal, sha in ((1, "a"), (2, "f"), (3, "b"))]
    incident_make(bases[1], bases[0])
    incident_make(bases[2], bases[1])
    assert incidents_tell() == 0
    Telling.objects.update(due_at=timezone.now())
    assert incidents_tell() == 0
    row = Notification.objects.get()
    assert (row.state, "may be gone" in row.error) == ("failed", True)
    channel.refresh_from_db()
    assert channel.is_usable
    assert [path.rsplit("/")[-1] for path in kept.rows] == ["b" * 40]
    assert not OutboxMail.objects.exists()  # nothing that the owner could mend


def test_a_token_that_may_not_is_the_channels_fault_and_a_rate_limit_is_nobodys(forge):
    module, project, sink, _ = forge
    put = {
        "project": project,
        "sha": SHA,
        "state": "failure",
        "description": "x",
        "url": "https://p.example/",
    }
    sink.say(403, b'{"message": "Resource not accessible"}', Content_Type="application/json")
    with pytest.raises(DeliveryError) as caught:
        module.status_set(**put)
    assert (caught.value.permanent, caught.value.is_message_only) == (True, False)
    sink.say(429, b'{"message": "secondary rate limit"}', Content_Type="application/json")
    with pytest.raises(DeliveryError) as caught:
        module.status_set(**put)
    assert not caught.value.permanent
    if module is github:
        sink.say(
            403, b'{"message": "You have exceeded a secondary rate limit"}', Content_Type="application/json"
        )
        with pytest.raises(DeliveryError, match="limits the rate") as caught:
            module.status_set(**put)
        assert (caught.value.permanent, caught.value.retry_after) == (False, timedelta(minutes=1))


def test_a_cancelled_check_has_the_forges_word(forge):
    module, project, _, kept = forge
    said = {"project": project, "sha": SHA, "description": "x", "url": "https://p.example/1/"}
    module.status_set(state="pending", **said)
    module.status_set(state="cancelled", **said)
    module.status_set(state="cancelled", **said)
    (rows,) = kept.rows.values()
    assert [row["status"] for row in rows] == ["error" if module is github else "canceled", "pending"]
