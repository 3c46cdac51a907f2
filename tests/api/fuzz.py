"""`python -m tests.api.fuzz --examples 200`: the long run of test_api_fuzz.py, by hand."""

import argparse
import os
import sys

import pytest


def main() -> int:
    """Run it; the exit status is the test's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="of each operation; default 200")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["PERFSITE_FUZZ_EXAMPLES"] = str(options.examples)
    os.environ["PERFSITE_FUZZ_SEED"] = str(options.seed)
    return pytest.main(["-q", "-s", "-p", "no:cacheprovider", "tests/api/test_api_fuzz.py"])


if __name__ == "__main__":
    sys.exit(main())
