"""The deployment files as they are once their variable has its value."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
COMPOSE = {path.name: yaml.safe_load(path.read_text()) for path in sorted(DOCKER.glob("compose*.yaml"))}


def manifests(version: str = VERSION) -> list[dict[str, Any]]:
    """What `envsubst '$PERFSITE_VERSION'` makes of the manifests."""
    paths = sorted((DOCKER / "kubernetes").glob("*.yaml"))
    texts = [path.read_text().replace("${PERFSITE_VERSION}", version) for path in paths]
    assert not [found for text in texts for found in re.findall(r"\$\{\w*", text)]
    return [one for text in texts for one in yaml.safe_load_all(text)]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """The specifications of a kind, by name."""
    return {one["metadata"]["name"]: one["spec"] for one in manifests() if one["kind"] == kind}


def pods() -> dict[str, tuple[dict[str, str], dict[str, Any]]]:
    """Labels and specification of the pods that are started, by what starts them."""
    started = {**of_kind("Deployment"), **of_kind("Job")}
    templates = {name: spec["template"] for name, spec in started.items()}
    return {name: (one["metadata"]["labels"], one["spec"]) for name, one in templates.items()}


def selected(selector: dict[str, Any]) -> set[str]:
    """What starts the pods that a selector finds."""
    wanted = selector["matchLabels"].items()
    return {name for name, (labels, _) in pods().items() if wanted <= labels.items()}
