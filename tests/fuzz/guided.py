"""`python -m tests.fuzz.guided TARGET --runs 100000 --seed 1`: bytes guided by the code they reach (atheris).

Of a reader of bytes from outside; the first byte picks the headers of a webhook. It begins with what is right
and with nothing. A finding ends it with status 77 and the bytes in `crash-*` of the folder it runs in.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "PERFSITE_LOG": "CRITICAL"}
_READERS = ("webhook github", "webhook gitlab", "webhook generic", "perfsite.toml", "report")
_LONGEST = 20_000


def main() -> None:
    """Feed one reader; does not return."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("target", choices=_READERS)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    import atheris

    # what is imported here is watched line by line
    with atheris.instrument_imports(include=["perfsite.webhooks", "perfsite.runs.config", "benchmarks"]):
        import django

        django.setup()
        from tests.fuzz import right
        from tests.fuzz.targets import HEADERS, report_feed, toml_feed, webhook_feed

    first = {
        "webhook github": right.GITHUB,
        "webhook gitlab": right.GITLAB,
        "webhook generic": right.GENERIC,
        "report": right.REPORT,
    }
    feed: Callable[[bytes], str]
    if options.target.startswith("webhook"):
        forge = options.target.partition(" ")[2]

        def feed(data: bytes) -> str:
            headers = HEADERS[forge][data[0] % len(HEADERS[forge])] if data else HEADERS[forge][0]
            return webhook_feed(forge, headers, data[1:])
    else:
        feed = toml_feed if options.target == "perfsite.toml" else report_feed
    with tempfile.TemporaryDirectory() as folder:
        for place, text in enumerate(_texts(options.target, first, right.TOML)):
            Path(folder, str(place)).write_bytes(text)
        atheris.Setup(
            [sys.argv[0], f"-runs={options.runs}", f"-seed={options.seed}", f"-max_len={_LONGEST}", folder],
            lambda data: feed(data) and None,
        )
        atheris.Fuzz()


def _texts(target: str, first: dict[str, list[object]], toml: object) -> list[bytes]:
    """What is right for a reader, as bytes."""
    if target == "perfsite.toml":
        texts = toml if isinstance(toml, list) else [toml]
        return [text if isinstance(text, bytes) else str(text).encode() for text in texts]
    rows = [json.dumps(row).encode() for row in first[target]]
    if not target.startswith("webhook"):
        return rows
    return [bytes([place]) + row for place in range(5) for row in rows]


if __name__ == "__main__":
    main()
