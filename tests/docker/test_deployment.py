"""What can be known of the deployment files without a Docker engine or a cluster."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import redis
import yaml

from perfsite import gauges
from perfsite.core.broker_acl import USER, acl_words
from perfsite.embedded.broker import server_find
from perfsite.embedded.ports import port_free
from tests.docker.manifests import COMPOSE, DOCKER, ROOT, manifests
from tests.factories import worker_make
from workers.messages import READINGS

BIN = Path(sys.executable).parent
MANIFESTS = manifests()


def documents():
    return [path for path in DOCKER.rglob("*") if path.suffix in (".yaml", ".json")]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_file_is_well_formed(path):
    assert all(yaml.safe_load_all(path.read_text()))  # JSON is YAML; no document is empty


def commands() -> dict[str, list[str]]:
    """What the images and services run."""
    images = re.findall(r"^CMD (\[.*\])$", (DOCKER / "Dockerfile").read_text(), re.M)
    found = {f"image {number}": json.loads(text) for number, text in enumerate(images)}
    for compose in COMPOSE.values():
        for name, service in compose["services"].items():
            if "perfsite" in str(service.get("image", "")) and "command" in service:
                found[name] = service["command"]
    return found


def started(command: list[str], tmp_path: Path, port: int) -> subprocess.Popen:
    """A command as in its image, with this interpreter's programs and a folder of its own."""
    places = {"0.0.0.0": "127.0.0.1", "8000": str(port)}
    words = [places.get(word, word.replace("/data/", f"{tmp_path}/")) for word in command]
    words[0] = str(BIN / words[0]) if (BIN / words[0]).exists() else words[0]
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environment = {
        **kept,
        "PERFSITE_DATA": str(tmp_path),
        "PERFSITE_WORK": str(tmp_path),
        "PERFSITE_LOCKS": str(tmp_path),
        "PERFSITE_LOG_FORMAT": "json",
        "DJANGO_SETTINGS_MODULE": "perfsite.settings",
    }
    return subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_the_commands_are_the_ones_that_are_tried_here():
    known = {"granian", "python", "celery"}
    assert {command[0] for command in commands().values()} == known
    modules = {command[2] for command in commands().values() if command[:2] == ["python", "-m"]}
    assert modules == {"workers"}


def test_migrate_then_the_site_answers_as_in_its_image(tmp_path):
    told = commands()
    migrate = started(told["migrate"], tmp_path, 0)
    assert migrate.wait(120) == 0, migrate.stdout.read()
    port = port_free(0)
    site = started(told["image 0"], tmp_path, port)
    try:
        deadline = time.monotonic() + 90
        answer = None
        while answer is None and time.monotonic() < deadline and site.poll() is None:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10)
            except httpx.HTTPError:
                time.sleep(0.2)
        assert answer is not None, site.stdout.read()
        assert answer.json()["checks"]["migrations"] == "ok"
    finally:
        site.send_signal(signal.SIGTERM)
        site.wait(30)


def test_a_worker_without_its_settings_says_which(tmp_path):
    worker = started(commands()["image 1"], tmp_path, 0)
    assert worker.wait(60) == 2
    assert b"PERFSITE_SITE" in worker.stdout.read()


def test_production_settings_pass_djangos_own_check(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "PERFSITE_DATA": str(tmp_path),
        "PERFSITE_URL": "https://perf.example.org",
        "PERFSITE_HOSTS": "perf.example.org",
        "PERFSITE_ORIGINS": "https://perf.example.org",
        "PERFSITE_PROXIES": "1",
        "PERFSITE_SECRET_KEY": "0123456789abcdef" * 4,
        "PERFSITE_METRICS_TOKEN": "fedcba9876543210" * 2,
        "DJANGO_SETTINGS_MODULE": "perfsite.settings",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    told = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "no issues" in told.stdout
    environment["PERFSITE_URL"] = "http://perf.example.org"  # the same check does find something
    told = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (told.returncode, "security.W" in told.stderr) == (1, True)


def test_no_secret_enters_a_build_or_the_repository():
    for name in (".dockerignore", ".gitignore"):
        lines = (ROOT / name).read_text().splitlines()
        assert {".env", "docker/.env"} <= set(lines), name
        assert not [line for line in lines if line.startswith("!")], name
    assert {".git", "var"} <= set((ROOT / ".dockerignore").read_text().splitlines())


def test_images_install_our_wheel_by_its_path():
    """By its name an index beside ours could hand out another package."""
    text = (DOCKER / "Dockerfile").read_text()
    assert re.findall(r'"(\S*)perfsite\[', text) == []
    assert re.findall(r"/wheels/perfsite-\*\.whl\)\[(\w+)\]", text) == ["production", "cpu", "gpu"]


def test_pods_are_restarted_for_their_own_sake_only():
    site = next(
        one for one in MANIFESTS if one["kind"] == "Deployment" and one["metadata"]["name"] == "perfsite"
    )
    container = site["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_kubernetes_has_what_a_release_needs():
    kinds = {one["kind"] for one in MANIFESTS}
    assert kinds >= {
        "Job", "Deployment", "Service", "ScaledObject", "NetworkPolicy", "PodDisruptionBudget", "Ingress",
    }  # fmt: skip


def test_every_service_and_pod_is_kept_from_being_root():
    assert len(re.findall(r"^USER 10001:10001$", (DOCKER / "Dockerfile").read_text(), re.M)) == 3
    for one in MANIFESTS:
        pod = one.get("spec", {}).get("template", {}).get("spec")
        if pod:
            assert pod["securityContext"]["runAsNonRoot"], one["metadata"]


def test_no_secret_has_a_default():
    default = re.compile(r"\$\{(\w*(?:PASSWORD|SECRET|TOKEN)\w*):?-([^}]+)\}")
    assert [found for compose in COMPOSE.values() for found in default.findall(json.dumps(compose))] == []


def test_composes_broker_knows_the_workers_user_and_its_rules():
    """The very command, by a Redis of this machine: the user has the rules of `manage.py worker broker`."""
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    port = port_free(0)
    filled = [
        re.sub(r"\$\{(\w+)[^}]*\}", lambda found: found[1].lower(), word)
        for word in services["redis"]["command"]
    ]
    command = [server_find(), "--port", str(port), "--save", "", *filled[1:]]
    command[command.index("--appendonly") + 1] = "no"
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(port=port, password="redis_password")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        client.execute_command("ACL SETUSER", "by-command", *acl_words("perfsite_worker_redis_password"))
        told, wanted = client.acl_getuser(USER), client.acl_getuser("by-command")
        names = ("commands", "keys", "channels", "selectors", "passwords")
        assert {name: told[name] for name in names} == {name: wanted[name] for name in names}
        assert redis.Redis(port=port, username=USER, password="perfsite_worker_redis_password").ping()
    finally:
        server.terminate()
        server.wait(10)


def asked() -> dict[str, set[str]]:
    """The numbers that each file asks for."""
    paths = [*DOCKER.glob("prometheus/*.yaml"), *DOCKER.glob("grafana/dashboards/*.json"),
             *DOCKER.glob("kubernetes/*.yaml")]  # fmt: skip
    told = {path.name: set(re.findall(r"\bperfsite_\w+", path.read_text())) for path in paths}
    return {name: numbers for name, numbers in told.items() if numbers}


@pytest.mark.django_db
def test_alerts_and_dashboards_ask_for_numbers_that_there_are(client):
    """The exact names of samples; of a histogram its own, of a counter with its `_total`."""
    gauges.gauges_forget()
    client.get("/healthz")
    worker_make()
    text = client.get("/metrics").content.decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    ends = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}
    known = {name + end for name, kind in kinds.items() for end in ends.get(kind, ())}
    wanted = asked()
    assert set(wanted) >= {"alerts.yaml", "perfsite.json", "worker.yaml"}
    assert {name: numbers - known for name, numbers in wanted.items() if numbers - known} == {}


def test_a_dashboard_asks_for_readings_that_workers_send():
    text = (DOCKER / "grafana/dashboards/perfsite.json").read_text()
    patterns = re.findall(r'reading=~\\"([^"\\]+)\\"', text)
    assert len(patterns) > 3
    assert [one for one in patterns if not any(re.fullmatch(one, name) for name in READINGS)] == []


def test_the_canary_is_on_the_dashboard_in_seconds_and_against_its_norm():
    panels = json.loads((DOCKER / "grafana/dashboards/perfsite.json").read_text())["panels"]
    told = {panel["targets"][0]["expr"]: panel["fieldConfig"]["defaults"]["unit"] for panel in panels}
    units = {name: unit for expr, unit in told.items() for name in re.findall(r"perfsite_canary_\w+", expr)}
    assert units == {"perfsite_canary_seconds": "s", "perfsite_canary_change": "percentunit"}
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("path", sorted(DOCKER.glob("grafana/dashboards/*.json")), ids=lambda path: path.name)
def test_panels_do_not_lie_on_each_other(path):
    places = [panel["gridPos"] for panel in json.loads(path.read_text())["panels"]]
    cells = [(x, y) for at in places for x in range(at["x"], at["x"] + at["w"])
             for y in range(at["y"], at["y"] + at["h"])]  # fmt: skip
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_what_only_grows_is_asked_for_its_rate():
    """The difference of a counter, or the rate of a gauge, is wrong where it restarts or falls."""
    text = "".join(path.read_text() for path in DOCKER.rglob("*") if path.suffix in (".yaml", ".json"))
    rated = set(re.findall(r"\b(?:rate|increase)\((perfsite_\w+)", text))
    assert all(name.endswith(("_total", "_count", "_bucket", "_sum")) for name in rated)
    totals = set(re.findall(r"\bperfsite_\w+_total", text))
    assert totals <= rated
    assert re.findall(r"\bi?delta\(", text) == []
