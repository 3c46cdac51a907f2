"""What the mirror says of files: there, not there, or not known."""

import pytest

from perfsite.core.errors import RepositoryError
from perfsite.runs.mirror import Mirror
from tests.runs.repository import Repository


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "origin")


@pytest.fixture
def mirror(tmp_path, repository):
    repository.commit("one", a="1\n", folder__b="2")
    mirror = Mirror(str(repository.path), tmp_path / "mirrors")
    with mirror.claimed():
        mirror.fetch()
    return mirror


def test_a_file_is_read_and_one_that_is_not_there_is_none(mirror, repository):
    sha = repository.git("rev-parse", "HEAD")
    assert mirror.file(sha, "a", limit=100) == b"1\n"
    assert mirror.file(sha, "nothing", limit=100) is None
    assert mirror.file(sha, "folder", limit=100) is None  # no file
    assert len(mirror.file(sha, "a", limit=1)) == 2  # one byte over the limit, whatever its size


def test_an_unknown_commit_is_no_absent_file(mirror):
    with pytest.raises(RepositoryError, match="is no commit of the mirror"):
        mirror.file("0" * 40, "a", limit=100)


def test_a_damaged_mirror_is_no_absent_file(mirror, repository):
    sha = repository.git("rev-parse", "HEAD")
    (mirror.path / "HEAD").unlink()
    with pytest.raises(RepositoryError, match="git cat-file"):
        mirror.file(sha, "a", limit=100)
