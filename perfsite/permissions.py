"""Which role each address asks of a person: one table, and the middleware that keeps it.

What a person may read is decided where rows are looked up (`access.readers`); this table says who may use a
page at all and who may change something by it.  A request of a machine, with a token and without a session,
is left to the operation's own rule.  Every change that went through is in the audit log.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import get_resolver
from django.utils.deprecation import MiddlewareMixin

from perfsite.access.audit import audit_note, audit_told
from perfsite.access.auth import token_of
from perfsite.access.limits import address_of
from perfsite.access.roles import Role, role_anywhere, role_in
from perfsite.addresses import action_of, addresses
from perfsite.core.problems import problem_response

SAFE = ("GET", "HEAD", "OPTIONS")
API = "/api/"


@dataclass(frozen=True)
class Rule:
    """The least role for a request that changes something, and for one that only reads."""

    write: Role = Role.NONE
    read: Role = Role.NONE
    audited: bool = True


_OPEN = Rule()
_OWN = Rule(audited=False)  # it checks secrets of its own: a password, a signature, a worker's token
_SIGNED_IN = Rule(read=Role.VIEWER, write=Role.VIEWER)
_TRIAGE = Rule(write=Role.TRIAGER)
_MAINTAIN = Rule(write=Role.MAINTAINER)
_KEEP = Rule(write=Role.MAINTAINER, read=Role.MAINTAINER)
_SAY = Rule(write=Role.TRIAGER, read=Role.TRIAGER)
_ADMINISTER = Rule(write=Role.ADMINISTRATOR, read=Role.ADMINISTRATOR)
UNKNOWN = _KEEP
"""What an address without a row asks; the tests refuse such an address."""

OWN_CHECKS = (
    "healthz", "readyz", "metrics", "login", "logout", "login-link", "webhook", "api-nothing",
)  # fmt: skip
WORKER_OPERATIONS = ("hello", "claim", "progress", "pair", "failure", "give_back", "artifact", "report")
SIGN_IN = (
    "account_login", "account_logout", "account_inactive", "account_signup", "account_reauthenticate",
    "account_email", "account_confirm_email", "account_email_verification_sent", "account_change_password",
    "account_set_password", "account_reset_password", "account_reset_password_done",
    "account_reset_password_from_key", "account_reset_password_from_key_done", "account_request_login_code",
    "account_confirm_login_code", "account_request_reauthentication_code",
    "account_confirm_reauthentication_code", "socialaccount_login_cancelled", "socialaccount_login_error",
    "socialaccount_signup", "socialaccount_connections", "openid_connect_login", "openid_connect_callback",
    "mfa_index", "mfa_authenticate", "mfa_trust", "mfa_reauthenticate", "mfa_activate_totp",
    "mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_generate_recovery_codes",
    "mfa_download_recovery_codes",
)  # fmt: skip
"""Addresses of django-allauth, where it is on: each is about the person who asks, and checks that."""
TRIAGE_OPERATIONS = (
    "triage", "triage_many", "edit", "merge", "split", "move", "recheck", "mark", "unmark", "note_new",
    "note_delete", "mute_add",
)  # fmt: skip
ORDER_OPERATIONS = (
    "cancel", "again", "cancel_job", "again_job", "backfill", "build_deliver", "results", "compare_order",
    "search_order", "bisect_order", "schedule_begin", "schedule_new", "schedule_put", "schedule_delete",
    "approve", "distrust", "detection_change", "project_edit",
)  # fmt: skip
INSIDE_OPERATIONS = (
    "workers", "fitness", "notifications", "tellings", "channel_kinds", "deliveries", "refusals",
)  # fmt: skip
KEEPING_OPERATIONS = (
    "rules", "rule_add", "rule_trial", "rule", "rule_put", "rule_delete", "channels", "channel_add",
    "channel_put", "channel_use", "channel_delete", "channel_trial", "mute_stop", "notify_again", "tokens",
    "token_new", "token_end", "webhook_secret", "webhook_trial", "member_list",
)  # fmt: skip
API_READS = (
    "api-root", "openapi-json", "projects", "project", "builds", "build", "build_runs", "build_points",
    "build_verdicts", "run", "job", "series", "one_series", "series_verdicts", "series_environments",
    "series_samples", "compare_sides",
    "points", "trends", "compare", "incidents", "incidents_everywhere", "incident", "events", "environment",
    "environments", "artifacts", "content", "grading", "standing", "overview", "search", "jobs", "reproduce",
    "grid", "hardware", "capacity", "moved", "notes", "verdict", "bisections", "layers", "soak", "levels",
    "series_levels", "detection_rule", "detection_changes", "pulls", "pull", "trusted_authors", "schedules",
)  # fmt: skip

RULES: dict[str, Rule] = {
    **dict.fromkeys(OWN_CHECKS, _OWN),
    **dict.fromkeys(
        (
            "home", "live", "search", "project", "trends", "builds", "build", "project-incidents",
            "incident", "pulls", "pull", "schedules", "grading", "incidents", "series", "series-data", "run",
            "run-live", "soak",
            "artifact", "api-docs", "compare", "grid", "hardware", "moved",
        ),
        _OPEN,
    ),
    **dict.fromkeys(
        (
            "incident-triage", "incident-recheck", "series-act", "incident-details", "incident-merge",
            "incident-split", "incident-move", "incident-mute", "incidents-triage",
        ),
        _TRIAGE,
    ),
    **dict.fromkeys(("mute", "chart"), _OWN),  # the signed address is the right to it
    **dict.fromkeys(
        (
            "alerts", "alert-rule", "alert-rule-new", "alert-rule-trial", "alert-rule-trial-new",
            "alert-rule-store", "alert-rule-store-new", "alert-rule-switch", "alert-channel",
            "alert-channel-new", "alert-channel-test", "alert-channel-switch", "notification-again",
            "mute-end", "alert-rule-remove", "alert-channel-remove", "schedule", "schedule-remove",
            "project-settings",
        ),
        _KEEP,
    ),
    **dict.fromkeys(("note-remove", "mark-remove"), _SAY),
    "members": Rule(read=Role.MAINTAINER, write=Role.ADMINISTRATOR),
    **dict.fromkeys(("member-store", "member-remove"), _ADMINISTER),
    **dict.fromkeys(
        (
            "build-measure", "range-measure", "pull-approve", "author-distrust", "schedule-add",
            "schedule-act", "rule-apply", "run-cancel",
            "run-again", "job-cancel", "job-again", "series-order",
        ),
        _MAINTAIN,
    ),
    **dict.fromkeys(
        ("tokens", "token-create", "token-end", "webhook-settings", "webhook-secret", "webhook-trial"), _KEEP
    ),
    "workers": _SIGNED_IN,
    **dict.fromkeys(SIGN_IN, _OWN),
    **{f"api-v1:{name}": _OWN for name in WORKER_OPERATIONS},
    **{f"api-v1:{name}": _OPEN for name in API_READS},
    **{f"api-v1:{name}": _TRIAGE for name in TRIAGE_OPERATIONS},
    **{f"api-v1:{name}": _MAINTAIN for name in ORDER_OPERATIONS},
    **{f"api-v1:{name}": _SIGNED_IN for name in INSIDE_OPERATIONS},
    **{f"api-v1:{name}": _KEEP for name in KEEPING_OPERATIONS},
    "api-v1:mutes": Rule(read=Role.TRIAGER),
    "api-v1:detection_try": Rule(write=Role.VIEWER, audited=False),
    **{f"api-v1:{name}": _ADMINISTER for name in ("outbox", "mail", "audit")},
    **{
        f"api-v1:{name}": Rule(write=Role.ADMINISTRATOR)
        for name in ("member_put", "member_delete", "project_new")
    },
    **dict.fromkeys(("outbox", "mail", "audit", "project-new"), _ADMINISTER),
}  # fmt: skip

_PROJECT_PATHS = {
    "runs": ("runs.Run", "build__project_id"),
    "jobs": ("runs.Job", "run__build__project_id"),
    "builds": ("runs.Build", "project_id"),
    "series": ("results.Series", "project_id"),
    "artifacts": ("results.Artifact", "job__run__build__project_id"),
    "incidents": ("regressions.Incident", "project_id"),
}
"""Where the project is of what an address names by number, by the word before the number."""


class Permissions(MiddlewareMixin):
    """Refuses what the person's role does not allow, and notes what was changed."""

    def process_view(
        self, request: HttpRequest, view: Any, arguments: Any, values: dict[str, Any]
    ) -> HttpResponseBase | None:
        """None to go on; else the refusal."""
        rule = _rule(request)
        wanted = rule.read if request.method in SAFE else rule.write
        if wanted is Role.NONE or _is_machine(request):
            return None
        if not request.user.is_authenticated:
            return None if request.path.startswith(API) else redirect_to_login(request.get_full_path())
        project = project_id_of(request, values)
        if project is not None or wanted is Role.ADMINISTRATOR:
            held = role_in(request.user, project)
        else:
            held = role_anywhere(request.user)
        if held >= wanted:
            return None
        if held is Role.NONE and project is not None and not _is_public(project):
            # whether it exists is not for strangers to know: a page says so itself
            is_api = request.path.startswith(API)
            return problem_response(404, "there is no such thing, or not for you") if is_api else None
        return _refusal(request, wanted, held)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Note a change that went through."""
        if request.method not in SAFE and response.status_code < 400 and request.resolver_match:
            rule = _rule(request)
            token = token_of(request)
            is_worker = token is not None and token.purpose == "worker"  # its jobs tell of it
            if rule.audited and not is_worker and (token or request.user.is_authenticated):
                audit_note(
                    actor=f"token {token.name}" if token else request.user.get_username(),
                    action=action_of(request),
                    target=request.path,
                    detail=audit_told(request),
                    address=address_of(request),
                )
        return response


def may_write(request: HttpRequest, name: str, project_id: int | None) -> bool:
    """Whether the reader's role lets them change something by the address of this name.

    Of what belongs to no project their highest role counts.  A page asks it for each button, so what was
    looked up is kept with the request.
    """
    wanted = RULES.get(name, UNKNOWN).write
    if not request.user.is_authenticated:
        return wanted is Role.NONE
    held: dict[int | None, Role] = request.__dict__.setdefault("roles_held", {})
    if project_id not in held:
        is_wide = project_id is None
        held[project_id] = role_anywhere(request.user) if is_wide else role_in(request.user, project_id)
    return held[project_id] >= wanted


def project_id_of(request: HttpRequest, values: dict[str, Any]) -> int | None:
    """The project an address is about; None for what belongs to none, or is not there."""
    if "slug" in values:
        found = apps.get_model("runs", "Project").objects.filter(slug=values["slug"])
        return found.values_list("pk", flat=True).first()
    words = request.path.removeprefix("/api/v1").strip("/").split("/")
    if len(words) < 2 or words[0] not in _PROJECT_PATHS or not words[1].isdecimal():
        return None
    model, path = _PROJECT_PATHS[words[0]]
    return apps.get_model(model).objects.filter(pk=int(words[1])).values_list(path, flat=True).first()


def _is_public(project_id: int) -> bool:
    return apps.get_model("runs", "Project").objects.filter(pk=project_id, is_public=True).exists()


def _rule(request: HttpRequest) -> Rule:
    return _routes().get(request.resolver_match.route, UNKNOWN) if request.resolver_match else UNKNOWN


@cache
def _routes() -> dict[str, Rule]:
    """The rule of each route; of several operations on one, the strictest: Django names only the first."""
    found: dict[str, Rule] = {}
    for name, route in addresses(get_resolver()):
        rule, known = RULES.get(name, UNKNOWN), found.get(route, _OWN)
        found[route] = Rule(
            max(rule.write, known.write), max(rule.read, known.read), rule.audited or known.audited
        )
    return found


def _is_machine(request: HttpRequest) -> bool:
    """A token for the API and no session: a session is judged whatever headers come with it."""
    is_api = request.path.startswith(API)
    return is_api and "Authorization" in request.headers and not request.user.is_authenticated


def _refusal(request: HttpRequest, wanted: Role, held: Role) -> HttpResponse:
    sentence = (
        f"this needs the role {wanted.name.lower()}, yours is {held.name.lower()}; "
        "an administrator can give it: manage.py role set"
    )
    if request.path.startswith(API):
        return problem_response(403, sentence)
    raise PermissionDenied(sentence)
