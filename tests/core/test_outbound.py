"""What the site calls, and what it never does; the servers are real, only the names are ours."""

import gzip
import ipaddress
import socket
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import requests

from perfsite.core import outbound
from perfsite.core.outbound import (
    OutboundRefusedError,
    OutboundTooLargeError,
    host_addresses,
    names_judged,
    outbound_client,
    url_check,
)

PACKED = gzip.compress(gzip.compress(b"x" * 10**7))
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Server(ThreadingHTTPServer):
    """Answers its own address and the Host header; `/to?URL` redirects; `/big` sends 1 MiB."""

    def __init__(self, address: str, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        super().__init__((address, port), Handler)
        self.hosts: list[str] = []
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.hosts.append(self.headers["Host"])
        path, _, query = self.path.partition("?")
        if path == "/to":
            self.send_response(302)
            self.send_header("Location", query)
            self.end_headers()
            return
        known = {"/big": b"x" * 2**20, "/packed": PACKED}
        body = known.get(path) or self.server.server_address[0].encode()
        self.send_response(200)
        if path == "/packed":
            self.send_header("Content-Encoding", "gzip, gzip")
        if path != "/big":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve():
    running = []

    def start(address="127.0.0.1", port=0, context=None):
        running.append(Server(address, port, context))
        return running[-1]

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def names(monkeypatch):
    """Names of the test's own: each look-up takes the next answer of the name, the last one for ever."""
    known: dict[str, list[list[str]]] = {}
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(host, port, *arguments, **more):
        if host not in known:
            return real(host, port, *arguments, **more)
        asked.append(host)
        answers = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return [row for one in answers for row in real(one, port, *arguments, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    known["asked"] = asked  # type: ignore[assignment]
    return known


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.0.0.7", "172.16.3.4", "192.168.1.1", "100.64.1.1", "0.0.0.0",
        "169.254.169.254", "224.0.0.1", "255.255.255.255", "[::1]", "[fd00::1]", "[fe80::1]",
        "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[fec0::1]", "[ff02::1]",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused_before_anything_is_sent(host):
    with pytest.raises(OutboundRefusedError, match="PERFSITE_OUTBOUND_NETWORKS"):
        url_check(f"https://{host}/latest/meta-data")


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f000001", "127.1", "localhost"])
def test_loopback_by_another_spelling_is_refused(spelling):
    with pytest.raises(OutboundRefusedError, match="no public address"):
        outbound_client().get(f"http://{spelling}:1/")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "scheme 'file'"),
        ("gopher://example.org/", "scheme 'gopher'"),
        ("//example.org/x", "scheme ''"),
        ("https:///x", "names no host"),
        ("https://ada:secret@example.org/", "user name or password"),
        ("http://[::1", "no URL"),
    ],
)
def test_a_url_of_another_kind_is_refused_with_the_reason(url, why):
    with pytest.raises(OutboundRefusedError, match=why) as told:
        url_check(url)
    assert "secret" not in str(told.value)


def test_a_public_address_and_name_pass_the_form():
    assert url_check("https://93.184.216.34/x").host == "93.184.216.34"
    assert url_check("https://hooks.example.org/x").host == "hooks.example.org"


def test_one_private_answer_among_public_ones_refuses_the_host(names):
    names["mixed.example"] = [["93.184.216.34", "10.0.0.1"]]
    with pytest.raises(OutboundRefusedError, match=r"mixed\.example \(10\.0\.0\.1\)"):
        host_addresses("mixed.example", 443)


def test_an_allowed_network_is_called_by_its_name(serve, names, settings):
    settings.OUTBOUND_NETWORKS = LOOPBACK
    server = serve()
    names["forge.example"] = [["127.0.0.1"]]
    answer = outbound_client().get(f"http://forge.example:{server.server_port}/x")
    assert answer.text == "127.0.0.1"
    assert server.hosts == [f"forge.example:{server.server_port}"]


def test_a_name_that_changes_its_answer_reaches_only_the_judged_address(serve, names, settings):
    settings.OUTBOUND_NETWORKS = [ipaddress.ip_network("127.0.0.1/32")]
    good = serve("127.0.0.1")
    inner = serve("127.0.0.9", good.server_port)
    names["rebinding.example"] = [["127.0.0.1"], ["127.0.0.9"]]
    with outbound_client() as client:
        url = f"http://rebinding.example:{good.server_port}/"
        assert client.get(url).text == "127.0.0.1"
        assert names["asked"] == ["rebinding.example"]
        with pytest.raises(OutboundRefusedError, match=r"127\.0\.0\.9"):  # asked again for a new request
            client.get(url)
    assert inner.hosts == []


def test_a_library_that_connects_by_itself_connects_to_the_judged_address(serve, names, settings):
    settings.OUTBOUND_NETWORKS = [ipaddress.ip_network("127.0.0.1/32")]
    good = serve("127.0.0.1")
    inner = serve("127.0.0.9", good.server_port)
    names["rebinding.example"] = [["127.0.0.1"], ["127.0.0.9"]]
    url = f"http://rebinding.example:{good.server_port}/"
    with names_judged():
        assert requests.get(url, timeout=5).text == "127.0.0.1"
        with pytest.raises(OutboundRefusedError, match=r"127\.0\.0\.9"):
            requests.get(url, timeout=5)
        with pytest.raises(OutboundRefusedError, match=r"127\.0\.0\.9"):
            requests.get(f"http://127.0.0.9:{good.server_port}/", timeout=5)
        with ThreadPoolExecutor() as others:  # another thread's calls are its own business
            assert others.submit(requests.get, url, timeout=5).result().text == "127.0.0.9"
    assert len(inner.hosts) == 1
    assert requests.get(url, timeout=5).text == "127.0.0.9"


def test_a_redirect_is_judged_like_a_request(serve, names, settings):
    settings.OUTBOUND_NETWORKS = [ipaddress.ip_network("127.0.0.1/32")]
    outer, inner = serve("127.0.0.1"), serve("127.0.0.9")
    to = f"http://127.0.0.1:{outer.server_port}/to?"
    refused = outbound_client().get(f"{to}http://127.0.0.9:{inner.server_port}/")
    assert refused.status_code == 302  # not followed unless it is asked for
    with outbound_client(redirects=2) as client:
        for target in (f"http://127.0.0.9:{inner.server_port}/", "file:///etc/passwd"):
            with pytest.raises((OutboundRefusedError, httpx.UnsupportedProtocol)):
                client.get(to + target)
        assert client.get(f"{to}{to}/x").text == "127.0.0.1"
        with pytest.raises(httpx.TooManyRedirects):
            client.get(f"{to}{to}{to}/x")
    assert inner.hosts == []


def test_the_next_address_is_tried_when_one_does_not_answer(serve, names, settings):
    settings.OUTBOUND_NETWORKS = LOOPBACK
    server = serve("127.0.0.1")
    names["two.example"] = [["127.0.0.77", "127.0.0.1"]]
    assert outbound_client().get(f"http://two.example:{server.server_port}/").text == "127.0.0.1"


def test_the_certificate_is_checked_against_the_name_and_no_step_down_is_followed(
    serve, names, settings, tmp_path
):
    settings.OUTBOUND_NETWORKS = LOOPBACK
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", tmp_path / "key", "-out", tmp_path / "crt", "-days", "2", "-subj", "/CN=forge.example",
         "-addext", "subjectAltName=DNS:forge.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    server, plain = serve(context=context), serve()
    names["forge.example"] = names["other.example"] = [["127.0.0.1"]]
    trust = ssl.create_default_context(cafile=tmp_path / "crt")
    with outbound_client(redirects=1, verify=trust) as client:
        assert client.get(f"https://forge.example:{server.server_port}/").text == "127.0.0.1"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            client.get(f"https://other.example:{server.server_port}/")
        with pytest.raises(OutboundRefusedError, match="from https to http"):
            client.get(f"https://forge.example:{server.server_port}/to?http://127.0.0.1:{plain.server_port}/")
    assert plain.hosts == []


@pytest.mark.parametrize("path", ["/big", "/packed"])
def test_an_answer_over_its_limit_is_left_and_none_is_decompressed(serve, settings, path):
    settings.OUTBOUND_NETWORKS = LOOPBACK
    url = f"http://127.0.0.1:{serve().server_port}"
    with outbound_client(answer_bytes=100_000) as client:
        if path == "/packed":
            assert client.get(f"{url}/packed").content == PACKED
            return
        with pytest.raises(OutboundTooLargeError, match=r"127\.0\.0\.1 answers more than 100000 bytes"):
            client.get(f"{url}/big")


def test_an_answer_that_never_ends_is_left(serve, settings, monkeypatch):
    settings.OUTBOUND_NETWORKS = LOOPBACK
    monkeypatch.setattr(outbound, "ANSWER_S", 0.0)
    with outbound_client() as client, pytest.raises(httpx.ReadTimeout, match="still answering"):
        client.get(f"http://127.0.0.1:{serve().server_port}/big")
