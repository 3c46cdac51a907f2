"""The linters of each kind of file, as far as they run without an engine or a cluster."""

import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.docker.manifests import DOCKER, manifests

BIN = Path(sys.executable).parent
COMPOSE = sorted(DOCKER.glob("compose*.yaml"))
MANIFESTS = manifests()
OWN_SCHEMA = {"ScaledObject"}  # KEDA's, which is no part of Kubernetes
KUBERNETES = "1.33"


def lint(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BIN / words[0]), *words[1:]], capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing_in_the_dockerfile():
    done = lint("hadolint", "--no-color", str(DOCKER / "Dockerfile"))
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN sudo apt-get install git\n")
    assert lint("hadolint", str(tmp_path / "Dockerfile")).returncode == 1


def test_compose_files_are_of_the_compose_specification():
    done = lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *map(str, COMPOSE))
    assert done.returncode == 0, done.stdout


def test_a_word_that_compose_does_not_know_is_found(tmp_path):
    text = (DOCKER / "compose.yaml").read_text().replace("healthcheck:", "healthchek:")
    (tmp_path / "compose.yaml").write_text(text)
    done = lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(tmp_path / "compose.yaml"))
    assert done.returncode == 1


def test_every_variable_of_compose_is_in_the_example():
    """What `docker compose config` would stop at: a variable without a value."""
    wanted = set(re.findall(r"\$\{(\w+):\?", (DOCKER / "compose.yaml").read_text()))
    wanted |= set(re.findall(r"\$\{(\w+):\?", (DOCKER / "compose.monitoring.yaml").read_text()))
    given = set(re.findall(r"^(\w+)=", (DOCKER / "env.example").read_text(), re.M))
    assert wanted - given == set()


def test_compose_refers_only_to_what_is_there():
    """Anchors, volumes, configs, dependencies and mounted files."""
    for path in COMPOSE:
        told = yaml.safe_load(path.read_text())
        services = {**yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"], **told["services"]}
        for name, service in told["services"].items():
            assert set(service.get("depends_on", {})) <= set(services), name
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                known = (DOCKER / source).exists() if source.startswith(".") else source in told["volumes"]
                assert known, (path.name, name, volume)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_manifests_are_of_kubernetes_schemas(manifest):
    if manifest["kind"] in OWN_SCHEMA:
        assert set(manifest["spec"]) == {
            "scaleTargetRef", "minReplicaCount", "maxReplicaCount", "cooldownPeriod", "triggers",
        }  # fmt: skip
        assert manifest["spec"]["scaleTargetRef"]["name"] in {
            one["metadata"]["name"] for one in MANIFESTS if one["kind"] == "Deployment"
        }
        return
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found():
    manifest = next(one for one in MANIFESTS if one["kind"] == "Deployment")
    broken = {**manifest, "spec": {**manifest["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)
