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
from inspector.format.codings import E2M1, FP4, INT8, NF4, PLAIN_CODINGS, Coding, Number
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
from tests.wrapped import WRAPS, fused, pruned, sparse_run

INT4: Final = Coding(Number.OFFSET, 4)
SHAPE: Final = (64, 256)
"""Of every quantized matrix; in blocks of `BLOCK` the last of each axis is partial."""

BLOCK: Final = (48, 96)
TENSOR, CHANNEL = SHAPE, (1, SHAPE[1])
EXPERTS: Final = 2
UNQUANTIZED: Final = "model.visual.blocks.1.attn.proj"
"""What is stored sparse and without codes where the others are sparse."""

LISTS: Final = ("fp8", "compressed-tensors", "modelopt")
"""The dialects whose configs list the modules that are left alone here."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How weights are stored: what codes are, the block of a scale, its dtype and rounding.

    `wraps` says what encloses the tensors' names and bytes; `second` is the name of a second scale.
    `fused`: the experts of a layer are one tensor for each projection.
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
    fused: bool = False

    @property
    def is_sparse(self) -> bool:
        return self.wraps.startswith("sparse")

    @property
    def is_nested(self) -> bool:
        """Whether scales are codes with scales of their own."""
        return self.wraps.endswith("nested")

    @property
    def has_list(self) -> bool:
        """Whether its config lists modules that are left alone, as its dialect is understood."""
        return self.dialect in LISTS

    def is_fused(self, module: str) -> bool:
        return self.fused and ".experts." in module

    def shape_of(self, module: str) -> tuple[int, int]:
        """The shape of a module's values, those of fused experts below each other."""
        if not self.is_fused(module):
            return SHAPE
        rows, columns = (2 * SHAPE[0], SHAPE[1]) if "gate_up" in module else SHAPE[::-1]
        return EXPERTS * rows, columns

    def tensor(self, module: str, end: str) -> str:
        """The name of a tensor beside the codes of a module."""
        return f"{module}{'_' if self.is_fused(module) else '.'}{end}"

    @property
    def exponent(self) -> int:
        """The middle of the spreads of rows: larger where E4M3 alone holds scales, to 2^-9."""
        return -3 if self.wraps == "MLX NVFP4" else -5

    def kept(self, weight: Float64) -> Float64:
        """What of a weight is stored at all."""
        return pruned(weight) if self.is_sparse else weight

    def encoded(self, weight: Float64, clipped_by: float = 1.0) -> Encoded:
        """The codes and scales of a weight."""
        weight = self.kept(weight)
        if self.ranged:
            return encode_range(weight, self.coding, self.block, clipped_by=clipped_by)
        return encode(
            weight, self.coding, self.block, self.policy, stored=self._stored, clipped_by=clipped_by
        )

    def _stored(self, scale: Float64) -> Float64:
        dtype = Dtype.F32 if self.is_nested else self.scale_dtype
        return np.asarray(as_dtype(scale * self.raised, dtype), np.float64) / self.raised

    @property
    def raised(self) -> float:
        """What block scales are multiplied by where a second scale takes it off again."""
        return 2.0**9 if self.second else 1.0

    def tensors(self, module: str, found: Encoded) -> dict[str, Array]:
        """The tensors of a module."""
        scale = self._scale_tensor(found.scale)
        stored = {f"{module}.{self.scale_name}": scale}
        if self.is_fused(module):
            stored = {f"{module}{end}": one for end, one in fused(found, scale, EXPERTS).items()}
        elif self.wraps in WRAPS:
            wrapped = WRAPS[self.wraps](found, scale)
            stored = {f"{module}{end}": one for end, one in wrapped.items()}
        elif self.wraps == "packed words":
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
            stored[self.tensor(module, self.second)] = np.array([number], np.float32)
        return stored

    def _scale_tensor(self, scale: Float64) -> Array:
        raised = scale * self.raised
        if self.scale_dtype is Dtype.I32:
            exponents = np.zeros((len(scale), -(-scale.shape[1] // 4) * 4), np.uint8)
            exponents[:, : scale.shape[1]] = np.log2(scale) + 127
            return exponents.view(np.int32)
        if self.is_nested:
            return np.asarray(scale, np.float32)
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
        if self.dialect not in LISTS:
            return self._claim_without_list(), {}
        stated = {"quant_method": "fp8", "fmt": "e4m3", "modules_to_not_convert": skip}
        if self.block not in (TENSOR, CHANNEL):
            stated["weight_block_size"] = list(self.block)
        if self.ue8m0:
            stated["scale_fmt"] = "ue8m0"
        return {"quantization_config": stated}, {}

    def _claim_without_list(self) -> dict[str, Any]:
        """Of methods whose list of modules, where they have one, is not understood."""
        size = {"bits": self.coding.bits, "group_size": self.block[1]}
        stated: dict[str, Any] = {"quant_method": self.dialect}
        match self.dialect:
            case "mlx":
                mode = self.wraps.removeprefix("MLX").strip().lower()
                return {"quantization": size | {"mode": mode or "affine"}}
            case "torchao":
                inside = {"_type": "PerGroup", "_data": {"group_size": self.block[1], "axis": -1}}
                stated["quant_type"] = {"default": {"_data": {"granularity": inside}}}
            case "gptq" | "awq":
                stated |= size
        return {"quantization_config": stated}


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


def _of_other_dialects() -> Iterator[Scheme]:
    """What is named and packed in ways of its own."""
    e4m3, group = PLAIN_CODINGS[Dtype.F8_E4M3], (1, 32)
    for name in ("GPTQ", "AWQ", "AWQ GEMV"):
        yield Scheme(
            name, INT4, group, "exact", Dtype.F16, name.split()[0].lower(), "scales", name,
            ranged=True,
        )  # fmt: skip
    yield Scheme("MLX", INT4, group, "exact", Dtype.F16, "mlx", "scales", "MLX", ranged=True)
    for name, coding in (("MXFP4", E2M1), ("MXFP8", e4m3)):
        yield Scheme(
            f"{name} of MLX", coding, group, "ceil", Dtype.U8, "mlx", "scales", f"MLX {name}",
        )  # fmt: skip
    yield Scheme(
        "NVFP4 of MLX", E2M1, (1, 16), "exact", Dtype.F8_E4M3, "mlx", "scales", "MLX NVFP4",
    )  # fmt: skip
    for name, coding in (("NF4", NF4), ("FP4", FP4)):
        for wraps, dtype in ((name, Dtype.F32), (f"{name} nested", Dtype.U8)):
            yield Scheme(
                f"{wraps} of bitsandbytes", coding, (1, 64), "exact", dtype, "bitsandbytes",
                "weight.absmax", wraps,
            )  # fmt: skip
    yield Scheme(
        "LLM.int8 of bitsandbytes", INT8, CHANNEL, "exact", Dtype.F32, "bitsandbytes", "SCB",
        "LLM.int8",
    )  # fmt: skip
    yield Scheme(
        "NVFP4 of torchao", E2M1, (1, 16), "exact", Dtype.F8_E4M3, "torchao", "_weight_scale",
        "torchao", "_weight_per_tensor_scale",
    )  # fmt: skip
    yield Scheme(
        "INT8 in groups of torchao", INT8, group, "exact", Dtype.BF16, "torchao", "_weight_scale",
        "torchao", ranged=True,
    )  # fmt: skip
    yield Scheme(
        "NVFP4 fused of modelopt", E2M1, (1, 16), "exact", Dtype.F8_E4M3, "modelopt",
        "weight_scale", second="weight_scale_2", fused=True,
    )  # fmt: skip
    for name, coding in (("FP8", e4m3), ("INT8", INT8)):
        yield Scheme(
            f"{name} sparse", coding, CHANNEL, "exact", Dtype.F32, "compressed-tensors",
            "weight_scale", f"sparse {name}",
        )  # fmt: skip


SCHEMES: Final = MappingProxyType(
    {one.name: one for one in (*_fp8(), *_others(), *_of_other_dialects())}
)


@dataclass(slots=True)
class Stored:
    """A model whose modules are stored by one scheme; `weights` are what its codes were made of."""

    model: Model
    scheme: Scheme
    weights: dict[str, Float64] = field(default_factory=dict)

    def store(self, module: str, found: Encoded) -> None:
        """Put a module in, in place of what it was."""
        self.remove(module)
        self.model.tensors |= self.scheme.tensors(module, found)

    def remove(self, module: str) -> None:
        """Take out all tensors of a module; a fused one has its own name."""
        mine = (f"{module}.", f"{module}_")
        for name in [one for one in self.model.tensors if one == module or one.startswith(mine)]:
            del self.model.tensors[name]

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
    scheme: Scheme, rng: np.random.Generator, *, layers: int = 3, experts: int = EXPERTS
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
        if scheme.fused:
            of_experts = [f"{prefix}.mlp.experts.{part}" for part in ("gate_up_proj", "down_proj")]
        for module in (*attention, *of_experts):
            shape = scheme.shape_of(module)
            of_rows = 2.0 ** rng.normal(scheme.exponent, 1, (shape[0], 1))
            spread = of_rows * 2.0 ** rng.normal(0, 0.3, shape[1])
            weight = rng.standard_normal(shape) * spread
            found.weights[module] = np.asarray(weight.astype(BF16), dtype=np.float64)
            found.store(module, scheme.encoded(found.weights[module]))
    for block in range(2):
        plain(f"model.visual.blocks.{block}.attn.proj", 64, 64)
    if scheme.is_sparse:
        dense = found.model.tensors.pop(f"{UNQUANTIZED}.weight")
        stored = sparse_run(pruned(dense.astype(np.float64)).astype(BF16))
        found.model.tensors |= {f"{UNQUANTIZED}{end}": one for end, one in stored.items()}
    claim, others = scheme.claim(skip)
    found.model.config = {"model_type": "qwen3_moe", "hidden_size": 256, **claim}
    found.model.others = others
    return found
