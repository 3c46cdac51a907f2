"""Signatures: the published vector of RFC 4231, and what must never pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfsite.webhooks.signature import signature_make, signature_matches


def test_rfc_4231_case_2():
    made = signature_make(secret="Jefe", body=b"what do ya want for nothing?")
    assert made == "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_githubs_own_example():
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature_matches(secret="It's a Secret to Everybody", body=b"Hello, World!", header=header)


@pytest.mark.parametrize(
    "header",
    ["", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "ü" * 71, "\ud800", "sha256=" + "G" * 64],
)
def test_wrong_headers(header: str):
    assert not signature_matches(secret="s", body=b"b", header=header)


def test_an_empty_secret_signs_nothing():
    header = signature_make(secret="", body=b"b")
    assert not signature_matches(secret="", body=b"b", header=header)


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.binary(), st.binary())
def test_only_the_same_bytes_match(secret: str, body: bytes, other: bytes):
    header = signature_make(secret=secret, body=body)
    assert signature_matches(secret=secret, body=body, header=header)
    assert signature_matches(secret=secret, body=other, header=header) == (body == other)
