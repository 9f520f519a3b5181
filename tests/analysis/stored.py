"""Experts in memory as checkpoints that store them, one way for each layout that is known."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import ml_dtypes
import numpy as np

from inspector.analysis.expert_reading import BothWays
from inspector.checkpoint.experts import CheckpointExperts
from inspector.layout.families import Projection
from inspector.source.base import MemorySource
from tests.quantized import BF16, E4M3, E8M0, quantize
from tests.strategies_arrays import Array, Float32, memory_checkpoint

Tensors = Iterator[tuple[str, Array]]
Layer = Mapping[Projection, Float32]
"""Matrices of all experts of a layer, `[E, rows, columns]`."""

_FP4: Final = np.dtype(ml_dtypes.float4_e2m1fn)


def with_gates(down: Float32, rng: np.random.Generator) -> Layer:
    """A layer of these `down_proj`, and any gate and up."""
    count, hidden, neurons = down.shape
    gate, up = rng.standard_normal((2, count, neurons, hidden)).astype(np.float32)
    return {Projection.GATE: gate, Projection.UP: up, Projection.DOWN: down}


def ways_of(layers: Mapping[int, Layer], layout: str) -> tuple[BothWays, MemorySource]:
    """A checkpoint of these layers, and its source, which lists what is read."""
    hidden = layers[0][Projection.DOWN].shape[1]
    tensors = {
        name: values
        for number, layer in layers.items()
        for name, values in LAYOUTS[layout](f"model.layers.{number}.mlp", layer)
    }
    config: dict[str, Any] = {"hidden_size": hidden}
    if layout.startswith("fp8"):
        config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    checkpoint, source = memory_checkpoint(tensors, config=config)
    turned = CheckpointExperts(checkpoint, turned=True)
    found = BothWays(CheckpointExperts(checkpoint), turned)
    source.reads.clear()
    return found, source


def _separate(
    store: Callable[[str, Float32], Tensors], names: Mapping[Projection, str]
) -> Callable[[str, Layer], Tensors]:
    def tensors(module: str, layer: Layer) -> Tensors:
        for projection, matrices in layer.items():
            for expert, values in enumerate(matrices):
                yield from store(f"{module}.experts.{expert}.{names[projection]}", values)

    return tensors


_NAMES: Final = {one: str(one) for one in Projection}
_NUMBERED: Final = {Projection.GATE: "w1", Projection.DOWN: "w2", Projection.UP: "w3"}


def _bf16(module: str, values: Float32) -> Tensors:
    yield f"{module}.weight", values.astype(BF16)


def _fp8(module: str, values: Float32) -> Tensors:
    codes, scale = quantize(values.astype(np.float64), "amax/448")
    yield f"{module}.weight", codes
    yield f"{module}.weight_scale_inv", scale


def _fp4(values: Float32, group: int) -> tuple[Array, Float32]:
    """Packed codes, two a byte, and a power of two for each group of a row."""
    rows, columns = values.shape
    parts = values.reshape(rows, columns // group, group)
    scale = 2.0 ** np.ceil(np.log2(np.abs(parts).max(axis=2) / 6 + 1e-30))
    codes = (parts / scale[..., None]).astype(np.float32).astype(_FP4).view(np.uint8)
    codes = codes.reshape(rows, columns)
    return codes[:, ::2] | codes[:, 1::2] << 4, scale.astype(np.float32)


def _deepseek_v4(module: str, values: Float32) -> Tensors:
    codes, scale = _fp4(values, 32)
    yield f"{module}.weight", codes.view(np.int8)
    yield f"{module}.scale", scale.astype(E8M0)


def _nvfp4(module: str, values: Float32) -> Tensors:
    codes, scale = _fp4(values, 16)
    largest = np.float32(scale.max() / 256)
    yield f"{module}.weight", codes
    yield f"{module}.weight_scale", (scale / largest).astype(E4M3)
    yield f"{module}.weight_scale_2", np.array(largest)


def _together(layer: Layer) -> tuple[Float32, Float32]:
    gates = np.concatenate([layer[Projection.GATE], layer[Projection.UP]], axis=1)
    return gates, layer[Projection.DOWN]


def _fused(module: str, layer: Layer) -> Tensors:
    for name, values in zip(("gate_up_proj", "down_proj"), _together(layer), strict=True):
        yield f"{module}.experts.{name}", values.astype(BF16)


def _transposed(module: str, layer: Layer) -> Tensors:
    for name, values in zip(("gate_up_proj", "down_proj"), _together(layer), strict=True):
        yield f"{module}.experts.{name}", values.swapaxes(1, 2).astype(BF16)


def _transposed_fp8(module: str, layer: Layer) -> Tensors:
    for name, values in zip(("gate_up_proj", "down_proj"), _together(layer), strict=True):
        pairs = [quantize(one.astype(np.float64), "amax/448") for one in values]
        codes = np.stack([codes.view(np.uint8).T for codes, _ in pairs]).view(E4M3)
        yield f"{module}.experts.{name}", codes
        yield f"{module}.experts.{name}_scale_inv", np.stack([scale.T for _, scale in pairs])


def _mxfp4(module: str, layer: Layer) -> Tensors:
    """gpt-oss: fused, gate and up by turns, blocks of 32 codes."""
    gate, up = layer[Projection.GATE], layer[Projection.UP]
    gates = np.stack([gate, up], axis=2).reshape(len(gate), -1, gate.shape[2])
    for part, values in (("gate_up", gates), ("down", layer[Projection.DOWN])):
        pairs = [_fp4(one, 32) for one in values]
        rows = values.shape[1]
        blocks = np.stack([codes.reshape(rows, -1, 16) for codes, _ in pairs])
        exponents = np.stack([np.log2(scale) + 127 for _, scale in pairs])
        yield f"{module}.experts.{part}_proj_blocks", blocks
        yield f"{module}.experts.{part}_proj_scales", exponents.astype(np.uint8)
        yield f"{module}.experts.{part}_proj_bias", np.zeros((len(values), rows), dtype=BF16)


def _v4(module: str, layer: Layer) -> Tensors:
    yield from _separate(_deepseek_v4, _NUMBERED)(module.replace(".mlp", ".ffn"), layer)


LAYOUTS: Final = MappingProxyType[str, Callable[[str, Layer], Tensors]](
    {
        "bf16": _separate(_bf16, _NAMES),
        "fused": _fused,
        "transposed": _transposed,
        "fp8": _separate(_fp8, _NAMES),
        "fp8 transposed": _transposed_fp8,
        "mxfp4": _mxfp4,
        "deepseek-v4": _v4,
        "nvfp4": _separate(_nvfp4, _NAMES),
    }
)
