"""What the pages read: rows gathered from the lower rooms, a fixed number of queries per page."""
