"""Settings from the environment."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ImproperlyConfigured

from perfsite.core.environ import env_flag, env_int, secret_key


def test_everybody_who_starts_at_once_gets_the_same_whole_key(tmp_path, monkeypatch):
    monkeypatch.delenv("PERFSITE_SECRET_KEY", raising=False)
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: secret_key(tmp_path / "data"), range(64)))
    assert len(keys) == 1
    assert len(keys.pop()) == 64
    (kept,) = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_setting_that_is_wrong_is_named(monkeypatch):
    monkeypatch.setenv("PERFSITE_X", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="PERFSITE_X='perhaps' is neither yes nor no"):
        env_flag("PERFSITE_X", default=True)
    with pytest.raises(ImproperlyConfigured, match="not a whole number"):
        env_int("PERFSITE_X", default=1)
