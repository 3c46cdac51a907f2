"""What a case may say besides its batch: one row per option, the only list.  Light.

An option belongs to suites (what is measured) or to runners (how it is run), and is part of a
case's identity: its series is another one.  One that says what is measured of some runners alone names
both.  A value that is the option's default is dropped: it is the series of those who say nothing.
Options that begin with `provider.` go to the execution provider of onnxruntime as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

OptionValue = bool | int | float | str
Pairs = tuple[tuple[str, OptionValue], ...]

PROVIDER_PREFIX = "provider."
LONGEST = 80  # characters of a text, so that a series' shape stays readable


@dataclass(frozen=True)
class Option:
    """One row.  `suites` and `runners` say whom it concerns; a number lies in `low` to `high`.

    `default` is what holds where nobody says; None where that is no single value of the option.
    `loads` marks one that says how the model is run although only some suites heed it.
    """

    kind: type[bool] | type[int] | type[float] | type[str]
    meaning: str
    suites: tuple[str, ...] = ()
    runners: tuple[str, ...] = ()
    low: float = 1
    high: float = 1e6
    choices: tuple[str, ...] = ()
    default: OptionValue | None = None
    loads: bool = False


_CAPTURING_SUITES = (
    "latency",
    "throughput",
    "server",
    "concurrency",
    "mixed",
    "memory",
    "energy",
    "generation",
    "sweep",
    "scaling",
)
_ENGINE_RUNNERS = ("tensorrt", "tensorrt_rtx")
_GPU_RUNNERS = ("torch", "torch_compile", "onnxruntime", "onnxruntime_tensorrt", "tensorrt", "tensorrt_rtx")

OPTIONS: dict[str, Option] = {
    "graph": Option(
        bool,
        "capture a CUDA graph where the runner can; default true",
        _CAPTURING_SUITES,
        _GPU_RUNNERS,
        default=True,
        loads=True,
    ),
    "compile_mode": Option(
        str,
        "how hard torch.compile tries",
        runners=("torch_compile",),
        choices=("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"),
        default="default",
    ),
    "workspace_mib": Option(
        int, "scratch memory the engine builder may use, in MiB", runners=_ENGINE_RUNNERS
    ),
    "timing_cache": Option(
        str, "a TensorRT timing cache in the repository that the build starts from", runners=("tensorrt",)
    ),
    "refit": Option(
        bool, "an engine whose weights can be exchanged while loaded", runners=_ENGINE_RUNNERS, default=False
    ),
    "rebuilds": Option(
        int,
        "engines built from the same ONNX, to tell their spread",
        ("build",),
        _ENGINE_RUNNERS,
        high=20,
        default=1,
    ),
    "largest_batch": Option(
        int, "double the batch up to this one and find the knee", ("throughput",), high=65536
    ),
    "qps": Option(float, "requests per second that arrive, open loop", ("server",), low=1e-3),
    "p99_bound_ms": Option(
        float, "find the highest requests per second whose p99 stays below", ("server",), low=1e-3
    ),
    "max_batch": Option(
        int, "requests the server may run at once; default 1", ("server",), high=65536, default=1
    ),
    "max_delay_ms": Option(
        float, "how long a request may wait for others to join; default 0", ("server",), low=0, default=0.0
    ),
    "streams": Option(int, "copies of the model that run at once", ("concurrency",), high=256),
    "processes": Option(
        bool, "copies in processes of their own, not in threads", ("concurrency",), default=False
    ),
    "other": Option(str, "the second model, a catalogue name", ("mixed",)),
    "policy": Option(str, "who goes first", ("mixed",), choices=("fifo", "priority")),
    "size": Option(int, "pixels a side, or tokens", ("sweep",), low=1, high=2**20),
    "largest_size": Option(int, "the last size to try", ("sweep",), low=1, high=2**20),
    "gpus": Option(int, "GPUs of this host", ("scaling",), high=1024),
    "mode": Option(str, "how the GPUs share", ("scaling",), choices=("replicas", "tensor", "pipeline")),
    "tokens_in": Option(int, "tokens of the prompt", ("generation",), high=2**20),
    "tokens_out": Option(int, "tokens to generate", ("generation",), high=2**20),
    "cache": Option(bool, "keep keys and values of earlier tokens; default both", ("generation",)),
    "segment_s": Option(
        float,
        "seconds that one process of a soak lives; at least a 2,000th of the soak",
        ("soak",),
        low=1,
        high=43200,
    ),
}


def options_checked(values: Mapping[str, object] | Iterable[tuple[str, object]]) -> Pairs:
    """The options as sorted pairs, each of its row's type; those at their default are left out.

    Raises:
        ValueError: an unknown name, or a value its row does not allow; the message says what is.
    """
    try:
        pairs = dict(values)
    except TypeError:
        raise ValueError(f"options should be a table of names and values, not {values!r:.100}") from None
    if odd := next((name for name in pairs if not isinstance(name, str)), None):
        raise ValueError(f"an option's name is a text, not {odd!r:.100}")
    checked = ((name, option_checked(name, pairs[name])) for name in sorted(pairs))
    return tuple((name, value) for name, value in checked if not _is_default(name, value))


def _is_default(name: str, value: OptionValue) -> bool:
    row = OPTIONS.get(name)  # None for an option of a provider
    return row is not None and row.default is not None and value == row.default


def option_checked(name: str, value: object) -> OptionValue:
    """The value, when the option's row allows it.

    Raises:
        ValueError: it does not, or there is no such option.
    """
    if name.startswith(PROVIDER_PREFIX) and len(name) > len(PROVIDER_PREFIX):
        return _text_checked(name, str(value), ())
    row = OPTIONS.get(name)
    if row is None:
        raise ValueError(f"unknown option {name!r}; known: {', '.join(OPTIONS)}, {PROVIDER_PREFIX}*")
    if row.kind is bool:
        if not isinstance(value, bool):
            raise ValueError(f"option {name} is true or false, not {value!r}")
        return value
    if row.kind is str:
        if not isinstance(value, str):
            raise ValueError(f"option {name} is a text, not {value!r}")
        return _text_checked(name, value, row.choices)
    return _number_checked(name, value, row)


def _number_checked(name: str, value: object, row: Option) -> OptionValue:
    whole = row.kind is int
    fits = isinstance(value, int) if whole else isinstance(value, int | float)
    if not fits or isinstance(value, bool):
        raise ValueError(f"option {name} is a {'whole ' if whole else ''}number, not {value!r}")
    number: float = value if whole else float(value)  # type: ignore[assignment,arg-type]
    if not row.low <= number <= row.high:
        raise ValueError(f"option {name} lies between {row.low:g} and {row.high:g}, not {value!r}")
    return number


def _text_checked(name: str, value: str, choices: tuple[str, ...]) -> str:
    if choices and value not in choices:
        raise ValueError(f"option {name} is one of {', '.join(choices)}, not {value!r}")
    if not value or len(value) > LONGEST or "," in value or not value.isprintable():
        raise ValueError(
            f"option {name} is a text of 1 to {LONGEST} printable characters without commas, not {value!r}"
        )
    return value


def option_read(text: str) -> tuple[str, OptionValue]:
    """`name=value` as a person writes it.

    Raises:
        ValueError: another form, an unknown name, or a value that the option does not allow.
    """
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"{text!r} is no option; write it as name=value")
    row = OPTIONS.get(name)
    kind = str if row is None else row.kind
    read: object = value
    if kind is bool and value in ("true", "false", "True", "False"):
        read = value.lower() == "true"
    elif kind in (int, float):
        try:
            read = kind(value)
        except ValueError:
            read = value
    return name, option_checked(name, read)


def options_written(pairs: Pairs) -> tuple[str, ...]:
    """Each as `name=value`, which `option_read` reads back."""
    return tuple(f"{name}={_written(value)}" for name, value in pairs)


def _written(value: OptionValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def option_concerns(name: str, *, suite: str, runner: str) -> bool:
    """Whether the option says anything about this suite run by this runner."""
    if name.startswith(PROVIDER_PREFIX):
        return runner.startswith("onnxruntime")
    row = OPTIONS[name]
    return (not row.suites or suite in row.suites) and (not row.runners or runner in row.runners)


def of_runner(pairs: Pairs) -> Pairs:
    """Those that say how the model is run: cases that agree in them can share a loaded runner."""
    return tuple(
        pair for pair in pairs if pair[0].startswith(PROVIDER_PREFIX) or _is_loaded(OPTIONS[pair[0]])
    )


def _is_loaded(row: Option) -> bool:
    return row.loads or not row.suites
