"""What `run` was asked: one job per model and precision, with its cases."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.cases import DEFAULT_SUITES, ONCE_SUITES, SUITES, Case, ModelSource
from benchmarks.metrics import evaluate_metric
from benchmarks.options import OPTIONS, OptionValue, Pairs, option_concerns, option_read

ALL_SUITES = "all"
Values = dict[str, tuple[OptionValue, ...]]

_DEFAULT_RUNNERS = {
    "catalogue": ("torch", "onnxruntime"),
    "entry": ("torch", "onnxruntime"),
    "onnx": ("onnxruntime",),
    "engine": ("tensorrt",),
}


@dataclass(frozen=True)
class Asked:
    """One job: `checkout` is the folder that paths in `source` start from."""

    source: ModelSource
    checkout: Path
    model: str
    precision: str
    cases: tuple[Case, ...]


def jobs_asked(options: argparse.Namespace) -> list[Asked]:
    """The jobs that the command line asks for, in its order; each has a case.

    Of two models with suite `mixed` the second shares the device with the first.

    Raises:
        ValueError: a path that does not fit, an option with a wrong value, or one for no case at all.
    """
    sources = list(sources_of(options))
    values = option_values(options.option or ())
    if len(sources) > 2 and "mixed" in (options.suite or ()) and "other" not in values:
        raise ValueError(
            f"suite mixed takes two models together, and --model names {len(sources)}; name two, or the "
            "second by --option other=NAME"
        )
    jobs = []
    for place, (source, checkout, model) in enumerate(sources):
        suites, mine = _suites_of(options, source), dict(values)
        if "mixed" in suites and len(sources) == 2 and "other" not in values:
            suites = suites if place == 0 else [suite for suite in suites if suite != "mixed"]
            mine |= {"other": (sources[1][2],)}
        for precision in dict.fromkeys(options.precision or ["fp32"]):
            cases = tuple(_cases(options, source, model, precision, suites, mine))
            jobs.append(Asked(source, checkout, model, precision, cases))
    _concerned_check(values, [case for job in jobs for case in job.cases])
    return [job for job in jobs if job.cases]


def option_values(written: Sequence[str]) -> Values:
    """`name=value` or, for what is no text, `name=1,2,4`; a name given again adds its values.

    Raises:
        ValueError: another form, an unknown name, or a value that the option does not allow.
    """
    values: Values = {}
    for text in written:
        name, sign, value = text.partition("=")
        row = OPTIONS.get(name)
        parts = value.split(",") if row is not None and row.kind is not str else [value]
        read = [option_read(f"{name}{sign}{part.strip()}")[1] for part in parts]
        values[name] = tuple(dict.fromkeys((*values.get(name, ()), *read)))
    return values


def sources_of(options: argparse.Namespace) -> Iterator[tuple[ModelSource, Path, str]]:
    """Each source, the folder its paths start from, and the model's name for the report.

    Raises:
        ValueError: the function to evaluate with lies elsewhere than the model, or cannot be one.
    """
    if options.model:
        root = Path.cwd()
        for name in dict.fromkeys(options.model):
            yield _source("catalogue", name, root, options), root, name
        return
    if options.entry:
        path, separator, function = options.entry.rpartition(":")
        root, name = _rooted(Path(path if separator else options.entry))
        ref = f"{name}{separator}{function if separator else ''}"
        yield _source("entry", ref, root, options), root, Path(name).stem
        return
    given = Path(options.onnx or options.engine)
    root, name = _rooted(given)
    yield _source("onnx" if options.onnx else "engine", name, root, options), root, given.stem


def _source(kind: str, ref: str, root: Path, options: argparse.Namespace) -> ModelSource:
    lower = tuple(dict.fromkeys(options.evaluate_lower or ()))
    if options.evaluate is None:
        if lower:
            raise ValueError("--evaluate-lower names metrics of --evaluate, which was not given")
        return ModelSource.model_validate({"kind": kind, "ref": ref})
    for name in lower:
        evaluate_metric(name, better="lower")
    told = {"evaluate": _evaluate_ref(options.evaluate, root), "evaluate_lower": lower}
    return ModelSource.model_validate({"kind": kind, "ref": ref, **told})


def _evaluate_ref(written: str, root: Path) -> str:
    path, separator, function = written.rpartition(":")
    if not separator or not path.endswith(".py"):
        raise ValueError(f"--evaluate {written}: write it as path/file.py:function")
    full = Path(path).resolve()
    if not full.is_relative_to(root.resolve()):
        raise ValueError(f"--evaluate {written} must lie below {root}, where the model's paths start")
    return f"{full.relative_to(root.resolve())}:{function}"


def _rooted(path: Path) -> tuple[Path, str]:
    """The folder to start from, the current one where the file lies below it, and the rest."""
    full, here = path.resolve(), Path.cwd().resolve()
    if full.is_relative_to(here):
        return here, str(full.relative_to(here))
    return full.parent, full.name


def _suites_of(options: argparse.Namespace, source: ModelSource) -> list[str]:
    """The suites asked for, each once; a function to evaluate with asks for its suite."""
    asked = options.suite or list(DEFAULT_SUITES)
    suites = [name for given in asked for name in (SUITES if given == ALL_SUITES else (given,))]
    return list(dict.fromkeys([*suites, *(("evaluate",) if source.evaluate else ())]))


def _cases(
    options: argparse.Namespace,
    source: ModelSource,
    model: str,
    precision: str,
    suites: Sequence[str],
    values: Values,
) -> Iterator[Case]:
    for runner in dict.fromkeys(options.runner or _DEFAULT_RUNNERS[source.kind]):
        for place, batch in enumerate(dict.fromkeys(options.batch or [1])):
            for suite in suites:
                if place and suite in ONCE_SUITES:
                    continue
                for chosen in _choices(values, suite, runner):
                    yield Case(
                        model=model,
                        runner=runner,
                        precision=precision,
                        batch=batch,
                        suite=suite,
                        duration_s=options.duration,
                        options=chosen,
                    )


def _choices(values: Values, suite: str, runner: str) -> Iterator[Pairs]:
    """Every combination of the values that say something about this suite and runner."""
    mine = {name: some for name, some in values.items() if option_concerns(name, suite=suite, runner=runner)}
    for chosen in product(*mine.values()):
        yield tuple(zip(mine, chosen, strict=True))


def _concerned_check(values: Mapping[str, object], cases: Sequence[Case]) -> None:
    for name in values:
        # not by the cases' own options, which a default is not among
        if not any(option_concerns(name, suite=case.suite, runner=case.runner) for case in cases):
            row = OPTIONS.get(name)
            runners = row.runners if row else ("onnxruntime", "onnxruntime_tensorrt")
            whom = {"suite": row.suites if row else (), "runner": runners}
            said = " with ".join(f"the {what} {' or '.join(some)}" for what, some in whom.items() if some)
            raise ValueError(f"option {name} says nothing to any case asked for; it is for {said}")
