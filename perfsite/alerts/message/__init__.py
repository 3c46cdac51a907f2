"""What is told (pure): facts in; subject, text, HTML, Markdown and data out."""

from perfsite.alerts.message.brief import brief_of, text_cut
from perfsite.alerts.message.compose import MOST_ROWS, certainty_words, message_compose
from perfsite.alerts.message.digest import digest_compose, notice_compose
from perfsite.alerts.message.facts import IncidentFacts, Message, RegressionFacts

__all__ = [
    "MOST_ROWS",
    "IncidentFacts",
    "Message",
    "RegressionFacts",
    "brief_of",
    "certainty_words",
    "digest_compose",
    "message_compose",
    "notice_compose",
    "text_cut",
]
