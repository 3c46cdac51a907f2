"""What other rooms may listen to.  Sent after commit; a lost one is repaired by their own sweep."""

from __future__ import annotations

from django.dispatch import Signal

# sent with `incident_id`, when an incident is opened or another regression joins it
incident_changed = Signal()
