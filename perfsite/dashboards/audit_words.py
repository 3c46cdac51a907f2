"""What an entry of the audit log says was done, in words; an action is named as its address is.  Pure."""

from __future__ import annotations

_WORDS: dict[str, str] = {
    "login": "logged in",
    "login-failed": "failed to log in",
    "role-set": "gave a role",
    "terms-set": "set how long things are kept",
    "incident-triage": "triaged an incident",
    "incidents-triage": "triaged several incidents",
    "incident-recheck": "ordered a comparison again",
    "incident-details": "changed an incident's details",
    "incident-merge": "merged an incident",
    "incident-split": "split an incident",
    "incident-move": "accused another build",
    "incident-mute": "muted an incident's series",
    "series-act": "marked or noted a point",
    "series-order": "ordered a comparison or a search",
    "alert-rule": "opened a rule",
    "alert-rule-new": "opened a new rule",
    "alert-rule-trial": "tried a rule",
    "alert-rule-trial-new": "tried a new rule",
    "alert-rule-store": "changed a rule",
    "alert-rule-store-new": "added a rule",
    "alert-rule-switch": "switched a rule on or off",
    "alert-channel": "changed a channel",
    "alert-channel-new": "added a channel",
    "alert-channel-test": "sent a test message",
    "alert-channel-switch": "switched a channel on or off",
    "notification-again": "sent a message again",
    "mute-end": "ended a mute",
    "build-measure": "ordered a commit to be measured",
    "range-measure": "ordered a range to be measured",
    "pull-approve": "approved a fork's commit",
    "author-distrust": "trusted an author no more",
    "schedule-add": "added a schedule",
    "schedule-act": "began, paused or removed a schedule",
    "rule-apply": "changed the detection rule",
    "run-cancel": "cancelled a run",
    "run-again": "repeated a run's failed jobs",
    "job-cancel": "cancelled a job",
    "job-again": "repeated a job",
    "token-create": "made a token",
    "token-end": "revoked a token",
    "triage": "triaged an incident",
    "triage_many": "triaged several incidents",
    "edit": "changed an incident's details",
    "merge": "merged an incident",
    "split": "split an incident",
    "move": "accused another build",
    "note": "noted something on an incident",
    "cancel": "cancelled a run",
    "again": "repeated a run's failed jobs",
    "cancel_job": "cancelled a job",
    "again_job": "repeated a job",
    "backfill": "ordered commits to be measured",
    "build_deliver": "delivered a build",
    "results": "sent results measured elsewhere",
}
_API = "api-v1:"


def audit_words(action: str) -> str:
    """`incident-mute` as `muted an incident's series`; an action of another release by its own words."""
    name = action.removeprefix(_API)
    told = _WORDS.get(name) or name.replace("-", " ").replace("_", " ")
    return f"{told}, by the API" if action.startswith(_API) else told


def actions_matching(text: str) -> list[str]:
    """The actions whose words contain `text`, for a search."""
    wanted = text.casefold()
    names = [name for name, words in _WORDS.items() if wanted in words]
    return [*names, *(f"{_API}{name}" for name in names)]
