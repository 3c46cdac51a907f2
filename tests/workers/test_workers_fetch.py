"""Delivered files from a real HTTP server: verified, bounded, and never from where the policy forbids."""

from __future__ import annotations

import hashlib
import ipaddress
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer

from workers.fetch import FetchError, file_fetch
from workers.fetch_policy import FetchPolicy, FetchRefused, policy_read
from workers.messages import FileSource

BODY = b"weights" * 1000
SHA = hashlib.sha256(BODY).hexdigest()
HERE = FetchPolicy(schemes=("http",), networks=(ipaddress.ip_network("127.0.0.1/32"),))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        running.files["/model.onnx"] = BODY
        yield running


@pytest.fixture
def fetch(tmp_path: Path):
    def fetched(
        url: str, policy: FetchPolicy = HERE, *, sha: str = SHA, stop: bool = False, **values
    ) -> Path:
        values = {"format": "onnx", "max_bytes": 10**6, **values}
        folder = tmp_path / "out"
        try:
            return file_fetch(
                FileSource(url=url, **values), sha256=sha, target=folder, policy=policy, stop=lambda: stop
            )
        finally:
            # whatever happened, a file of another digest never lies there under the model's name
            kept = folder / "model.onnx"
            assert not kept.exists() or hashlib.sha256(kept.read_bytes()).hexdigest() == sha

    return fetched


def redirect(to: str):
    return lambda: (302, {"Location": to}, b"")


def refused(fetch, *given, words: str, retry: bool = False, **values) -> None:
    with pytest.raises(FetchError) as error:
        fetch(*given, **values)
    assert words in str(error.value)
    assert error.value.retry is retry


def test_file_is_fetched_and_verified(server, fetch):
    folder = fetch(server.url("/model.onnx?signature=x"), size=len(BODY))
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]
    assert (folder / "model.onnx").read_bytes() == BODY


def test_redirect_within_the_policy_is_followed(server, fetch):
    server.files["/latest"] = redirect("/model.onnx")
    assert fetch(server.url("/latest"))
    assert server.asked == ["/latest", "/model.onnx"]


def test_private_address_is_refused(server, fetch):
    refused(fetch, server.url("/model.onnx"), FetchPolicy(schemes=("http",)), words="no public address")
    assert server.asked == []


def test_private_address_is_refused_behind_a_redirect(server, fetch):
    # 127.0.0.2 is this machine too, and in no allowed network
    server.files["/away"] = redirect(server.url("/model.onnx", host="127.0.0.2"))
    refused(fetch, server.url("/away"), words="127.0.0.2 is no public address")
    assert server.asked == ["/away"]


def test_name_whose_answer_is_private_is_refused(server, fetch):
    # the name is allowed, the address that it resolves to is not
    policy = FetchPolicy(schemes=("http",), hosts=("localhost",))
    refused(fetch, server.url("/model.onnx", host="localhost"), policy, words="no public address")
    assert server.asked == []


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("file:///etc/passwd", "'file' is not fetched"),
        ("ftp://127.0.0.1/model.onnx", "'ftp' is not fetched"),
        ("http://localhost:1/model.onnx", "the host is not fetched from"),
    ],
)
def test_redirect_out_of_the_policy_is_not_followed(server, fetch, to, words):
    policy = FetchPolicy(schemes=("http",), hosts=("127.0.0.1",), networks=HERE.networks)
    server.files["/away"] = redirect(to)
    refused(fetch, server.url("/away"), policy, words=words)
    assert server.asked == ["/away"]


def test_another_file_is_refused(server, fetch):
    refused(fetch, server.url("/model.onnx"), sha="0" * 64, words="delivered was 000000")


def test_longer_file_is_cut_off(server, fetch):
    refused(fetch, server.url("/model.onnx"), size=100, words="more than 100 bytes")


def test_limit_of_the_worker_and_of_the_site_hold(server, fetch):
    refused(fetch, server.url("/model.onnx"), max_bytes=50, words="more than 50 bytes")


def test_shorter_file_is_asked_for_again(server, fetch):
    refused(fetch, server.url("/model.onnx"), size=len(BODY) + 1, words="bytes came", retry=True)


@pytest.mark.parametrize(("status", "retry"), [(404, False), (503, True)])
def test_server_that_has_no_file(server, fetch, status, retry):
    server.files["/model.onnx"] = lambda: (status, {}, b"nothing")
    refused(fetch, server.url("/model.onnx"), words="could not fetch", retry=retry)


def test_signature_in_the_query_is_never_told(server, fetch):
    with pytest.raises(FetchError) as error:
        fetch(server.url("/gone?X-Amz-Signature=secret"))
    assert "secret" not in str(error.value)


def test_stopped_fetch_ends(server, fetch):
    refused(fetch, server.url("/model.onnx"), stop=True, words="stopped", retry=True)


def test_files_of_the_disk_are_read_only_where_allowed(fetch, tmp_path):
    inside = tmp_path / "models"
    inside.mkdir()
    (inside / "a.onnx").write_bytes(BODY)
    policy = FetchPolicy(schemes=("file",), folders=(inside,))
    policy.url_check(f"file://{inside}/a.onnx")
    (inside / "link.onnx").symlink_to("/etc/passwd")
    for path in ("/etc/passwd", f"{inside}/../x", f"{inside}/link.onnx", f"{inside}/%2e%2e/x"):
        with pytest.raises(FetchRefused, match="in no folder"):
            policy.url_check(f"file://{path}")
    assert (fetch(f"file://{inside}/a.onnx", policy) / "model.onnx").read_bytes() == BODY
    with pytest.raises(FetchRefused, match="'file' is not fetched"):
        HERE.url_check(f"file://{inside}/a.onnx")


def test_file_that_is_read_is_the_one_that_was_judged(fetch, tmp_path):
    policy = FetchPolicy(schemes=("file",), folders=(tmp_path / "models",))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a b.onnx").write_bytes(BODY)
    # as written it leads to `secret`; as a URL it stays inside
    (tmp_path / "models" / "x%2fy").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    hostile = f"file://{tmp_path}/models/x%2fy/../../secret"
    refused(fetch, hostile, policy, words="there is no such file")
    shutil.rmtree(tmp_path / "out")
    assert fetch(f"file://{tmp_path}/models/a%20b.onnx", policy)


def test_scheme_whose_library_is_missing_names_the_extra(fetch):
    refused(fetch, "s3://bucket/model.onnx", FetchPolicy(schemes=("s3",)), words="perfsite[s3]")


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "fd00::1",
        "0.0.0.0",
        "100.64.0.1",
        "224.0.0.1",
    ],
)
def test_addresses_that_are_not_public(address):
    with pytest.raises(FetchRefused):
        FetchPolicy().address_check(address)


def test_policy_comes_from_the_environment_and_mistakes_are_told():
    policy = policy_read({"PERFSITE_FETCH_SCHEMES": "https, s3", "PERFSITE_OUTBOUND_NETWORKS": "10.1.0.0/16"})
    assert policy.schemes == ("https", "s3")
    policy.address_check("10.1.2.3")
    policy.address_check("8.8.8.8")
    for name, value in (("PERFSITE_OUTBOUND_NETWORKS", "10.1/99"), ("PERFSITE_FETCH_MAX_BYTES", "4 GB")):
        with pytest.raises(ValueError, match=name):
            policy_read({name: value})
