"""What other rooms may listen to.  Sent after commit; a lost one is repaired by the sweep."""

from __future__ import annotations

from django.dispatch import Signal

# sent with `report_id`
report_stored = Signal()
