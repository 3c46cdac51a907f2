"""What the cases of one job share: assets, and the engines and variants that are made when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.engines import EngineBuild, build_options, engine_build, engine_label
from benchmarks.errors import BenchmarkError
from benchmarks.nursery import Nursery
from benchmarks.progress import Journal
from benchmarks.runners.base import Assets, artifact_required
from benchmarks.runners.table import ROWS

ENGINE_WEIGHT = 1.0
NO_ONNX = "onnx"  # the key of the refusal to make the ONNX file: torch's cases go on without


@dataclass
class Prepared:
    """What the cases of one job share.

    `assets` has no engine but a given one; `batches` are those an engine must take, by runner.
    `fill` loads the source of a variant and, when told so, exports it; `nursery` as in `Bench`.
    """

    assets: Assets
    workdir: Path
    batches: dict[str, tuple[int, ...]]
    journal: Journal
    fill: Callable[[Prepared, bool], None]
    nursery: Nursery | None = None
    parameter_count: int | None = None
    export_s: float | None = None
    builds: dict[Any, EngineBuild] = field(default_factory=dict)
    rebuilt: int = 0
    refusals: dict[Any, BenchmarkError] = field(default_factory=dict)
    variants: dict[Any, Prepared] = field(default_factory=dict)

    def assets_of(self, case: Case) -> Assets:
        """The assets as `case.runner` loads them; its engine is built when it is first asked for.

        Raises:
            BenchmarkError: the engine cannot be built; the same error each time.
        """
        runner, assets = case.runner, replace(self.assets, options=case.runner_options)
        if ROWS[runner].loads != "module" and NO_ONNX in self.refusals:
            raise self.refusals[NO_ONNX]
        if ROWS[runner].loads != "engine" or assets.engine is not None:
            return assets
        key = _engine_key(case)
        if key in self.refusals:
            raise self.refusals[key]
        if key not in self.builds:
            try:
                self.builds[key] = self._engine_build(case)
            except BenchmarkError as error:
                self.refusals[key] = error
                raise
        return replace(assets, engine=self.builds[key].engine)

    def build_of(self, case: Case) -> EngineBuild | None:
        """How the engine of `case` was built; None when this job did not build it."""
        return self.builds.get(_engine_key(case))

    def rebuild(self, case: Case) -> EngineBuild:
        """The engine of `case`, built once more from the same ONNX file, beside the first.

        Raises:
            BenchmarkError: it cannot be built.
        """
        self.rebuilt += 1
        return self._engine_build(case, suffix=f".rebuilt{self.rebuilt}")

    def variant(
        self,
        case: Case,
        *,
        source: ModelSource | None = None,
        precision: str | None = None,
        size: int | None = None,
    ) -> Assets:
        """The assets that `case.runner` loads, of another model, precision or input size.

        Raises:
            BenchmarkError: they cannot be made; the same error each time.
        """
        base, wants_onnx = self.assets, ROWS[case.runner].loads != "module"
        key = (source or base.source, precision or base.precision, size)
        if key == (base.source, base.precision, base.size):
            return self.assets_of(case)
        asked = (*key, wants_onnx)
        if asked in self.refusals:
            raise self.refusals[asked]
        if asked not in self.variants:
            try:
                self.variants[asked] = self._variant_make(
                    *key, wants_onnx=wants_onnx, place=len(self.variants)
                )
            except BenchmarkError as error:
                self.refusals[asked] = error
                raise
        return self.variants[asked].assets_of(case)

    def _variant_make(
        self, source: ModelSource, precision: str, size: int | None, *, wants_onnx: bool, place: int
    ) -> Prepared:
        made = Prepared(
            assets=replace(
                self.assets,
                source=source,
                precision=precision,
                size=size,
                example=(),
                onnx=None,
                engine=None,
            ),
            workdir=self.workdir / f"variant{place + 1}",
            batches=self.batches,
            journal=self.journal,
            fill=self.fill,
            nursery=self.nursery,
        )
        made.workdir.mkdir(exist_ok=True)
        self.fill(made, wants_onnx)
        return made

    def _engine_build(self, case: Case, suffix: str = "") -> EngineBuild:
        runner, label = case.runner, engine_label(case.runner_options)
        with self.journal.stage(f"engine-{runner}", ENGINE_WEIGHT, f"ONNX to {runner}"):
            return engine_build(
                runner=runner,
                onnx=artifact_required(self.assets.onnx, runner, "an ONNX file"),
                target=self.workdir / f"model-{self.assets.precision}{label}{suffix}.{runner}.engine",
                example_shapes=tuple(array.shape for array in self.assets.example),
                batches=self.batches.get(runner, (case.batch,)),
                options=case.runner_options,
                precision=self.assets.precision,
                root=self.assets.checkout,
            )

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file made or taken."""
        given = (self.assets.onnx, self.assets.engine)
        built = (file for build in self.builds.values() for file in (build.engine, *build.files))
        return (*(file for file in given if file), *built)


def _engine_key(case: Case) -> tuple[Any, ...]:
    """What makes two cases of a job share an engine."""
    return case.runner, *build_options(case.runner_options)
