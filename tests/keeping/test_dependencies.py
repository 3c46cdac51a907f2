"""The bill of materials is made here, without a network, and says what is installed."""

import importlib.metadata
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from django.core.management import CommandError, call_command

from perfsite.core.errors import PerfsiteError
from perfsite.keeping import dependencies
from perfsite.keeping.dependencies import bill_make, dependencies_audit

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = ("bwrap", "--bind", "/", "/", "--dev", "/dev", "--unshare-net", "--", sys.executable, "manage.py")
needs_bwrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap, which takes the network away, is not here"
)


def test_the_bill_is_valid_and_names_what_is_installed():
    said = io.StringIO()
    call_command("dependencies", "bill", stdout=said)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(said.getvalue()) is None
    parts = {part["name"].lower(): part for part in json.loads(said.getvalue())["components"]}
    for name in ("Django", "celery", "granian"):
        assert parts[name.lower()]["version"] == importlib.metadata.version(name)
        assert parts[name.lower()]["purl"].startswith(f"pkg:pypi/{name.lower()}@")


@needs_bwrap
def test_the_bill_is_made_without_a_network():
    done = subprocess.run(
        [*OFFLINE, "dependencies", "bill"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["components"]) > 50


def test_a_missing_program_is_named_with_its_extra(monkeypatch, tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # without what is installed
    bare.chmod(0o755)
    monkeypatch.setattr(dependencies.sys, "executable", str(bare))
    with pytest.raises(PerfsiteError, match=r"perfsite\[audit\]"):
        bill_make()


def test_an_audit_that_cannot_be_made_is_no_clean_one(tmp_path):
    with pytest.raises(PerfsiteError, match="could not be made"):
        dependencies_audit(constraints=tmp_path / "not-there.txt")


@needs_bwrap
def test_an_audit_without_a_network_is_no_clean_one(tmp_path):
    (tmp_path / "constraints.txt").write_text("jinja2==2.0\n")
    command = [*OFFLINE, "dependencies", "audit", "--constraints", str(tmp_path / "constraints.txt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "could not be made" in done.stderr


def test_a_known_vulnerability_is_a_sentence_with_the_version_that_mends_it(monkeypatch):
    """The database's answer is its own format; what the program prints of it is read here."""
    told = {"dependencies": [{"name": "jinja2", "version": "2.0",
                              "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1"]}]}]}  # fmt: skip
    program = subprocess.CompletedProcess([], 1, stdout=json.dumps(told), stderr="")
    monkeypatch.setattr(dependencies, "_run", lambda *_words: program)
    with pytest.raises(CommandError, match=r"constraints\.txt"):
        call_command("dependencies", "audit", stdout=(said := io.StringIO()))
    assert said.getvalue() == "jinja2 2.0: PYSEC-1, mended in 3.1\n"
