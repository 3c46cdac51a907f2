"""Errors people read: what happened, to which thing, how to mend it."""

from __future__ import annotations


class PerfsiteError(Exception):
    """The root of the site's own errors; the message is a sentence for a person."""


class NotFoundError(PerfsiteError):
    """The thing asked for does not exist, or not for this reader."""


class ForbiddenError(PerfsiteError):
    """The caller is known and may not do this."""


class ConflictError(PerfsiteError):
    """The request is right in itself and does not fit what is stored."""


class ConfigError(PerfsiteError):
    """A `perfsite.toml` or a setting is wrong; the message names the line or key."""


class RepositoryError(PerfsiteError):
    """The watched repository could not be read; worth another try."""


class SupersededError(PerfsiteError):
    """The attempt's token is no longer the job's: another attempt took over or the job has ended."""


class UnavailableError(PerfsiteError):
    """The site cannot do it now, through no fault of the caller; the same request may work later."""
