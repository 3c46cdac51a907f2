"""The site's settings with a data folder of the tests' own; set before Django reads them."""

import atexit
import os
import shutil
import tempfile

_FOLDER = tempfile.mkdtemp(prefix="perfsite-tests-")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
os.environ["PERFSITE_DATA"] = _FOLDER
# nobody listens on port 1: a test that wants a broker starts one
os.environ["REDIS_URL"] = "redis://127.0.0.1:1/0"
os.environ.setdefault("PERFSITE_LOG", "WARNING")
# a plain person may do what a project's people do; who may do what is tested in tests/access
os.environ["PERFSITE_DEFAULT_ROLE"] = "maintainer"

from perfsite.settings import *  # noqa: E402, F403

# nobody breaks into a test: the real hasher takes a third of a second a person
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False  # the test client logs in without a request; its own test turns it on
