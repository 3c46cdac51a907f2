"""The audit log speaks in words: every change that the matrix of roles writes down has some."""

from perfsite.access.audit import audit_note
from perfsite.access.roles import Role
from perfsite.dashboards.audit_words import audit_words
from perfsite.permissions import RULES

# pages that take no change: a POST to them is refused and nothing is written down
READ_ONLY = {
    "alerts", "members", "tokens", "workers", "audit", "outbox", "mail", "webhook-settings",
    *(
        f"api-v1:{name}"
        for name in (
            "workers", "fitness", "notifications", "tellings", "channel_kinds", "channels", "rules", "rule",
            "tokens", "member_list", "deliveries", "refusals", "outbox", "mail", "audit",
        )
    ),
}  # fmt: skip


def test_every_change_has_words_of_its_own():
    audited = {name for name, rule in RULES.items() if rule.audited and rule.write > Role.NONE}
    for name in audited - READ_ONLY:
        plain = name.removeprefix("api-v1:").replace("-", " ").replace("_", " ")
        assert audit_words(name).removesuffix(", by the API") != plain, (
            f"{name} needs a row in audit_words.py"
        )


def test_an_action_of_another_release_is_shown_by_its_own_words():
    assert audit_words("thing-done_twice") == "thing done twice"
    assert audit_words("api-v1:triage") == "triaged an incident, by the API"


def test_the_log_is_searched_by_its_words(world, person):
    audit_note(actor="ada", action="incident-mute", target="/x/")
    audit_note(actor="bob", action="run-cancel", target="/y/")
    html = person.get("/audit/", {"q": "muted"}).content.decode()
    assert "muted an incident" in html
    assert "/y/" not in html
    assert "cancelled a run" in person.get("/audit/", {"q": "bob"}).content.decode()
