"""The API of notes on points: list, add, remove."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from perfsite.access.auth import READERS, TRIAGERS, actor_of
from perfsite.access.readers import row_owned, row_seen
from perfsite.core.errors import NotFoundError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import ID_MAX, RowId
from perfsite.dashboards.models import Note
from perfsite.dashboards.services import NOTE_MOST, note_add, note_remove
from perfsite.results.models import Series

router = Router(auth=READERS, tags=["points"])


class NoteIn(Schema):
    """What a person has to say about a build's point."""

    build_id: int = Field(ge=1, le=ID_MAX)
    text: str = Field(min_length=1, max_length=NOTE_MOST, examples=["The bench was moved that day."])


class NoteOut(Schema):
    """A note on a point of a series; a flag on its chart."""

    id: int
    build_id: int
    sha: str
    ordinal: int | None
    author: str = Field(examples=["ada"])
    text: str = Field(examples=["The bench was moved that day."])
    created_at: datetime

    @staticmethod
    def resolve_sha(row: Note) -> str:
        """Of the build."""
        return row.build.sha

    @staticmethod
    def resolve_ordinal(row: Note) -> int | None:
        """Where the build is on its branch."""
        return row.build.ordinal


@router.get("/series/{series_id}/notes", response=Page[NoteOut])
def notes(request: HttpRequest, series_id: RowId, cursor: Query[Cursor]) -> dict[str, Any]:
    """What people wrote about points of a series."""
    found = row_seen(request, Series.objects.all(), pk=series_id)
    return page_of(Note.objects.filter(series=found).select_related("build"), cursor)


@router.post("/series/{series_id}/notes", response={201: NoteOut}, auth=TRIAGERS)
def note_new(request: HttpRequest, series_id: RowId, body: NoteIn) -> Status:
    """Put a note on a point."""
    found = row_owned(request, Series.objects.all(), pk=series_id)
    made = note_add(series=found, build_id=body.build_id, author=actor_of(request)[:150], text=body.text)
    return Status(201, made)


@router.delete("/series/{series_id}/notes/{note_id}", response={204: None}, auth=TRIAGERS)
def note_delete(request: HttpRequest, series_id: RowId, note_id: RowId) -> Status:
    """Remove a note."""
    found = row_owned(request, Series.objects.all(), pk=series_id)
    note = Note.objects.filter(series=found, pk=note_id).first()
    if note is None:
        raise NotFoundError(f"series {found.pk} has no note {note_id}; /notes lists those that are")
    note_remove(note=note)
    return Status(204, None)
