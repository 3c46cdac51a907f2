"""What each operation of the API needs: written down once more, so that a new one without a rule fails.

`open` reads are for strangers too, where the project is public; `known` reads are for every token but a
worker's, and for people; `inside` ones name people or cost the site time, so they are for the project's own;
`site` ones are for tokens of the whole site, `site manage` for those of them that may manage; `administer` is
for these, too, and about a project; the rest is the right that a purpose gives.
"""

from datetime import UTC, datetime, timedelta

SOON = (datetime.now(UTC) + timedelta(days=7)).isoformat()

RULES = {
    "GET /projects": "open",
    "GET /projects/{slug}": "open",
    "GET /projects/{slug}/builds": "open",
    "GET /builds/{build_id}": "open",
    "GET /builds/{build_id}/runs": "open",
    "GET /builds/{build_id}/points": "open",
    "GET /builds/{build_id}/verdicts": "open",
    "GET /builds/{build_id}/standing": "open",
    "GET /runs/{run_id}": "open",
    "GET /jobs/{job_id}": "open",
    "GET /jobs/{job_id}/report": "open",
    "GET /jobs/{job_id}/artifacts": "open",
    "GET /artifacts/{artifact_id}": "open",
    "GET /artifacts/{artifact_id}/content": "open",
    "GET /projects/{slug}/series": "open",
    "GET /projects/{slug}/trends": "open",
    "GET /projects/{slug}/compare": "open",
    "GET /projects/{slug}/compare/sides": "open",
    "GET /projects/{slug}/grading": "open",
    "GET /projects/{slug}/environments": "open",
    "GET /environments/{environment_id}": "open",
    "GET /series/{series_id}": "open",
    "GET /series/{series_id}/points": "open",
    "GET /series/{series_id}/samples": "open",
    "GET /series/{series_id}/environments": "open",
    "GET /series/{series_id}/verdicts": "open",
    "GET /incidents": "open",
    "GET /projects/{slug}/incidents": "open",
    "GET /incidents/{incident_id}": "open",
    "GET /incidents/{incident_id}/events": "open",
    "GET /overview": "open",
    "GET /search": "open",
    "GET /moved": "open",
    "GET /jobs": "open",
    "GET /jobs/{job_id}/reproduce": "open",
    "GET /jobs/{job_id}/soak": "open",
    "GET /projects/{slug}/grid": "open",
    "GET /projects/{slug}/hardware": "open",
    "GET /projects/{slug}/capacity": "open",
    "GET /projects/{slug}/levels": "open",
    "GET /series/{series_id}/levels": "open",
    "GET /series/{series_id}/notes": "open",
    "GET /verdicts/{verdict_id}": "open",
    "GET /incidents/{incident_id}/bisections": "open",
    "GET /incidents/{incident_id}/layers": "open",
    "GET /projects/{slug}/grading/rule": "open",
    "GET /projects/{slug}/grading/changes": "open",
    "GET /projects/{slug}/pulls": "open",
    "GET /projects/{slug}/pulls/{forge}/{number}": "open",
    "GET /projects/{slug}/trusted-authors": "open",
    "GET /projects/{slug}/schedules": "open",
    "GET /workers": "known",
    "GET /workers/fitness": "known",
    "GET /channel-kinds": "known",
    "GET /projects/{slug}/notifications": "inside",
    "GET /projects/{slug}/deliveries": "inside",
    "GET /projects/{slug}/refusals": "inside",
    "GET /incidents/{incident_id}/tellings": "inside",
    "POST /projects/{slug}/grading/try": "inside",
    "GET /audit": "site manage",
    "GET /outbox": "site",
    "GET /outbox/{mail_id}": "site",
    "POST /projects/{slug}/builds": "deliver",
    "POST /projects/{slug}/backfill": "deliver",
    "POST /projects/{slug}/results": "report",
    "POST /runs/{run_id}/cancel": "deliver",
    "POST /runs/{run_id}/again": "deliver",
    "POST /jobs/{job_id}/cancel": "deliver",
    "POST /jobs/{job_id}/again": "deliver",
    "POST /incidents/{incident_id}/triage": "triage",
    "POST /incidents/{incident_id}/merge": "triage",
    "POST /incidents/{incident_id}/split": "triage",
    "POST /incidents/{incident_id}/move": "triage",
    "POST /projects/{slug}/triage": "triage",
    "PATCH /incidents/{incident_id}": "triage",
    "POST /incidents/{incident_id}/recheck": "triage",
    "POST /incidents/{incident_id}/mute": "triage",
    "GET /projects/{slug}/mutes": "triage",
    "POST /series/{series_id}/notes": "triage",
    "DELETE /series/{series_id}/notes/{note_id}": "triage",
    "POST /series/{series_id}/builds/{build_id}/mark": "triage",
    "DELETE /series/{series_id}/builds/{build_id}/mark": "triage",
    "POST /series/{series_id}/builds/{build_id}/compare": "deliver",
    "POST /series/{series_id}/builds/{build_id}/search": "deliver",
    "POST /series/{series_id}/builds/{build_id}/bisect": "deliver",
    "POST /projects/{slug}/schedules/{schedule_id}/begin": "deliver",
    "POST /projects/{slug}/schedules": "manage",
    "PUT /projects/{slug}/schedules/{schedule_id}": "manage",
    "DELETE /projects/{slug}/schedules/{schedule_id}": "manage",
    "POST /projects/{slug}/pulls/heads/{head_id}/approve": "manage",
    "DELETE /projects/{slug}/trusted-authors/{author_id}": "manage",
    "PUT /projects/{slug}/grading/rule": "manage",
    "GET /projects/{slug}/alert-rules": "manage",
    "POST /projects/{slug}/alert-rules": "manage",
    "POST /projects/{slug}/alert-rules/try": "manage",
    "GET /projects/{slug}/alert-rules/{rule_id}": "manage",
    "PUT /projects/{slug}/alert-rules/{rule_id}": "manage",
    "DELETE /projects/{slug}/alert-rules/{rule_id}": "manage",
    "POST /projects/{slug}/webhook/secret": "manage",
    "POST /projects/{slug}/webhook/test": "manage",
    "GET /projects/{slug}/channels": "manage",
    "POST /projects/{slug}/channels": "manage",
    "PUT /projects/{slug}/channels/{channel_id}": "manage",
    "PATCH /projects/{slug}/channels/{channel_id}": "manage",
    "DELETE /projects/{slug}/channels/{channel_id}": "manage",
    "POST /projects/{slug}/channels/{channel_id}/test": "manage",
    "DELETE /projects/{slug}/mutes/{mute_id}": "manage",
    "POST /projects/{slug}/notifications/{notification_id}/again": "manage",
    "POST /projects": "site manage",
    "PATCH /projects/{slug}": "manage",
    "GET /projects/{slug}/members": "manage",
    "PUT /projects/{slug}/members/{username}": "administer",
    "DELETE /projects/{slug}/members/{username}": "administer",
    "GET /projects/{slug}/tokens": "manage",
    "POST /projects/{slug}/tokens": "manage",
    "DELETE /projects/{slug}/tokens/{token_id}": "manage",
    "POST /worker/hello": "worker",
    "POST /worker/claim": "worker",
    "POST /attempts/{token}/progress": "worker",
    "POST /attempts/{token}/pairs": "worker",
    "POST /attempts/{token}/failure": "worker",
    "POST /attempts/{token}/give-back": "worker",
    "POST /attempts/{token}/report": "worker",
    "PUT /attempts/{token}/artifacts/{name}": "worker",
}
# lists that belong to no project: everybody gets a page, of what they may see
SITE_LISTS = frozenset(
    {
        "GET /projects",
        "GET /incidents",
        "GET /overview",
        "GET /search",
        "GET /moved",
        "GET /jobs",
        "GET /workers",
        "GET /workers/fitness",
        "GET /channel-kinds",
        "GET /outbox",
        "GET /outbox/{mail_id}",
        "GET /audit",
    }
)

# what an operation cannot do without in its address
QUERIES = {
    "GET /projects/{slug}/compare/sides": "?by=runner&base=torch&new=tensorrt",
    "GET /projects/{slug}/compare": "?base={base_id}&new={build_id}",
    "GET /projects/{slug}/capacity": "?p99_ms=80&qps=180",
    "GET /search": "?q=x",
    "PUT /attempts/{token}/artifacts/{name}": "?kind=log&sha256=0",
}

# bodies that are well formed: what is answered is then about the caller
BODIES = {
    "POST /projects/{slug}/results": {
        "sha": "b" * 40,
        "device_class": "ci",
        "measurements": [{"model": "m", "runner": "r", "metric": "latency_p50", "value": 1}],
    },
    "POST /projects/{slug}/builds": {"sha": "a" * 40},
    "POST /incidents/{incident_id}/triage": {"state": "untriaged"},
    "POST /incidents/{incident_id}/merge": {"into": 1},
    "POST /incidents/{incident_id}/split": {"regressions": [1], "build_id": 1},
    "POST /incidents/{incident_id}/move": {"build_id": 10**9},
    "POST /projects/{slug}/triage": {"incidents": [10**9], "state": "confirmed"},
    "POST /projects/{slug}/backfill": {"builds": [10**9]},
    "POST /incidents/{incident_id}/mute": {"until": SOON, "reason": "it is moved"},
    "POST /series/{series_id}/notes": {"build_id": 10**9, "text": "moved"},
    "POST /projects/{slug}/schedules": {"name": "weekly", "what": "full", "at": "02:00", "days": ["sat"]},
    "PUT /projects/{slug}/schedules/{schedule_id}": {"name": "weekly", "what": "soak", "at": "03:00"},
    "PUT /projects/{slug}/grading/rule": {"score": 6.0, "reason": "quieter"},
    "POST /projects/{slug}/alert-rules": {"name": "new", "channels": []},
    "PUT /projects/{slug}/alert-rules/{rule_id}": {"name": "old", "channels": [], "is_enabled": False},
    "POST /projects/{slug}/channels": {"kind": "email", "name": "mail too"},
    "PUT /projects/{slug}/channels/{channel_id}": {"name": "post"},
    "PATCH /projects/{slug}/channels/{channel_id}": {"is_enabled": False},
    "POST /projects": {"repo": "https://git.example.org/me/models", "slug": "connected"},
    "PATCH /projects/{slug}": {"name": "Renamed"},
    "PUT /projects/{slug}/members/{username}": {"role": "triager"},
    "POST /projects/{slug}/tokens": {"name": "made", "purpose": "read"},
}

READING = frozenset({"read", "report", "deliver", "triage", "manage"})


def may(rule: str, purpose: str | None) -> bool:
    """Whether a purpose (None: a stranger) may, as far as the purpose goes."""
    if rule == "open":
        return purpose != "worker"
    if rule in ("known", "inside", "site"):
        return purpose in READING
    if rule in ("site manage", "administer"):
        return purpose == "manage"
    return purpose == rule or (purpose == "manage" and rule != "worker")
