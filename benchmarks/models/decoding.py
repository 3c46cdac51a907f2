"""A decoder with its cache: prompt in, one token after the other out, greedily.

The cache is transformers' StaticCache: its keys and values stay where they are, so that a step can be
recorded as a CUDA graph.  Attention then runs over the cache's whole length, masked, at every step.
Nothing stops at an end-of-text token: a generation has as many tokens as were asked for.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
import transformers
from transformers import StaticCache
from transformers.cache_utils import StaticLayer

from benchmarks.errors import CannotCapture, CannotRun
from benchmarks.gpu.graphs import Captured, graph_capture
from benchmarks.gpu.streams import stream_return, stream_take
from benchmarks.models.language import Language, language_find
from benchmarks.models.source import model_load
from benchmarks.precision import DTYPES, matmul_precision_set, torch_checked
from benchmarks.runners.base import Assets

SHORTEST = 8  # tokens of a cache: recording a step runs it a few times before

Kept = list[tuple[Any, Any]]


def decoder_open(assets: Assets, *, batch: int, capacity: Callable[[int | None], int]) -> Decoder:
    """The decoder that `assets` name, on their device, with an empty cache.

    `capacity` is given the model's limit of positions (None where unknown) and returns how many tokens
    a sequence may have, prompt and answer together.

    Raises:
        CannotRun: the model is no decoder, or this machine cannot run it.
        ModelError: the model cannot be loaded.
    """
    if assets.device == "cuda" and not torch.cuda.is_available():
        raise CannotRun(f"there is a GPU, but torch {torch.__version__} cannot use it")
    torch_checked(assets.precision, assets.device)
    loaded = model_load(assets.source, assets.checkout, assets.precision)
    language = language_find(loaded.module, assets.source.ref)
    length = max(SHORTEST, capacity(language.positions))
    torch.set_num_threads(assets.threads)
    matmul_precision_set(assets.precision)
    loaded.module.to(assets.device)
    return Decoder(language, batch, length, assets)


class Decoder:
    """One batch of sequences that grow token by token.  A context manager; it gives its memory back.

    `prefill` and `step` only enqueue on a GPU; `read` waits.
    """

    def __init__(self, language: Language, batch: int, capacity: int, assets: Assets) -> None:
        self.language = language
        self.batch, self.capacity = batch, capacity
        self.device, self._dtype = assets.device, DTYPES[assets.precision]
        self._where = assets.source.ref
        self.stream: Any = stream_take() if self.device == "cuda" else None
        self._step_graph: Captured | None = None
        self._prompt_graphs: dict[tuple[int, int], tuple[Any, Captured]] = {}
        with torch.inference_mode(), self._on_stream():
            self._cache: Any = StaticCache(config=language.config, max_cache_len=capacity)
            if not all(hasattr(layer, "cumulative_length") for layer in self._cache.layers):
                raise CannotRun(
                    f"transformers {transformers.__version__} keeps no count of a cache's tokens on the "
                    "device; generation needs a newer one (pip install -U 'transformers>=5,<6')"
                )
            self._token = torch.zeros(batch, 1, dtype=torch.long, device=self.device)
            self._position = torch.zeros(1, 1, dtype=torch.long, device=self.device)
            self._places = torch.arange(capacity, device=self.device)
            self._closed = torch.full((), torch.finfo(self._dtype).min, dtype=self._dtype, device=self.device)
        self._cache_check()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        del self.language
        self.cache_drop()
        if self.stream is not None:
            stream_return(self.stream)
            self.stream = None

    def cache_drop(self) -> None:
        """Give back the cache and what was recorded on it: from here on only `whole` runs."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        self._cache = None
        self._step_graph = None
        self._prompt_graphs.clear()
        gc.collect()  # the caller may have paused the collector
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _cache_check(self) -> None:
        """Run once: it allocates the cache, and shows whether the model is a decoder that fills it."""
        with torch.inference_mode(), self._on_stream():
            causal = self.language.is_causal(self.device)
        if not causal:
            raise CannotRun(
                f"{self._where} is no decoder: in {type(self.language.model).__name__} later tokens change "
                "the answer at earlier ones; leave the generation suite out for this model"
            )
        self.prefill(np.zeros((self.batch, 2), dtype=np.int64))
        self.read()
        layers = self._cache.layers
        if not all(layer.is_initialized for layer in layers):
            raise CannotRun(
                f"{self._where}: {type(self.language.model).__name__} leaves its cache empty, so it is no "
                "decoder; leave the generation suite out for this model"
            )
        if not all(type(layer) is StaticLayer for layer in layers):
            raise CannotRun(
                f"{self._where}: some layers of {type(self.language.model).__name__} do not keep every "
                "token (a sliding window, or a state instead of keys and values); generation measures "
                "decoders whose layers all keep them"
            )

    def prefill(self, tokens: np.ndarray, kept: int = 0) -> None:
        """Compute `tokens` (n, t) and the first token after them; the first `kept` are in the cache."""
        key = (tokens.shape[1], kept)
        with torch.inference_mode(), self._on_stream():
            new = torch.from_numpy(np.ascontiguousarray(tokens[:, kept:]))
            if key in self._prompt_graphs:
                prompt, graph = self._prompt_graphs[key]
                prompt.copy_(new)
                graph.replay()
                return
            self._prefill(new.to(self.device), *key)

    def _prefill(self, new: Any, length: int, kept: int) -> None:
        self._rewind(kept)
        places = self._places[kept:length]
        mask = self._mask(places) if kept else None  # without a mask the faster causal kernel is taken
        self._choose(new, places[None], mask)
        self._position.fill_(length)

    def step(self) -> None:
        """The next token of every sequence, from the last one and the cache."""
        if self._step_graph is not None:
            self._step_graph.replay()
            return
        with torch.inference_mode(), self._on_stream():
            self._step()

    def _step(self) -> None:
        self._choose(self._token, self._position, self._mask(self._position[0]))
        self._position.add_(1)

    def _choose(self, ids: Any, positions: Any, mask: Any) -> None:
        scores = self.language.scores(
            ids, position_ids=positions, attention_mask=mask, past_key_values=self._cache, use_cache=True
        )
        self._token.copy_(scores.argmax(dim=-1, keepdim=True))

    def whole(self, tokens: np.ndarray) -> None:
        """The token after `tokens` (n, t), computed from all of them, without the cache."""
        with torch.inference_mode(), self._on_stream():
            ids = torch.from_numpy(tokens).to(self.device)
            self._token.copy_(self.language.scores(ids, use_cache=False).argmax(dim=-1, keepdim=True))

    def read(self) -> np.ndarray:
        """The token chosen last for each sequence, (n, 1), on the host."""
        with self._on_stream():
            answer: np.ndarray = self._token.to("cpu", copy=True).numpy()
        return answer

    def rewind(self, length: int) -> None:
        """Forget every token after the first `length`."""
        with torch.inference_mode(), self._on_stream():
            self._rewind(length)

    def _rewind(self, length: int) -> None:
        for layer in self._cache.layers:
            layer.cumulative_length.fill_(length)
        self._position.fill_(length)

    def _mask(self, places: Any) -> Any:
        """What to add for keys that lie after the queries at `places` (t,): (1, 1, t, capacity)."""
        later = self._places[None, :] > places[:, None]
        return (later * self._closed)[None, None]

    def capture(self, length: int, kept: tuple[int, ...] = ()) -> None:
        """Record the step, and prompts of `length` tokens of which 0 or `kept` are in the cache.

        Raises:
            CannotCapture: there is no GPU, or the model does not allow it.
        """
        if self.stream is None:
            raise CannotCapture("there is no GPU, so there is no CUDA graph to record")
        with torch.inference_mode():
            for already in (0, *kept):
                prompt = torch.zeros(self.batch, length - already, dtype=torch.long, device=self.device)
                call = self._prompt_call(prompt, length, already)
                self._prompt_graphs[length, already] = prompt, graph_capture(call, self.stream)
            self.rewind(0)
            self._step_graph = graph_capture(self._step, self.stream)
            self.rewind(0)

    def _prompt_call(self, prompt: Any, length: int, kept: int) -> Callable[[], None]:
        return lambda: self._prefill(prompt, length, kept)

    def prefix_copy(self, length: int) -> Kept:
        """Keys and values of the first `length` tokens, per layer."""
        with torch.inference_mode(), self._on_stream():
            return [
                (layer.keys[:, :, :length].clone(), layer.values[:, :, :length].clone())
                for layer in self._cache.layers
            ]

    def prefix_put(self, kept: Kept) -> None:
        """Put copied keys and values where they were."""
        with torch.inference_mode(), self._on_stream():
            for layer, (keys, values) in zip(self._cache.layers, kept, strict=True):
                layer.keys[:, :, : keys.shape[2]].copy_(keys)
                layer.values[:, :, : values.shape[2]].copy_(values)

    def peak_reset(self) -> None:
        """Count the peak of `peak_bytes` from here on."""
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()

    def peak_bytes(self) -> int:
        """The most memory held: torch's allocator on a GPU; weights and the cache, if any, on a processor."""
        if self.device == "cuda":
            return int(torch.cuda.max_memory_allocated())
        weights = [*self.language.model.parameters(), *self.language.model.buffers()]
        layers = [] if self._cache is None else self._cache.layers
        kept = [one for layer in layers for one in (layer.keys, layer.values)]
        return sum(tensor.numel() * tensor.element_size() for tensor in (*weights, *kept))

    def _on_stream(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)
