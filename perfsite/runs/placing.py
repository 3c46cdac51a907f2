"""The build that results measured elsewhere are about, and its place on the branch."""

from __future__ import annotations

from django.db.models import Max

from perfsite.core.errors import ConflictError
from perfsite.runs.commits import Commit
from perfsite.runs.models import Build, Project
from perfsite.runs.services import ELSEWHERE


def build_place(*, project: Project, branch: str, commit: Commit, ordinal: int | None) -> Build:
    """The build of `commit`, made when it is new, with a place on its branch.

    A place that the site knows stays.  Else it is `ordinal`, which git tells the sender (`git rev-list
    --count --first-parent`), or the one after the last where every build of the branch came this way.
    A commit that git took off the branch stays without one.  Call it in a transaction.

    Raises:
        ConflictError: the branch holds delivered files, or the place cannot be told yet, or belongs to a
            commit that git itself put there.
    """
    Project.objects.select_for_update().get(pk=project.pk)  # two reports at once want two places
    line = Build.objects.filter(project=project, branch=branch)
    build = line.filter(sha=commit.sha).first()
    if build is not None and (build.ordinal is not None or build.state == "skipped"):
        return build
    if line.filter(file__isnull=False).exists():
        raise ConflictError(
            f"branch {branch} holds delivered files, and {commit.sha[:7]} has no place among them; "
            "name another branch"
        )
    place = ordinal if ordinal is not None else _place_next(project, branch, commit)
    _place_free(project, branch, place, commit)
    if build is None:
        return Build.objects.create(
            project=project,
            branch=branch,
            sha=commit.sha,
            parents=list(commit.parents),
            subject=commit.subject[:300],
            author_name=commit.author_name[:200],
            author_email=commit.author_email[:254],
            committed_at=commit.committed_at,
            is_head=True,
            state="planned",
            reason=ELSEWHERE,
            ordinal=place,
        )
    Build.objects.filter(pk=build.pk).update(ordinal=place)
    build.ordinal = place
    return build


def _place_next(project: Project, branch: str, commit: Commit) -> int:
    line = Build.objects.filter(project=project, branch=branch)
    if line.exclude(reason=ELSEWHERE).exclude(state="skipped", ordinal=None).exists():
        raise ConflictError(
            f"the place of {commit.sha[:7]} on {branch} is not known yet; tell it as `ordinal`: "
            f"git rev-list --count --first-parent {commit.sha[:7]}"
        )
    return (line.aggregate(last=Max("ordinal"))["last"] or 0) + 1


def _place_free(project: Project, branch: str, place: int, commit: Commit) -> None:
    """After a force-push another commit has the place: one that came this way gives it up with its points."""
    holder = (
        Build.objects.filter(project=project, branch=branch, ordinal=place).exclude(sha=commit.sha).first()
    )
    if holder is None:
        return
    if holder.reason != ELSEWHERE:
        raise ConflictError(
            f"place {place} of {branch} is {holder.short}'s, not {commit.sha[:7]}'s: "
            "push the rewritten branch first, or count again in a clone that is not shallow"
        )
    holder.points.all().delete()
    Build.objects.filter(pk=holder.pk).update(
        ordinal=None,
        state="skipped",
        reason=f"{commit.sha[:7]} has its place on {branch} now: it was rewritten",
    )
