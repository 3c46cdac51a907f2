"""Builds without a commit: an ONNX file or an engine that was delivered by its URL and digest.

A branch holds either commits or files.  The files of a branch stand in the order in which they were
delivered: that is their place.
"""

from __future__ import annotations

import fnmatch
import logging
from typing import cast
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from perfsite.core.errors import ConfigError, PerfsiteError
from perfsite.core.publish import wake_on_commit
from perfsite.core.transition import state_swap
from perfsite.runs.file_told import FileFormat, FileTold, file_config, file_groups
from perfsite.runs.models import Build, BuildFile, Project
from perfsite.runs.plan import jobs_queue, postpone
from perfsite.runs.selectors import device_classes_known
from perfsite.runs.states import BUILD_STATES

log = logging.getLogger(__name__)


class FileRefusedError(PerfsiteError):
    """The delivered file is not taken; the message says why and how to mend it."""


def file_receive(*, project: Project, branch: str, told: FileTold) -> tuple[Build, bool]:
    """Note a delivered file as the newest build of its branch; planning is woken on commit.

    The build, and whether it is new: a file that the branch has already stays where it is, to be
    fetched from where it was told to be last.

    Raises:
        FileRefusedError: the branch holds commits, or the URL is one that this site lets nobody fetch.
    """
    _url_allow(told.url)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # two files at once get two places
        line = Build.objects.filter(project=project, branch=branch)
        if line.filter(file=None).exists():
            raise FileRefusedError(
                f"branch {branch} holds commits, and a file has no place among them; name another ref, "
                f"for example {told.model}"
            )
        known = line.filter(sha=told.sha256).first()
        if known is not None:
            # by a new address: the signature of the old one may be over
            BuildFile.objects.filter(build=known).exclude(url=told.url).update(url=told.url)
            return known, False
        last = line.aggregate(last=Max("ordinal"))["last"] or 0
        build = Build.objects.create(
            project=project,
            branch=branch,
            sha=told.sha256,
            ordinal=last + 1,
            subject=(told.subject or f"{told.model}, a new file")[:300],
            author_name=told.author_name[:200],
            author_email=told.author_email[:254],
            committed_at=told.made_at or timezone.now(),
            is_head=True,
        )
        BuildFile.objects.create(
            build=build,
            url=told.url,
            size=told.size,
            format=told.format,
            model=told.model,
            rules=dict(told.rules or {}),
        )
        wake_on_commit("runs.plan")
    return build, True


def _url_allow(url: str) -> None:
    """Refuse at once what no worker would fetch; the worker judges the address itself, and each redirect."""
    parts = urlsplit(url)
    if parts.scheme not in settings.FETCH_SCHEMES:
        allowed = ", ".join(settings.FETCH_SCHEMES)
        raise FileRefusedError(
            f"files are not fetched by {parts.scheme!r}; allowed: {allowed} (setting PERFSITE_FETCH_SCHEMES)"
        )
    host, hosts = parts.hostname or "", settings.FETCH_HOSTS
    if parts.scheme != "file" and hosts and not any(fnmatch.fnmatch(host, one) for one in hosts):
        raise FileRefusedError(
            f"files are not fetched from {host!r}; allowed: {', '.join(hosts)} (setting PERFSITE_FETCH_HOSTS)"
        )


def files_plan() -> int:
    """Queue the jobs of every delivered file that is due; returns how many builds were settled."""
    return sum(_file_try(build) for build in files_due().select_related("file").order_by("id"))


def files_due() -> QuerySet[Build]:
    """The delivered files that wait to be planned."""
    return Build.objects.filter(state="received", plan_due_at__lte=timezone.now(), file__isnull=False)


def _file_try(build: Build) -> bool:
    """Plan one file; one's oddity must not keep the others, and what is planned after them, waiting."""
    try:
        return _file_plan(build)
    except Exception:
        log.exception("planning %s failed", build)
        return postpone([build], "planning failed inside the site; its log tells why")


def _file_plan(build: Build) -> bool:
    file = build.file
    try:
        config = file_config(model=file.model, rules=file.rules)
    except ConfigError as error:  # it was right when it was delivered: the site knows less, or more, by now
        return state_swap(build, to="failed", legal=BUILD_STATES, reason=str(error))
    classes = list(config.devices or device_classes_known())
    if not classes:
        return postpone([build], "no worker has joined yet, so there is no device to measure on")
    groups = file_groups(config, file_format=cast(FileFormat, file.format))
    return jobs_queue(build, build.ordinal or 0, config, groups, classes)
