"""The incident's page shows what differs layer by layer, from a profile or from the engines."""

from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile

from benchmarks.layers import Layer, Layers
from benchmarks.layers.stored import stored_write
from perfsite.regressions.layers import layers_shown
from perfsite.results.artifacts import artifact_store
from perfsite.results.models import Artifact, Report
from perfsite.runs.models import Job
from tests.dashboards.conftest import BAD_S, CASE, GOOD_S
from tests.factories import case_make, claim, job_make

ENGINE_DATA = Path(__file__).parents[1] / "benchmarks" / "data" / "layers"


@pytest.fixture(autouse=True)
def _fresh(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    cache.clear()


def layers(slow_s: float, count: int = 12) -> Layers:
    rows = [Layer(f"block.{n}", "Conv2d", frozenset({f"block.{n}"}), 1e-4) for n in range(count)]
    rows[3] = Layer("block.3", "Conv2d", frozenset({"block.3"}), slow_s, "fp16", "winograd")
    return Layers(tuple(rows), "torch profiler, operators", 0.004)


@pytest.fixture
def profile(world):
    """A profile job of the incident; call it with the content of each file to have it done."""
    accused, good = world.incident.build, world.incident.range_start
    job = job_make(accused, CASE, kind="profile", priority=90)
    Job.objects.filter(pk=job.pk).update(spec={**job.spec, "base": good.pk})

    def done(files: dict[str, bytes], outcomes: tuple[dict, ...] = ()) -> Job:
        attempt = claim(world.worker)
        assert attempt.job_id == job.pk
        for name, content in files.items():
            artifact_store(attempt=attempt, name=name, kind="profile", content=ContentFile(content))
        environment = Report.objects.first().environment
        Report.objects.create(
            job=job, attempt=attempt, environment=environment, kind="measure", outcomes=outcomes
        )
        Job.objects.filter(pk=job.pk).update(state="done")
        return job

    return done


def both(good: Layers, suspect: Layers) -> dict[str, bytes]:
    return {
        "good.torch.b1.layers.json.gz": stored_write(good),
        "suspect.torch.b1.layers.json.gz": stored_write(suspect),
        "good.torch.b1.trace.json.gz": b"a trace",
        "suspect.torch.b1.trace.json.gz": b"another",
    }


def shown(world):
    return layers_shown(incident=world.incident, worst=world.incident.regressions.get())


def page(client, world) -> str:
    answer = client.get(f"/projects/zoo/incidents/{world.incident.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_nothing_is_shown_where_nobody_profiled(world, person):
    assert shown(world) is None
    assert "Layer by layer" not in page(person, world)


def test_a_profile_on_its_way_is_told(world, profile, person):
    assert "is ordered" in page(person, world)


def test_a_profile_shows_the_largest_groups_and_offers_both_traces(world, profile, person):
    job = profile(both(layers(2e-4), layers(8e-4)))
    found = shown(world)
    assert len(found.rows) == 8
    assert found.more == 4
    assert found.rows[0].names == "block.3"
    assert (found.rows[0].before, found.rows[0].after) == ("200 µs", "800 µs")
    assert found.rows[0].share == "75\N{NO-BREAK SPACE}%"  # of the 0.8 ms that the verdict is about
    assert found.sentences[0] == "The 3 largest explain 75\N{NO-BREAK SPACE}% of the change."
    assert "measured without a profiler" in found.sentences[2]
    html = page(person, world)
    for trace in Artifact.objects.filter(job=job, name__contains="trace"):
        assert f'href="/artifacts/{trace.pk}/"' in html
    assert "block.3" in html
    assert "explain 75" in html


def test_the_difference_is_kept_and_the_links_are_not(world, profile, django_assert_max_num_queries):
    profile(both(layers(2e-4), layers(8e-4)))
    first = shown(world)
    Artifact.objects.get(name="good.torch.b1.layers.json.gz").file.delete(save=False)
    assert shown(world) == first
    cache.clear()
    assert shown(world) is None  # the file is gone


def test_a_fusion_and_a_precision_are_said_in_words(world, profile):
    good = Layers(
        (Layer("a", "Conv", frozenset("a"), 1e-3, "fp16"), Layer("b", "Relu", frozenset("b"), 1e-3)), "x"
    )
    suspect = Layers((Layer("ab", "Conv", frozenset("ab"), 3e-3, "fp32"),), "x")
    profile(both(good, suspect))
    assert (
        shown(world).rows[0].differs == "2 layers fused into 1; precision fp16 → fp32; kind Conv, Relu → Conv"
    )


@pytest.mark.parametrize("damaged", [b"", b"nonsense", b'{"format": "perfsite-layers/7"}'])
def test_a_damaged_profile_takes_nothing_else_from_the_page(world, profile, person, damaged):
    profile({**both(layers(2e-4), layers(8e-4)), "suspect.torch.b1.layers.json.gz": damaged})
    assert "Layer by layer" not in page(person, world)


def test_a_profile_that_could_not_be_taken_says_why(world, profile, person):
    reason = "suspect: this machine has no GPU"
    profile({}, ({"case": CASE.model_dump(mode="json"), "status": "skipped", "reason": reason},))
    assert reason in page(person, world)


def test_names_from_a_repository_are_text(world, profile, person):
    evil = "<script>alert(1)</script>"
    good, suspect = (Layers((Layer(evil, "Conv", frozenset(), us * 1e-6),), "x") for us in (1, 2))
    profile(both(good, suspect))
    html = page(person, world)
    assert evil not in html
    assert "&lt;script&gt;" in html


def engine_kept(world, job: Job, name: str, kind: str, content: bytes) -> None:
    attempt = job.attempts.get()
    artifact_store(attempt=attempt, name=name, kind=kind, content=ContentFile(content))


@pytest.fixture
def engines(world):
    """The incident's series is one of TensorRT-RTX; files of its two builds can be added."""
    type(world.series).objects.filter(pk=world.series.pk).update(runner="tensorrt_rtx")
    jobs = {build.pk: job for job in world.jobs for build in [job.run.build]}
    pair = [jobs[world.incident.range_start_id], jobs[world.incident.build_id]]

    def add(name: str, kind: str, good: bytes, suspect: bytes) -> None:
        for job, content in zip(pair, (good, suspect), strict=True):
            engine_kept(world, job, name, kind, content)

    return add


def test_engines_are_compared_by_the_builders_log_where_there_is_nothing_better(world, engines):
    log = (ENGINE_DATA / "rtx-1.7.1.116-tiny-cnn.log").read_bytes()
    other = log.replace(b"__myl_TranMean_0xb33f315d5419e033570fe6221bf3d09a", b"__myl_TranMean_other")
    engines("model-fp32.tensorrt_rtx.engine.log", "log", log, other)
    found = shown(world)
    assert not found.timed
    (row,) = found.rows
    assert row.names == "node_mean"
    assert row.differs.startswith("tactic __myl_TranMean_0xb33f")


def test_engines_are_compared_by_the_inspector_with_its_times(world, engines, person):
    layers_json = (ENGINE_DATA / "inspector-10.json").read_bytes()
    times = (ENGINE_DATA / "inspector-10-times.json").read_bytes()
    engines("model-fp32.tensorrt_rtx.engine.b1.layers.json", "profile", layers_json, layers_json)
    slower = times.replace(b"2.1e-05", b"8.21e-04")
    assert slower != times
    engines("model-fp32.tensorrt_rtx.engine.b1.layer-times.json", "profile", times, slower)
    found = shown(world)
    assert found.rows[0].names == "node_Conv_69, node_relu"
    assert found.rows[0].share == f"{0.8 / (1e3 * (BAD_S - GOOD_S)) * 100:.0f}\N{NO-BREAK SPACE}%"
    assert "The two engines" in page(person, world)


def test_the_number_of_queries_does_not_depend_on_the_layers(world, profile, django_assert_max_num_queries):
    profile(both(layers(2e-4, 400), layers(8e-4, 400)))
    worst = world.incident.regressions.select_related("series", "verdict__base").get()
    with django_assert_max_num_queries(4):
        assert layers_shown(incident=world.incident, worst=worst).more == 392


def test_a_profile_of_another_case_is_shown_as_what_it_is(world, profile):
    other = case_make(model="cnn", runner="onnxruntime", suite="latency")
    spec = Job.objects.get(kind="profile").spec
    Job.objects.filter(kind="profile").update(spec={**spec, "cases": [other.model_dump()]})
    files = both(layers(2e-4), layers(8e-4))
    profile({name.replace("torch", "onnxruntime"): content for name, content in files.items()})
    found = shown(world)
    assert found.source.startswith(f"Profiles of {other.label}")
    assert found.rows[0].change == "+600 µs"
    assert "measured without" not in " ".join(found.sentences)


def test_a_picked_row_of_a_comparison_shows_the_layers_of_its_two_builds(world, engines, person):
    layers_json = (ENGINE_DATA / "inspector-10.json").read_bytes()
    times = (ENGINE_DATA / "inspector-10-times.json").read_bytes()
    engines("model-fp32.tensorrt_rtx.engine.b1.layers.json", "profile", layers_json, layers_json)
    slower = times.replace(b"2.1e-05", b"8.21e-04")
    engines("model-fp32.tensorrt_rtx.engine.b1.layer-times.json", "profile", times, slower)
    old, new = world.incident.range_start.short, world.incident.build.short
    query = {"base": old, "new": new}
    assert "Layer by layer" not in person.get("/projects/zoo/compare/", query).content.decode()
    query["pick"] = world.series.pk
    html = person.get("/projects/zoo/compare/", query).content.decode()
    part = html.partition('aria-labelledby="layers"')[2].partition("</section>")[0]
    assert "node_Conv_69, node_relu" in part
    assert f"Base {old}: layers" in part
    assert f"New {new}: layers" in part
    assert "Last good" not in part
    query["base"] = world.builds[0].short  # whose engines nobody kept
    assert "Layer by layer" not in person.get("/projects/zoo/compare/", query).content.decode()
