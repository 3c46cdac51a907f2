"""Every page, for reading and for doing, has an operation: found by walking the URL configuration."""

import re

import pytest
from django.urls import get_resolver

from perfsite.addresses import addresses
from perfsite.permissions import SIGN_IN
from tests.api.operations import RULES
from tests.api.pages import COVERED, PAGES_ONLY

pytestmark = pytest.mark.django_db
PAGES = sorted(
    {
        (name, route)
        for name, route in addresses(get_resolver())
        # signing in is about a person's own session and keys: a machine has a token instead
        if not route.startswith("api/v1/") and name not in SIGN_IN
    }
)
VALUES = {"slug": "nothing", "int": "999999", "str": "nothing"}


def address(route: str) -> str:
    """A route with rows that there are none of."""
    return "/" + re.sub(r"<(\w+):\w+>", lambda found: VALUES[found[1]], route)


def test_every_page_is_covered_by_an_operation_or_says_why_not(client, admin_user):
    """Asked as somebody who may do all: a method that a view does not know is answered 405."""
    client.raise_request_exception = False
    found = set()
    for name, route in PAGES:
        for method in ("GET", "POST"):
            client.force_login(admin_user)
            if client.generic(method, address(route)).status_code != 405:
                found.add((name, method))
    known = COVERED.keys() | PAGES_ONLY.keys()
    missing = "add an operation and a line to COVERED in tests/api/pages.py"
    assert sorted(found - known) == [], missing
    assert sorted(known - found) == [], "there is no such page any more"
    assert COVERED.keys() & PAGES_ONLY.keys() == set()


def test_what_covers_a_page_is_an_operation():
    for page, operations in COVERED.items():
        assert operations, page
        assert set(operations) <= RULES.keys(), page
    assert all(len(reason) > 20 for reason in PAGES_ONLY.values())
