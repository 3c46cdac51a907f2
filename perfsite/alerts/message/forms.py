"""A message as text, HTML and Markdown (pure).  What a commit or a model is called is never markup."""

from __future__ import annotations

import re
from html import escape

from perfsite.alerts.message.facts import Message

# mail clients know neither style sheets nor custom properties: the colours of design tokens, written out
_TONES = {"regressed": ("#AB4600", "▲"), "improved": ("#00694C", "◆"), "quiet": ("#565F6B", "⊘")}
_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+|~@!&])")

CHART_ID = "chart@perfsite"
CHART_WORDS = "The series over its builds, the accused one marked"
_WHERE = "in a clone of the repository"


def text_of(message: Message) -> str:
    """Plain text."""
    parts = [message.headline]
    for heading, lines in message.sections:
        body = [f"    {line}" for line in lines] if heading else list(lines)
        parts.append("\n".join([heading, *body] if heading else body))
    if message.command:
        parts.append(f"{message.command_title}, {_WHERE}:\n    {message.command}")
    parts += [f"{title}: {url}" for title, url in message.links]
    return "\n\n".join(part for part in parts if part) + "\n"


def html_of(message: Message, *, chart: bool = False) -> str:
    """HTML that mail clients show; `chart` puts the picture in that is sent along as `CHART_ID`."""
    colour, mark = _TONES[message.tone]
    picture = (
        f'<p><img src="cid:{CHART_ID}" width="600" alt="{CHART_WORDS}" '
        'style="max-width:100%;height:auto;border:1px solid #DFE3E8;border-radius:6px"></p>'
        if chart
        else ""
    )
    sections = "".join(_html_section(heading, lines) for heading, lines in message.sections)
    command = (
        f"<p>{message.command_title}, {_WHERE}:</p>"
        f'<pre style="background:#EEF0F3;padding:10px 12px;border-radius:6px;'
        f'white-space:pre-wrap;overflow-wrap:anywhere;font-size:12px">{escape(message.command)}</pre>'
        if message.command
        else ""
    )
    return (
        f'<div style="{_FONT};font-size:14px;line-height:20px;color:#14181D;max-width:680px">'
        f'<p style="font-size:18px;line-height:24px;font-weight:600;color:{colour}">{mark} '
        f"{escape(message.headline)}</p>{picture}{sections}{command}<p>{_html_links(message)}</p></div>"
    )


def markdown_of(message: Message) -> str:
    """Markdown as forges and chats read it; every sign that could be markup is escaped."""
    parts = [f"**{markdown_escape(message.headline)}**"]
    for heading, lines in message.sections:
        body = [markdown_escape(line) for line in lines]
        parts.append("  \n".join([f"**{markdown_escape(heading)}**", *body] if heading else body))
    if message.command:
        parts.append(f"{message.command_title}, {_WHERE}:\n```\n{message.command.replace('```', '')}\n```")
    parts.append(" · ".join(f"[{title}]({url})" for title, url in message.links))
    return "\n\n".join(part for part in parts if part)


def markdown_escape(text: str) -> str:
    """Text in which nothing is markup, a mention or a link."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _html_section(heading: str, lines: tuple[str, ...]) -> str:
    body = "<br>".join(escape(line) for line in lines)
    if not heading:
        return f"<p>{body}</p>"
    return (
        '<p style="border-left:3px solid #DFE3E8;padding-left:10px;font-variant-numeric:tabular-nums">'
        f"<strong>{escape(heading)}</strong><br>{body}</p>"
    )


def _html_links(message: Message) -> str:
    if not message.links:
        return ""
    (title, url), *others = message.links
    button = (
        f'<a href="{escape(url)}" style="display:inline-block;padding:8px 14px;border-radius:6px;'
        f'background:#1A5FB4;color:#FFFFFF;text-decoration:none">{escape(title)}</a>'
    )
    rest = (f'<a href="{escape(url)}" style="color:#1A5FB4">{escape(title)}</a>' for title, url in others)
    return " &nbsp; ".join([button, *rest])
