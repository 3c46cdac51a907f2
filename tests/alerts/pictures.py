"""Pages that show the messages as their readers see them, to take the pictures of the room's README.

    python -m tests.alerts.pictures FOLDER

writes mail.html, slack.html and teams.html there.  What stands in them is what the channels send: the mail's
own HTML; the blocks and the card drawn as Slack and Teams draw them, near enough to judge them by.
"""

from __future__ import annotations

import base64
import os
import re
import sys
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from benchmarks.metrics import metric_get  # noqa: E402 - needs the apps
from perfsite.alerts.channels.slack import blocks_of  # noqa: E402
from perfsite.alerts.channels.teams import card_of  # noqa: E402
from perfsite.alerts.chart import ChartPoint, chart_png  # noqa: E402
from perfsite.alerts.message import IncidentFacts, Message, RegressionFacts, message_compose  # noqa: E402
from perfsite.alerts.message.forms import CHART_ID, html_of  # noqa: E402
from perfsite.regressions.wording import Change, Subject  # noqa: E402

BEFORE_S, AFTER_S, ACCUSED = 0.0123, 0.0147, 48
_PAGE = (
    '<!doctype html><meta charset="utf-8"><style>body{{margin:0;padding:20px;background:{paper};'
    "font:15px/22px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;color:#1d1c1d}}"
    "pre,code{{font-family:ui-monospace,monospace;font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere}}"
    "a{{color:#1264a3;text-decoration:none}}</style>{body}"
)


def example() -> Message:
    """A slowdown of two metrics, with layers, a chart and everything else that a message can say."""
    subject = Subject("3fa9c1a", "resnet50", "tensorrt", "fp16", "b8", "h100-80gb-hbm3", "latency_p50")
    command = (
        "git checkout --detach 3fa9c1a && python -m benchmarks run --entry models.py:resnet50 "
        "--runner tensorrt --precision fp16 --batch 8 --suite latency"
    )
    worst = RegressionFacts(
        subject, Change(BEFORE_S, AFTER_S, 0.198, 0.181, 0.215), 8, 1234.0, command, alpha=0.01
    )
    less = replace(
        worst,
        subject=replace(subject, metric="throughput"),
        change=Change(651.0, 544.0, -0.164, -0.178, -0.151),
    )
    facts = IncidentFacts(
        project="model-zoo",
        sha="3fa9c1a" + "0" * 33,
        commit_subject="Widen the second block's convolutions",
        author="Ada Lovelace",
        last_good="b27d004" + "0" * 33,
        url="https://perf.example.org/projects/model-zoo/incidents/7/",
        regressions=(worst, less),
        inside=(
            "code: +18.9 % [17.2, 20.6]",
            "clock: +0.6 % [0.1, 1.1]",
            "Layers: The two engines, as they were built to be measured",
            "layer2.0.conv2: 310 µs → 1.92 ms, +1.61 ms (67 % of the change); precision fp16 → fp32",
            "layer2.1.conv2: 300 µs → 710 µs, +410 µs (17 % of the change)",
            "layer2.3.conv1: 220 µs → 350 µs, +130 µs (5 % of the change)",
            "The 3 largest explain 89 % of the change.",
            "and 14 more layers on the page",
        ),
        mute_url="https://perf.example.org/mute/eyJ0/",
        incident=7,
    )
    return replace(message_compose(facts), image=_chart())


def _chart() -> bytes:
    wobble = (0.0, 0.011, -0.006, 0.005, -0.009, 0.003, 0.008, -0.004)
    points = [
        ChartPoint(place, (AFTER_S if place >= ACCUSED else BEFORE_S) * (1 + wobble[place % len(wobble)]))
        for place in range(1, 61)
    ]
    title = "Latency p50 of resnet50/tensorrt/fp16/b8 on h100-80gb-hbm3"
    value_text = metric_get("latency_p50").format
    return chart_png(
        points, title=title, accused=ACCUSED, before=BEFORE_S, after=AFTER_S, value_text=value_text
    )


def mail_page(message: Message) -> str:
    """The mail as a mail program shows it: subject line, then its own HTML."""
    picture = "data:image/png;base64," + base64.b64encode(message.image).decode()
    body = html_of(message, chart=True).replace(f"cid:{CHART_ID}", picture)
    head = f'<p style="font-size:20px;margin:0 0 16px">{escape(message.subject)}</p>'
    return _PAGE.format(paper="#ffffff", body=f'<div style="max-width:700px">{head}{body}</div>')


def slack_page(message: Message) -> str:
    """Block Kit sections in Slack's mrkdwn: bold, code and links."""
    blocks = "".join(
        f'<p style="margin:0 0 8px">{_mrkdwn(block["text"]["text"])}</p>'
        for block in blocks_of(message)["blocks"]
    )
    head = "<strong>Perfsite</strong> <span style='background:#ddd;font-size:11px;padding:0 3px'>APP</span>"
    return _PAGE.format(paper="#ffffff", body=f'<div style="max-width:640px">{head}{blocks}</div>')


def _mrkdwn(text: str) -> str:
    code = r'<pre style="background:#f8f8f8;border:1px solid #ddd;padding:8px">\1</pre>'
    text = re.sub(r"```(.*?)```", code, text, flags=re.DOTALL)
    text = re.sub(r"<(https?://[^|>]+)\|([^>]+)>", r'<a href="\1">\2</a>', text)
    text = re.sub(r"(?m)^\*(.+)\*$", r"<strong>\1</strong>", text)
    return text.replace("\n", "<br>")


def teams_page(message: Message) -> str:
    """The adaptive card's text blocks and buttons."""
    card = card_of(message)["attachments"][0]["content"]
    blocks = "".join(map(_text_block, card["body"]))
    button = '<span style="border:1px solid #d1d1d1;border-radius:4px;padding:5px 12px">{}</span>'
    buttons = " ".join(button.format(escape(one["title"])) for one in card["actions"])
    style = "max-width:640px;background:#fff;border-radius:6px;padding:16px;box-shadow:0 1px 3px #0003"
    return _PAGE.format(paper="#f5f5f5", body=f'<div style="{style}">{blocks}<p>{buttons}</p></div>')


def _text_block(block: dict[str, Any]) -> str:
    style = ["margin:2px 0" if block.get("spacing") == "Small" else "margin:10px 0 2px"]
    style += ["font-weight:600"] if block.get("weight") == "Bolder" else []
    style += ["font-size:17px"] if block.get("size") == "Medium" else []
    style += ["color:#c4314b"] if block.get("color") == "Attention" else []
    style += ["color:#616161"] if block.get("isSubtle") else []
    style += ["font-family:ui-monospace,monospace;font-size:12px"] if block.get("fontType") else []
    text = escape(re.sub(r"\\([\\`*_{}\[\]()<>#+|~@!&])", r"\1", block["text"]))
    return f'<p style="{";".join(style)}">{text}</p>'


def main() -> None:
    """Write the three pages."""
    folder, message = Path(sys.argv[1]), example()
    for name, make in (("mail", mail_page), ("slack", slack_page), ("teams", teams_page)):
        (folder / f"{name}.html").write_text(make(message), encoding="utf-8")


if __name__ == "__main__":
    main()
