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
    "webhook-secret": "made a new webhook secret",
    "webhook-trial": "sent a test delivery",
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
    "recheck": "ordered a comparison again",
    "mark": "marked a point",
    "unmark": "took a mark from a point",
    "note_new": "noted something on a point",
    "note_delete": "removed a point's note",
    "mute_add": "muted an incident's series",
    "mute_stop": "ended a mute",
    "compare_order": "ordered a comparison",
    "search_order": "ordered a search",
    "schedule_new": "added a schedule",
    "schedule_put": "changed a schedule",
    "schedule_begin": "began a schedule's turn",
    "schedule_delete": "removed a schedule",
    "approve": "approved a fork's commit",
    "distrust": "trusted an author no more",
    "detection_change": "changed the detection rule",
    "rule_add": "added a rule",
    "rule_put": "changed a rule",
    "rule_delete": "removed a rule",
    "rule_trial": "tried a rule",
    "channel_add": "added a channel",
    "channel_put": "changed a channel",
    "channel_use": "switched a channel on or off",
    "channel_trial": "sent a test message",
    "channel_delete": "removed a channel",
    "notify_again": "sent a message again",
    "token_new": "made a token",
    "token_end": "revoked a token",
    "webhook_secret": "made a new webhook secret",
    "webhook_trial": "sent a test delivery",
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
