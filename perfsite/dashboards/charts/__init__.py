"""Chart data from rows.  Pure: no database, no clock, no settings."""
