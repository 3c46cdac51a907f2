"""What a person writes down on the pages."""

from __future__ import annotations

from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.core.text import text_clean
from perfsite.dashboards.models import Note
from perfsite.results.models import Series

NOTE_MOST = 1000


def note_add(*, series: Series, build_id: int, author: str, text: str) -> Note:
    """Put a note on a point.

    Raises:
        NotFoundError: the build has no point in the series.
        PerfsiteError: the text is empty or too long.
    """
    text = text_clean(text.strip())
    if not text or len(text) > NOTE_MOST:
        raise PerfsiteError(f"a note has 1 to {NOTE_MOST} characters, this one {len(text)}")
    if not series.points.filter(build_id=build_id).exists():
        raise NotFoundError(f"Build {build_id} has no point in series {series.pk}.")
    return Note.objects.create(series=series, build_id=build_id, author=author, text=text)


def note_remove(*, note: Note) -> None:
    """Take a note off its point."""
    Note.objects.filter(pk=note.pk).delete()
