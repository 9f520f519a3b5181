"""Sound checkpoints in memory of every scheme that is decoded, to be audited or spoilt.

The names are those of `qwen_like`; what differs is how a linear layer or an expert is stored, and
in which dialect the config says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from inspector.decode.numeric import NUMPY_DTYPES
from inspector.format.codings import E2M1, INT8, PLAIN_CODINGS, Coding, Number
from inspector.format.dtypes import Dtype
from tests.encoding import (
    BF16,
    Array,
    Encoded,
    Float64,
    encode,
    encode_range,
    two_a_byte,
)
from tests.quantized import Model, normal

INT4: Final = Coding(Number.OFFSET, 4)
SHAPE: Final = (64, 256)
"""Of every quantized matrix; in blocks of `BLOCK` the last of each axis is partial."""

BLOCK: Final = (48, 96)
TENSOR, CHANNEL = SHAPE, (1, SHAPE[1])


@dataclass(frozen=True, slots=True)
class Scheme:
    """How weights are stored: what codes are, the block of a scale, its dtype and rounding.

    `wraps` says what encloses the tensors' names and bytes; `second` is the name of a second scale.
    """

    name: str
    coding: Coding
    block: tuple[int, int]
    policy: str
    scale_dtype: Dtype
    dialect: str
    scale_name: str = "weight_scale_inv"
    wraps: str = "plain"
    second: str | None = None
    ranged: bool = False
    ue8m0: bool = False

    def encoded(self, weight: Float64, clipped_by: float = 1.0) -> Encoded:
        """The codes and scales of a weight."""
        if self.ranged:
            return encode_range(weight, self.coding, self.block, clipped_by=clipped_by)
        return encode(
            weight, self.coding, self.block, self.policy, stored=self._stored, clipped_by=clipped_by
        )

    def _stored(self, scale: Float64) -> Float64:
        return np.asarray(as_dtype(scale * self.raised, self.scale_dtype), np.float64) / self.raised

    @property
    def raised(self) -> float:
        """What block scales are multiplied by where a second scale takes it off again."""
        return 2.0**9 if self.second else 1.0

    def tensors(self, module: str, found: Encoded) -> dict[str, Array]:
        """The tensors of a module."""
        scale = self._scale_tensor(found.scale)
        stored = {f"{module}.{self.scale_name}": scale}
        if self.wraps == "packed words":
            stored |= {
                f"{module}.weight_packed": two_a_byte(found.codes).view(np.int32),
                f"{module}.weight_shape": np.array(found.codes.shape, np.int64),
            }
            if found.zero is not None:
                stored[f"{module}.weight_zero_point"] = found.zero.astype(np.int8)
        elif self.wraps == "packed bytes":
            stored[f"{module}.weight_packed"] = two_a_byte(found.codes)
        elif self.coding.bits == 4:
            pairs = two_a_byte(found.codes)
            stored[f"{module}.weight"] = pairs.view(np.int8) if self.dialect == "fp8" else pairs
        else:
            dtype = next(one for one, coding in PLAIN_CODINGS.items() if coding == self.coding)
            stored[f"{module}.weight"] = found.codes.view(NUMPY_DTYPES[dtype])
            if found.zero is not None:
                stored[f"{module}.weight_offset"] = found.zero.astype(np.float32)
        if self.second is not None:
            number = self.raised if "global" in self.second else 1 / self.raised
            stored[f"{module}.{self.second}"] = np.array([number], np.float32)
        return stored

    def _scale_tensor(self, scale: Float64) -> Array:
        raised = scale * self.raised
        if self.scale_dtype is Dtype.I32:
            exponents = np.zeros((len(scale), -(-scale.shape[1] // 4) * 4), np.uint8)
            exponents[:, : scale.shape[1]] = np.log2(scale) + 127
            return exponents.view(np.int32)
        if self.scale_dtype is Dtype.U8:
            return np.asarray(np.log2(scale) + 127, np.uint8)
        stored = as_dtype(raised, self.scale_dtype)
        return stored.reshape(-1) if self.block == TENSOR else stored

    def claim(self, skip: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What config.json says, and other files beside it."""
        if self.dialect == "modelopt":
            stated: dict[str, Any] = {"quant_algo": self.name.split()[0], "exclude_modules": skip}
            return {}, {"hf_quant_config.json": {"quantization": stated}}
        if self.dialect == "compressed-tensors":
            kind = "float" if self.coding.number not in (Number.SIGNED, Number.OFFSET) else "int"
            weights: dict[str, Any] = {"num_bits": self.coding.bits, "type": kind}
            if self.block[0] == 1 and self.block != CHANNEL:
                weights["group_size"] = self.block[1]
            weights |= {"symmetric": not self.ranged}
            group = {"targets": ["Linear"], "weights": weights}
            stated = {"quant_method": self.dialect, "format": "pack-quantized", "ignore": skip,
                      "config_groups": {"group_0": group}}  # fmt: skip
            return {"quantization_config": stated}, {}
        stated = {"quant_method": "fp8", "fmt": "e4m3", "modules_to_not_convert": skip}
        if self.block not in (TENSOR, CHANNEL):
            stated["weight_block_size"] = list(self.block)
        if self.ue8m0:
            stated["scale_fmt"] = "ue8m0"
        return {"quantization_config": stated}, {}


def as_dtype(values: Float64, dtype: Dtype) -> Array:
    """Numbers in the dtype of a scale; exponents, however they are stored, as numbers."""
    if dtype in (Dtype.U8, Dtype.I32, Dtype.F8_E8M0):
        return values.astype(NUMPY_DTYPES[Dtype.F8_E8M0])
    return values.astype(np.float32).astype(NUMPY_DTYPES[dtype])


def _fp8() -> Iterator[Scheme]:
    for dtype, coding in PLAIN_CODINGS.items():
        if coding == INT8:
            continue
        for place, block in (("block", BLOCK), ("channel", CHANNEL), ("tensor", TENSOR)):
            for scale in (Dtype.F32, Dtype.BF16, Dtype.F16):
                name = f"{dtype} by {place} {scale}"
                yield Scheme(name, coding, block, "exact", scale, "fp8")
        for policy in ("ceil", "floor", "round"):
            name = f"{dtype} by block, {policy}"
            yield Scheme(name, coding, BLOCK, policy, Dtype.F32, "fp8", ue8m0=True)
        for scale in (Dtype.F8_E8M0, Dtype.U8, Dtype.I32):
            name = f"{dtype} by block {scale}"
            yield Scheme(name, coding, BLOCK, "ceil", scale, "fp8", ue8m0=True)


def _others() -> Iterator[Scheme]:
    e4m3 = PLAIN_CODINGS[Dtype.F8_E4M3]
    compressed, modelopt = "compressed-tensors", "modelopt"
    for policy in ("ceil", "floor"):
        yield Scheme(f"MXFP8 {policy}", e4m3, (1, 32), policy, Dtype.U8, modelopt, "weight_scale")
        yield Scheme(f"MXFP4 {policy}", E2M1, (1, 32), policy, Dtype.U8, modelopt, "weight_scale")
        yield Scheme(
            f"MXFP4 of DeepSeek, {policy}", E2M1, (1, 32), policy, Dtype.F8_E8M0, "fp8", "scale",
            ue8m0=True,
        )  # fmt: skip
        yield Scheme(
            f"MXFP4 packed, {policy}", E2M1, (1, 32), policy, Dtype.U8, compressed, "weight_scale",
            "packed bytes",
        )  # fmt: skip
    yield Scheme(
        "NVFP4 of modelopt", E2M1, (1, 16), "exact", Dtype.F8_E4M3, modelopt, "weight_scale",
        second="weight_scale_2",
    )  # fmt: skip
    yield Scheme(
        "NVFP4 packed", E2M1, (1, 16), "exact", Dtype.F8_E4M3, compressed, "weight_scale",
        "packed bytes", "weight_global_scale",
    )  # fmt: skip
    for policy in ("exact", "exact 127.5", "exact 128"):
        yield Scheme(
            f"INT4 packed, {policy}", INT4, (1, 32), policy, Dtype.BF16, compressed, "weight_scale",
            "packed words",
        )  # fmt: skip
        yield Scheme(f"INT8 {policy}", INT8, CHANNEL, policy, Dtype.F32, compressed, "weight_scale")
    yield Scheme(
        "INT8 with an offset", INT8, CHANNEL, "exact", Dtype.F32, compressed, "weight_scale",
        ranged=True,
    )  # fmt: skip
    yield Scheme(
        "INT4 packed with zero points", INT4, (1, 32), "exact", Dtype.F32, compressed,
        "weight_scale", "packed words", ranged=True,
    )  # fmt: skip


SCHEMES: Final = MappingProxyType({one.name: one for one in (*_fp8(), *_others())})


@dataclass(slots=True)
class Stored:
    """A model whose modules are stored by one scheme; `weights` are what its codes were made of."""

    model: Model
    scheme: Scheme
    weights: dict[str, Float64] = field(default_factory=dict)

    def store(self, module: str, found: Encoded) -> None:
        """Put a module in, in place of what it was."""
        for name in [name for name in self.model.tensors if name.startswith(f"{module}.")]:
            del self.model.tensors[name]
        self.model.tensors |= self.scheme.tensors(module, found)

    @property
    def skip(self) -> list[str]:
        """The list of modules left alone, which can be changed."""
        claim: Any = self.model.config.get("quantization_config")
        if claim is None:
            claim = self.model.others["hf_quant_config.json"]["quantization"]
        keys = ("modules_to_not_convert", "ignore", "exclude_modules")
        found: list[str] = next(claim[key] for key in keys if key in claim)
        return found


def stored_by(
    scheme: Scheme, rng: np.random.Generator, *, layers: int = 3, experts: int = 2
) -> Stored:
    """A sound checkpoint of one scheme: attention and experts quantized, the rest not."""
    skip = ["lm_head", "model.embed_tokens", "model.norm"]
    found = Stored(Model({}, {}), scheme)

    def plain(module: str, *shape: int) -> None:
        found.model.tensors[f"{module}.weight"] = normal(rng, *shape)
        if module not in skip:
            skip.append(module)

    plain("lm_head", 96, 256)
    plain("model.embed_tokens", 96, 256)
    plain("model.norm", 256)
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        plain(f"{prefix}.input_layernorm", 256)
        plain(f"{prefix}.mlp.gate", experts, 256)
        attention = [f"{prefix}.self_attn.{part}_proj" for part in "qkvo"]
        parts = ("gate_proj", "up_proj", "down_proj")
        of_experts = [f"{prefix}.mlp.experts.{e}.{part}" for e in range(experts) for part in parts]
        for module in (*attention, *of_experts):
            spread = 2.0 ** rng.normal(-5, 1, (SHAPE[0], 1)) * 2.0 ** rng.normal(0, 0.3, SHAPE[1])
            weight = rng.standard_normal(SHAPE) * spread
            found.weights[module] = np.asarray(weight.astype(BF16), dtype=np.float64)
            found.store(module, scheme.encoded(found.weights[module]))
    for block in range(2):
        plain(f"model.visual.blocks.{block}.attn.proj", 64, 64)
    claim, others = scheme.claim(skip)
    found.model.config = {"model_type": "qwen3_moe", "hidden_size": 256, **claim}
    found.model.others = others
    return found
