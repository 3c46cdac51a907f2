"""What a message says."""

from dataclasses import replace

import pytest

from perfsite.alerts.message import (
    MOST_ROWS,
    IncidentFacts,
    RegressionFacts,
    certainty_words,
    digest_compose,
    message_compose,
)
from perfsite.regressions.wording import Change, Subject

SLOWER = RegressionFacts(
    subject=Subject("3fa9c1a", "cnn", "tensorrt", "fp16", "b8", "h100-80gb-hbm3", "latency_p50"),
    change=Change(0.0123, 0.0147, 0.198, 0.181, 0.215),
    pairs=8,
    e_value=1234.5,
    command="git checkout --detach 3fa9c1a && python -m benchmarks run --entry models.py:cnn",
)


def facts(*rows: RegressionFacts, **more) -> IncidentFacts:
    values = {
        "project": "demo",
        "sha": "3fa9c1a" + "0" * 33,
        "commit_subject": "Widen <conv>",
        "author": "Ada & Co",
        "last_good": "b" * 40,
        "url": "http://site/projects/demo/incidents/7/",
        "regressions": rows or (SLOWER,),
    }
    return IncidentFacts(**(values | more))


def test_the_subject_names_commit_model_size_and_place():
    assert message_compose(facts()).subject == (
        "[demo] 3fa9c1a made cnn 19.8 % slower on h100-80gb-hbm3 (tensorrt, fp16, batch 8)"
    )


def test_the_text_tells_how_much_since_when_how_sure_and_where_to_go():
    text = message_compose(facts()).text
    for words in (
        "12.3 ms → 14.7 ms, +19.8 % [18.1, 21.5]",
        "Since 3fa9c1a by Ada & Co: Widen <conv>",
        "Last good: bbbbbbb",
        "confirmed by 8 interleaved pairs on one device",
        "at most once in 1,234 comparisons",
        f"Reproduce it, in a clone of the repository:\n    {SLOWER.command}",
        "http://site/projects/demo/incidents/7/",
    ):
        assert words in text


def test_what_a_commit_says_is_never_html():
    html = message_compose(facts()).html
    assert "Widen &lt;conv&gt;" in html
    assert "Ada &amp; Co" in html
    assert "<conv>" not in html


def test_a_subject_is_one_line_whatever_the_commit_says():
    assert "\n" not in message_compose(facts(commit_subject="a\nBcc: x@example.org")).subject


def test_a_long_incident_names_the_first_and_counts_the_rest():
    message = message_compose(facts(*[SLOWER] * (MOST_ROWS + 3)))
    assert message.subject.endswith(f", and {MOST_ROWS + 2} more")
    assert message.text.count("confirmed by") == MOST_ROWS
    assert "and 3 more metrics on the page" in message.text
    assert "Reproduce the first, in a clone of the repository:" in message.text


def test_a_counted_metric_is_certain():
    row = RegressionFacts(
        subject=Subject("3fa9c1a", "cnn", "torch", "fp32", "b1", "cpu", "parameter_count"),
        change=Change(1000, 1100, 0.1, 0.1, 0.1),
    )
    assert certainty_words(row) == "counted, not timed: certain"
    text = message_compose(facts(row)).text
    assert "raised the parameters of cnn by 10.0 %" in text
    assert "Reproduce" not in text


def test_an_incident_without_regressions_is_refused():
    with pytest.raises(ValueError, match="has nothing to tell of"):
        message_compose(facts(regressions=()))


def test_a_breach_of_a_service_level_accuses_nobody_and_names_the_bound():
    row = ("cnn: Latency p99 on h100", ("Latency p99 is 91 ms, over its service level of at most 80 ms.",))
    message = message_compose(
        replace(facts(), regressions=(), headline=row[1][0], breaches=(row, row), is_innocent=True)
    )
    assert message.subject.endswith("at most 80 ms, and 1 more")
    assert "Seen at 3fa9c1a: Widen <conv>" in message.text
    assert "Ada" not in message.text
    assert "Reproduce" not in message.text


def test_a_digest_names_each_incident_with_its_page_and_its_reason():
    message = digest_compose(
        [facts(), facts(incident=8)], project="demo", url="http://site/all/", why="held back"
    )
    assert message.subject.startswith("[demo] 2 incidents: 3fa9c1a made cnn 19.8 % slower")
    assert "2 incidents in demo, held back." in message.text
    assert message.text.count("http://site/projects/demo/incidents/7/") == 2
    assert [row["project"] for row in message.payload["incidents"]] == ["demo", "demo"]


def test_brackets_say_their_level_where_it_is_known():
    assert "% interval" not in message_compose(facts(SLOWER)).text
    told = message_compose(facts(replace(SLOWER, alpha=0.01))).text
    assert "] (99 % interval)\n" in told
