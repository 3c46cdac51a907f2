"""What `perfsite.toml` of a commit asks for: read from the mirror, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db.models import Q

from perfsite.core.errors import ConfigError, PerfsiteError
from perfsite.runs.commits import Commit
from perfsite.runs.config import MAX_BYTES, CaseGroup, Config, config_parse
from perfsite.runs.mirror import Mirror
from perfsite.runs.models import Build

CONFIG_NAME = "perfsite.toml"
# the reason is the mark too: such a build is planned anew when it becomes a head itself
BEHIND = "behind the head of its push; measured when a change must be found"


def config_at(*, mirror: Mirror, sha: str) -> Config:
    """The rules of a commit.

    Raises:
        ConfigError: it has no `perfsite.toml`, or a wrong one.
        RepositoryError: git cannot read it.
    """
    body = mirror.file(sha, CONFIG_NAME, limit=MAX_BYTES)
    if body is None:
        raise ConfigError(f"no {CONFIG_NAME} at the root of the repository; add one (see the README)")
    return config_parse(body)


def models_concerned(*, mirror: Mirror, commit: Commit, config: Config) -> tuple[str, ...]:
    """The models that a commit's own changes concern."""
    return config.models_triggered(mirror.changed(commit))


def groups_wanted(
    *, mirror: Mirror, build: Build, commit: Commit, config: Config, line: Sequence[str]
) -> tuple[list[CaseGroup], str]:
    """The case groups that planning a commit asks for, or none and the sentence why.

    `line` is the branch's first-parent line, the oldest commit first.  Where only heads are measured, a
    head answers for all that changed since the last one: its own commit may touch nothing but a README.
    """
    if not config.watches(build.branch, build.project.branch):
        return [], f"{CONFIG_NAME} does not watch branch {build.branch}"
    told_by = _push_whole(build, commit, line) if config.heads_only and build.is_head else commit
    changed = mirror.changed(told_by)
    wanted, reason = config.trigger(changed)
    if not wanted:
        return [], reason
    if config.heads_only and not build.is_head:
        return [], BEHIND
    groups = config.groups(set(config.models_triggered(changed)))
    return groups, "" if groups else "no model's paths were touched by this commit"


def _push_whole(build: Build, commit: Commit, line: Sequence[str]) -> Commit:
    """The commit as if it were its whole push: its parent is what was judged before it on its branch.

    That is the last head or planned build; before the first of them, the parent of the oldest build.
    """
    placed = Build.objects.filter(project_id=build.project_id, branch=build.branch)
    before = placed.filter(ordinal__lt=line.index(build.sha) + 1).order_by("ordinal")
    judged = before.filter(Q(is_head=True) | Q(state="planned")).last()
    if judged is not None:
        return replace(commit, parents=(judged.sha,))
    oldest = before.first()
    if oldest is None or oldest.ordinal is None:
        return commit
    return replace(commit, parents=(line[oldest.ordinal - 2],) if oldest.ordinal > 1 else ())


def builds_concerned(*, builds: Sequence[Build], mirror: Mirror, model: str) -> set[int]:
    """The ids of those builds whose own changes may concern a model; one that cannot be read may."""
    return {build.pk for build in builds if _may_concern(mirror, build, model)}


def _may_concern(mirror: Mirror, build: Build, model: str) -> bool:
    try:
        commit = mirror.commits([build.sha]).get(build.sha)
        config = config_at(mirror=mirror, sha=build.sha)
        if commit is None or model not in config.models:
            return True
        return model in models_concerned(mirror=mirror, commit=commit, config=config)
    except PerfsiteError:
        return True
