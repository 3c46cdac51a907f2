"""What several tests of the measuring library check about themselves."""

from collections.abc import Iterator

import psutil
import pytest


@pytest.fixture
def leaves_no_process() -> Iterator[None]:
    """Whatever the test started has ended; what others keep running beside it does not count."""
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before
