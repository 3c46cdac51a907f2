"""The pages, a file per page: a view reads, renders, and leaves every rule to the rooms below."""
