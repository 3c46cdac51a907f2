"""Single sign-on and a second factor: a real site, a real provider, and cookies over real HTTP."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from perfsite.embedded.ports import port_free
from tests.access.oidc_provider import CLIENT, SECRET, Provider

PEOPLE = "from django.contrib.auth import get_user_model as g"
ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


class Site:
    """A site process with this environment, and commands in it."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.port = port_free(0)
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")
        }
        self.environment = {
            **kept, "PERFSITE_DATA": str(folder), "PERFSITE_URL": self.url, "PERFSITE_DEFAULT_ROLE": "",
            "DJANGO_SETTINGS_MODULE": "perfsite.settings", **more,
        }  # fmt: skip
        self.python("manage.py", "migrate", "--verbosity", "0")
        granian = str(Path(sys.executable).with_name("granian"))
        self.process = subprocess.Popen(
            [granian, "--interface", "asginl", "--port", str(self.port), "--no-ws",
             "perfsite.asgi:application"],
            cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.2)
        raise AssertionError("the site does not answer")

    def python(self, *words: str) -> str:
        done = subprocess.run([sys.executable, *words], cwd=ROOT, env=self.environment, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(self, code: str) -> str:
        return self.python("manage.py", "shell", "--no-imports", "-c", code).strip()

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, follow_redirects=True, timeout=60)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def provider():
    one = Provider()
    yield one
    one.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, provider):
    one = Site(
        tmp_path_factory.mktemp("site"), PERFSITE_OIDC_URL=provider.url, PERFSITE_OIDC_CLIENT=CLIENT,
        PERFSITE_OIDC_SECRET=SECRET, PERFSITE_OIDC_NAME="the lab's login",
        PERFSITE_OIDC_DOMAINS="example.org",
        PERFSITE_MFA="1",
    )  # fmt: skip
    yield one
    one.close()


def form_token(page: httpx.Response) -> str:
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]


def signed_in(site: Site, browser: httpx.Client) -> httpx.Response:
    """Press the button of the login page; the provider sends the browser back."""
    page = browser.get("/login/")
    assert "the lab&#x27;s login" in page.text
    sent = {"csrfmiddlewaretoken": form_token(page)}
    return browser.post("/accounts/oidc/sso/login/", data=sent, headers={"Referer": f"{site.url}/login/"})


def test_the_providers_person_is_logged_in_without_a_role(site, provider):
    with site.browser() as browser:
        answer = signed_in(site, browser)
        assert answer.status_code == 200
        assert str(answer.url) == f"{site.url}/"
        assert {"/.well-known/openid-configuration", "/authorize", "/token"} <= set(provider.asked)
        assert browser.get("/audit/").status_code == 403  # logged in, and no administrator
    told = f"{PEOPLE}; print(*g().objects.values_list('username', 'email', 'is_superuser', 'is_staff'))"
    assert site.shell(told) == "('ada', 'ada@example.org', False, False)"
    with site.browser() as browser:  # the second time it is the same account
        signed_in(site, browser)
    assert (
        site.shell("from django.contrib.auth import get_user_model as g; print(g().objects.count())") == "1"
    )


def test_a_person_of_another_domain_gets_no_account(site, provider):
    before = provider.person
    provider.person = {**before, "sub": "18", "email": "eve@elsewhere.org"}
    provider.person["preferred_username"] = "eve"
    try:
        tokens = provider.asked.count("/token")
        with site.browser() as browser:
            signed_in(site, browser)
            assert provider.asked.count("/token") == tokens + 1  # it was there, and came back
            assert browser.get("/audit/", follow_redirects=False).status_code == 302  # still a stranger
    finally:
        provider.person = before
    assert site.shell(f"{PEOPLE}; print(g().objects.filter(username='eve').count())") == "0"


def test_a_code_that_the_provider_does_not_know_logs_nobody_in(site, provider):
    with site.browser() as browser:
        answer = browser.get("/accounts/oidc/sso/login/callback/?code=forged&state=forged")
        assert answer.status_code < 500
        assert browser.get("/audit/", follow_redirects=False).status_code == 302


def test_a_form_may_lead_to_the_provider_and_to_nobody_else(site, provider):
    policy = httpx.get(f"{site.url}/login/").headers["Content-Security-Policy"]
    assert f"form-action 'self' {provider.url};" in policy


def test_nobody_makes_a_password_account_by_a_form(site):
    with site.browser() as browser:
        page = browser.get("/accounts/signup/")
        assert "password1" not in page.text


def test_a_second_factor_is_asked_for_once_there_is_one(site):
    site.shell(
        f"{PEOPLE}; from allauth.mfa.totp.internal.auth import TOTP;"
        "u = g().objects.create_superuser('root', 'root@example.org', 'a long password of words');"
        "TOTP.activate(u, 'JBSWY3DPEHPK3PXP')"
    )
    code = "from allauth.mfa.totp.internal import auth as a; import time; print(a.format_hotp_value("
    code += "a.hotp_value('JBSWY3DPEHPK3PXP', int(time.time()) // 30)))"
    with site.browser() as browser:
        page = browser.get("/login/")
        sent = {
            "login": "root",
            "password": "a long password of words",
            "csrfmiddlewaretoken": form_token(page),
        }
        page = browser.post("/login/", data=sent, headers={"Referer": f"{site.url}/login/"})
        assert page.url.path == "/accounts/2fa/authenticate/"
        assert browser.get("/audit/", follow_redirects=False).status_code == 302  # not yet
        sent = {"code": "000000", "csrfmiddlewaretoken": form_token(page)}
        page = browser.post(page.url.path, data=sent, headers={"Referer": str(page.url)})
        assert page.url.path == "/accounts/2fa/authenticate/"
        sent = {"code": site.shell(code), "csrfmiddlewaretoken": form_token(page)}
        browser.post(page.url.path, data=sent, headers={"Referer": str(page.url)})
        assert browser.get("/audit/").status_code == 200


def test_every_address_of_it_has_a_rule(site):
    told = "from perfsite.permissions import *; "
    told += "print([name for name, _ in addresses(get_resolver()) if name not in RULES])"
    assert site.shell(told) == "[]"


def test_it_is_off_by_default(client, db):
    assert client.get("/accounts/login/").status_code == 404
    assert "single sign-on" not in client.get("/login/").content.decode()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"PERFSITE_OIDC_URL": "https://login.example.org"},
            "PERFSITE_OIDC_CLIENT and PERFSITE_OIDC_SECRET not",
        ),
        (
            {"PERFSITE_OIDC_URL": "login", "PERFSITE_OIDC_CLIENT": "c", "PERFSITE_OIDC_SECRET": "s"},
            "is no address",
        ),
        ({"PERFSITE_MFA": "perhaps"}, "neither yes nor no"),
    ],
)
def test_half_a_provider_is_named_at_the_start(given, told, tmp_path):
    environment = {
        **os.environ,
        "PERFSITE_DATA": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "perfsite.settings",
        **given,
    }
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert told in done.stderr
