"""What each operation of the API needs: written down once more, so that a new one without a rule fails.

`open` reads are for strangers too, where the project is public; `known` reads are for every token but a
worker's, and for people; `inside` reads name people, so they are for the project's own; the rest is the
purpose that gives the right.
"""

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
    "GET /projects/{slug}/grading": "open",
    "GET /projects/{slug}/environments": "open",
    "GET /environments/{environment_id}": "open",
    "GET /series/{series_id}": "open",
    "GET /series/{series_id}/points": "open",
    "GET /series/{series_id}/environments": "open",
    "GET /series/{series_id}/verdicts": "open",
    "GET /incidents": "open",
    "GET /projects/{slug}/incidents": "open",
    "GET /incidents/{incident_id}": "open",
    "GET /incidents/{incident_id}/events": "open",
    "GET /workers": "known",
    "GET /projects/{slug}/notifications": "inside",
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
    {"GET /projects", "GET /incidents", "GET /workers", "GET /outbox", "GET /outbox/{mail_id}"}
)

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
}

READING = frozenset({"read", "report", "deliver", "triage"})


def may(rule: str, purpose: str | None) -> bool:
    """Whether a purpose (None: a stranger) may, as far as the purpose goes."""
    if rule == "open":
        return purpose != "worker"
    if rule in ("known", "inside", "site"):
        return purpose in READING
    return purpose == rule
