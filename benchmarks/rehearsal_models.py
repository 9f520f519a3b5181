"""Two sparse checkpoints of full size, in which a match of their experts reads nothing but numbers.

`python -m benchmarks.rehearsal_models OUT [--layers N]` writes a model of the shape of
Intern-S1-Pro and a reference of the shape of Qwen3-235B-A22B. Filled are the rows of `down_proj`
that a run with seed 0 samples, as far as it reads them; the scales of these; of layers with
strangers also rows of gate and up; norms, some embedding rows and routers. All else is a hole.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from benchmarks.rehearsal_truth import (
    EXPERTS,
    LAYERS,
    REFERENCE,
    Origin,
    has_strangers,
    origin,
    parent,
    sigma,
)
from benchmarks.replica import REPOSITORY
from inspector.analysis.sampled_rows import BLOCK_ROWS, row_block
from inspector.checkpoint import Access, Checkpoint, ReadPolicy, open_checkpoint
from inspector.checkpoint.experts import CheckpointExperts
from inspector.decode.numeric import Float32
from inspector.format.spans import Span
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from inspector.source.base import Ledger
from tests import intern_s1_pro, qwen3
from tests.intern_s1_pro import Architecture
from tests.replica import write_shards

SEED: Final = 0

_LOOKS: Final = (8, 32, 128)
_PLACES: Final = 16
_SPREAD: Final = 0.02
_LARGEST_CODE: Final = 448.0
_COLUMN_BLOCK: Final = 128
_TEXT: Final = ("model.language_model.", "model.")
_TOKENS: Final = 512


def write_models(out: Path, layers: int = LAYERS) -> None:
    """Write both below `out`, as a hub has them."""
    architecture = Architecture(layers=layers)
    write_shards(
        out / REPOSITORY,
        intern_s1_pro.tensor_specs(architecture),
        intern_s1_pro.config(architecture),
    )
    write_shards(out / REFERENCE, qwen3.tensor_specs(layers), qwen3.config(layers))
    rng = np.random.default_rng(1)
    with _Model.opened(out / REPOSITORY) as target, _Model.opened(out / REFERENCE) as reference:
        experts = CheckpointExperts(reference.checkpoint)
        rows = row_block(experts, 0, np.random.default_rng(SEED))
        for layer in range(layers):
            parents = _fill_references(reference, layer, layers, rows, rng)
            _fill_targets(target, layer, layers, rows, parents, rng)
            if has_strangers(layer):
                _fill_places(target, reference, layer, rows, rng)
        _fill_basis(target, reference, layers, rng)


def _pilot_layers(layers: int) -> set[int]:
    last = layers - 1
    return {0, last // 3, 2 * last // 3, last}


def _fill_references(
    model: "_Model", layer: int, layers: int, rows: range, rng: np.random.Generator
) -> Float32:
    """`[128, k, m]` of a layer: the whole block where outliers are looked for, or strangers are.

    A layer with strangers is calibrated by the one before it.
    """
    is_deep = layer in _pilot_layers(layers) or has_strangers(layer) or has_strangers(layer + 1)
    count = BLOCK_ROWS if is_deep else _LOOKS[1]
    shape = qwen3.EXPERTS, count, model.neurons
    values = _SPREAD * rng.standard_normal(shape, dtype=np.float32)
    for expert, own in enumerate(_bfloat16(values)):
        model.put_rows(layer, expert, Projection.DOWN, rows.start, own)
    return values


def _fill_targets(
    model: "_Model",
    layer: int,
    layers: int,
    rows: range,
    parents: Float32,
    rng: np.random.Generator,
) -> None:
    """Each expert as many rows as are read of it: 8, 32 of a trial and of far ones, or all."""
    counts = np.full(EXPERTS, _LOOKS[0])
    if layer in _pilot_layers(layers):
        counts[::8] = _LOOKS[1]
    origins = [origin(layer, expert) for expert in range(EXPERTS)]
    for expert, one in enumerate(origins):
        if one is not Origin.NEAR:
            counts[expert] = _LOOKS[1 if one is Origin.FAR else 2]
    for count in _LOOKS:
        experts = np.flatnonzero(counts == count)
        noise = rng.standard_normal((len(experts), count, model.neurons), dtype=np.float32)
        noise *= np.array([_SPREAD * sigma(layer, one) for one in experts.tolist()])[:, None, None]
        for expert, own in zip(experts.tolist(), noise, strict=True):
            if origins[expert] is not Origin.STRANGER:
                own += parents[parent(expert), :count]
            codes, scale = _quantized(own)
            model.put_rows(layer, expert, Projection.DOWN, rows.start, codes)
            model.put_scale(layer, expert, Projection.DOWN, rows.start, scale)


def _fill_places(
    target: "_Model", reference: "_Model", layer: int, rows: range, rng: np.random.Generator
) -> None:
    """Rows of gate and up of all references and of strangers, which nothing relates."""
    start = rows.start % reference.neurons
    strangers = [one for one in range(EXPERTS) if origin(layer, one) is Origin.STRANGER]
    for model, experts in ((reference, range(qwen3.EXPERTS)), (target, strangers)):
        for one in (Projection.GATE, Projection.UP):
            shape = len(experts), _PLACES, reference.hidden
            values = _SPREAD * rng.standard_normal(shape, dtype=np.float32)
            stored = _bfloat16(values) if model is reference else map(_codes, values)
            for expert, own in zip(experts, stored, strict=True):
                model.put_rows(layer, expert, one, start, own)


def _fill_basis(
    target: "_Model", reference: "_Model", layers: int, rng: np.random.Generator
) -> None:
    """Norms of all layers, routers of those that are read, and the embedding rows."""
    hidden = reference.hidden

    def normal(*shape: int) -> Float32:
        return rng.standard_normal(shape, dtype=np.float32)

    def put(name: str, theirs: Float32, ours: Float32, row: int = 0) -> None:
        for model, start, values in zip((target, reference), _TEXT, (ours, theirs), strict=True):
            model.put(f"{start}{name}.weight", row, _bfloat16(values))

    for layer in range(layers):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            gains = 1 + 0.3 * normal(hidden)
            put(f"layers.{layer}.{norm}", gains, gains + 0.1 * normal(hidden))
    for layer in np.linspace(0, layers - 1, min(8, layers)).astype(int).tolist():
        router = _SPREAD * normal(qwen3.EXPERTS, hidden)
        ours = router[np.arange(EXPERTS) % qwen3.EXPERTS] + 0.5 * _SPREAD * normal(EXPERTS, hidden)
        put(f"layers.{layer}.mlp.gate", router, ours)
    tokens = _SPREAD * normal(_TOKENS, hidden)
    middle = reference.rows("model.embed_tokens.weight") // 2
    put("embed_tokens", tokens, tokens + 0.5 * _SPREAD * normal(_TOKENS, hidden), middle)


@dataclass(frozen=True, slots=True)
class _Model:
    """A checkpoint whose shards are written to."""

    checkpoint: Checkpoint
    folder: Path
    descriptors: dict[str, int]

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator["_Model"]:
        descriptors = {one.name: os.open(one, os.O_WRONLY) for one in folder.glob("*.safetensors")}
        try:
            with open_checkpoint(
                str(folder), policy=ReadPolicy(), ledger=Ledger(), access=Access()
            ) as checkpoint:
                yield cls(checkpoint, folder, descriptors)
        finally:
            for descriptor in descriptors.values():
                os.close(descriptor)

    @property
    def hidden(self) -> int:
        return self._weight_shape[0]

    @property
    def neurons(self) -> int:
        return self._weight_shape[1]

    @property
    def _weight_shape(self) -> tuple[int, ...]:
        return self.checkpoint.weights.expert(ExpertKey(0, 0, Projection.DOWN)).shape

    def rows(self, name: str) -> int:
        """How many rows a tensor has."""
        found = self.checkpoint.catalog.find(name)
        if found is None:
            raise ValueError(f"no tensor {name}")
        return found.shape[0]

    def put_rows(
        self, layer: int, expert: int, one: Projection, start: int, values: npt.NDArray[np.generic]
    ) -> None:
        """Rows of an expert's matrix, from `start` on, as they are stored."""
        weight = self.checkpoint.weights.expert(ExpertKey(layer, expert, one))
        self._write(weight.tensor.shard, weight.span(start, start + len(values)), values.tobytes())

    def put_scale(
        self, layer: int, expert: int, one: Projection, start: int, values: Float32
    ) -> None:
        """The scales of the block in which row `start` lies."""
        scale = self.checkpoint.weights.expert(ExpertKey(layer, expert, one)).scale
        if scale is None:
            raise ValueError(f"layer {layer}, expert {expert}: no scale")
        self._write(scale.tensor.shard, scale.span(start, start + 1), values.tobytes())

    def put(self, name: str, row: int, values: npt.NDArray[np.generic]) -> None:
        """Rows of a tensor by its name."""
        tensor = self.checkpoint.catalog.find(name)
        if tensor is None:
            raise ValueError(f"no tensor {name}")
        start = tensor.span.start + row * (len(tensor.span) // tensor.shape[0])
        self._write(tensor.shard, Span(start, start + values.nbytes), values.tobytes())

    def _write(self, shard: str, span: Span, content: bytes) -> None:
        if len(content) != len(span):
            raise ValueError(f"{shard}: {len(content)} bytes for {span}")
        os.pwrite(self.descriptors[shard], content, span.start)


def _bfloat16(values: Float32) -> npt.NDArray[np.generic]:
    return values.astype(ml_dtypes.bfloat16)


def _quantized(values: Float32) -> tuple[npt.NDArray[np.generic], Float32]:
    """Codes `[k, m]` and the scales of their column blocks, of the rows that are there."""
    tiles = values.reshape(len(values), -1, _COLUMN_BLOCK)
    scale = np.abs(tiles).max(axis=(0, 2)) / np.float32(_LARGEST_CODE)
    codes = (tiles / scale[None, :, None]).reshape(values.shape)
    return codes.astype(ml_dtypes.float8_e4m3fn), scale


def _codes(values: Float32) -> npt.NDArray[np.generic]:
    return _quantized(values)[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal_models")
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parsed = parser.parse_args(arguments)
    write_models(parsed.out, parsed.layers)


if __name__ == "__main__":
    main()
