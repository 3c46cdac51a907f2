"""`python -m perfsite.client`."""

from __future__ import annotations

import sys

from perfsite.client.main import main

sys.exit(main())
