"""`manage.py dependencies bill | audit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.core.errors import PerfsiteError
from perfsite.keeping.dependencies import CONSTRAINTS, bill_make, dependencies_audit


class Command(BaseCommand):
    """What the site is made of, and whether any of it is known to be harmful."""

    help = "Print the bill of materials (CycloneDX), or audit the locked versions against PyPI's advisories."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser(
            "bill", help="what is installed here, as CycloneDX JSON on standard output; asks nobody"
        )
        audit = actions.add_parser("audit", help="status 1 when a locked version has a known vulnerability")
        audit.add_argument("--constraints", type=Path, default=CONSTRAINTS)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        try:
            if options["action"] == "bill":
                self.stdout.write(json.dumps(bill_make(), indent=2))
                return
            found = dependencies_audit(constraints=options["constraints"])
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        self.stdout.write("\n".join(found) or "no known vulnerability")
        if found:
            raise CommandError("take the mended versions into constraints.txt, and run the tests")
