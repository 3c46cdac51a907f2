"""`manage.py replay --online --confirm` against a simulator, over pipes."""

import json
import subprocess

import numpy as np
import pytest

from tests.regressions.detection_loom import Series, series_generate
from tests.regressions.replaying import line, replay_home, step, told


@pytest.fixture
def command(tmp_path):
    with replay_home(tmp_path) as start:
        yield start


class Simulator:
    """Answers asks with fresh pairs of a series whose truth is known."""

    def __init__(self, process: subprocess.Popen, seed: int = 1):
        self.process, self.rng, self.asked = process, np.random.default_rng(seed), []

    def replayed(self, series: Series) -> list[dict]:
        """The changes of one series, its asks answered."""
        self.send(line(series.name, series.values.tolist()))
        while True:
            row = json.loads(self.process.stdout.readline())
            if "ask" not in row:
                assert row["name"] == series.name
                return row["changes"]
            ask = row["ask"]
            assert ask["name"] == series.name
            self.asked.append(ask)
            levels = series.level[[ask["a"], ask["b"]]][:, None]
            pairs = levels * np.exp(series.short * self.rng.standard_normal((2, ask["pairs"])))
            self.send(json.dumps({"a": pairs[0].tolist(), "b": pairs[1].tolist()}) + "\n")

    def send(self, text: str):
        self.process.stdin.write(text)
        self.process.stdin.flush()


def test_pairs_are_asked_over_pipes_until_they_decide(command):
    process = command("--online", "--confirm", "--pairs", "12")
    simulator = Simulator(process)
    right = wrong = events = builds = 0
    for seed in range(1, 37):
        series = series_generate(seed)
        before = len(simulator.asked)
        for change in simulator.replayed(series):
            near = any(a - 2 <= change["index"] <= b + 2 for a, b in series.events)
            right, wrong = right + near, wrong + (not near)
        events, builds = events + len(series.events), builds + len(series.values)
        spent: dict[tuple[int, int], int] = {}
        for ask in simulator.asked[before:]:
            assert 0 <= ask["a"] < ask["b"] < len(series.values)
            spent[ask["a"], ask["b"]] = spent.get((ask["a"], ask["b"]), 0) + ask["pairs"]
    assert told(process, "") == ([], "", 0)
    assert right / events > 0.6
    assert wrong / (right + wrong) < 0.2
    assert 2 * sum(ask["pairs"] for ask in simulator.asked) / builds < 0.35


def test_pairs_that_show_nothing_refute_and_pairs_that_show_it_confirm(command):
    text = line("a", step(points=26, at=20, seed=2))
    quiet = json.dumps({"a": [5.0, 5.01, 4.99], "b": [5.01, 4.99, 5.0]}) + "\n"
    rows, _, status = told(command("--online", "--confirm"), text + quiet * 30)
    assert rows[0]["ask"]["a"] == 19
    assert rows[0]["ask"]["b"] >= 20
    # answers that no ask awaited are read as series, and refused
    (answer,) = (row for row in rows if "changes" in row)
    assert (answer["changes"], status) == ([], 1)
    asked = [row["ask"] for row in rows if "ask" in row]
    assert [one["told"] for one in answer["comparisons"]] == [False] * len(answer["comparisons"])
    assert {one["verdict"] for one in answer["comparisons"]} <= {"same", "unknown"}
    assert sum(one["spent"] for one in answer["comparisons"]) == answer["pairs"] == 3 * len(asked)
    first = answer["comparisons"][0]
    assert first["interval"][0] < first["effect"] < first["interval"][1]
    assert first["interval"][0] < 0 < first["interval"][1] < 0.1
    clear = json.dumps({"a": [5.0, 5.01, 4.99, 5.0, 5.01], "b": [5.51, 5.49, 5.5, 5.52, 5.5]}) + "\n"
    rows, err, status = told(command("--online", "--confirm"), text + clear)
    assert (status, err) == (0, "")
    (change,) = rows[-1]["changes"]
    assert (change["index"], change["direction"]) == (20, "regressed")
    assert change["detected_at"] <= 22
    assert (change["verdict"], change["level"], change["pairs"]) == ("regressed", 0.997, 5)
    assert change["effect"] == pytest.approx(0.1, abs=0.01)
    assert 0 < change["interval"][0] < change["effect"] < change["interval"][1]
    (comparison,) = rows[-1]["comparisons"]
    assert (comparison["index"], comparison["asked_at"]) == (20, change["detected_at"])
    assert (comparison["told"], comparison["spent"], rows[-1]["pairs"]) == (True, 5, 5)


def test_a_series_that_counts_up_for_the_better_says_improved(command):
    text = line("a", step(points=26, at=20, seed=2), lower_is_better=False)
    clear = json.dumps({"a": [5.0, 5.01, 4.99, 5.0, 5.01], "b": [5.51, 5.49, 5.5, 5.52, 5.5]}) + "\n"
    (*_, row), err, _ = told(command("--online", "--confirm"), text + clear)
    assert err == ""
    assert [one["verdict"] for one in (*row["changes"], *row["comparisons"])] == ["improved", "improved"]


def test_the_service_rule_answers_as_the_site_and_takes_its_error_rate(command):
    spent = []
    for alpha in ("0.05", "0.0001"):
        process = command("--online", "--confirm", "--rule", "service", "--alpha", alpha)
        simulator = Simulator(process)
        simulator.send(line("a", step(points=30, at=25, seed=2)))
        while "ask" in (row := json.loads(process.stdout.readline())):
            pairs = row["ask"]["pairs"]
            noise = 1 + 0.02 * simulator.rng.standard_normal((2, pairs))
            simulator.send(
                json.dumps({"a": (5.0 * noise[0]).tolist(), "b": (5.5 * noise[1]).tolist()}) + "\n"
            )
        assert told(process, "")[1:] == ("", 0)
        (change,) = row["changes"]
        assert (change["index"], change["verdict"]) == (25, "regressed")
        assert change["level"] == 1 - float(alpha)
        assert change["relative"] == change["effect"] == pytest.approx(0.1, abs=0.03)
        spent.append(row["pairs"])
    assert spent[0] < spent[1]


def test_a_bad_answer_ends_the_question_and_the_end_of_input_ends_the_series(command):
    rows, err, status = told(
        command("--online", "--confirm"), line("a", step(points=23, at=20, seed=2)) + '{"a": [1]}\n' * 9
    )
    assert "line 2, the answer about 'a'" in err
    assert status == 1
    assert {"name": "a", "changes": [], "comparisons": [], "pairs": 0} in rows
    rows, err, status = told(command("--online", "--confirm"), line("a", step(points=26, at=20, seed=2)))
    assert "standard input ended while pairs of builds 19 and" in err
    assert ("ask" in rows[-1], status) == (True, 1)
