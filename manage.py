#!/usr/bin/env python
"""The command line of the site."""

import os
import secrets
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "perfsite.settings")
    if sys.argv[1:2] == ["replay"]:
        # it keeps nothing: the settings would make a data folder for a key of their own
        os.environ.setdefault("PERFSITE_SECRET_KEY", secrets.token_hex())
    execute_from_command_line(sys.argv)
