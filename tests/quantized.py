"""Small quantized checkpoints in memory, made of real numbers, to be audited as they are or spoilt.

A checkpoint is a mapping of names to arrays, a config, and which tensors lie in a second shard.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from inspector.analysis.quant.audit import Audit, audit, audit_facts
from inspector.checkpoint import Checkpoint, ReadPolicy
from inspector.config import CONFIG_NAME
from inspector.format.index import INDEX_NAME
from inspector.source.base import Ledger, MemorySource
from tests.strategies_arrays import shard_of

Array = npt.NDArray[Any]

E4M3: Final = np.dtype(ml_dtypes.float8_e4m3fn)
BF16: Final = np.dtype(ml_dtypes.bfloat16)
E8M0: Final = np.dtype(ml_dtypes.float8_e8m0fnu)

BLOCK: Final = 128


@dataclass(slots=True)
class Model:
    """A checkpoint that can still be changed."""

    tensors: dict[str, Array]
    config: dict[str, Any]
    second_shard: set[str] = field(default_factory=set)
    others: dict[str, Any] = field(default_factory=dict)

    @property
    def skip(self) -> list[str]:
        entries: list[str] = self.config["quantization_config"]["modules_to_not_convert"]
        return entries

    def files(self) -> dict[str, bytes]:
        """Its files."""
        shards = {"model-00001-of-00002.safetensors": set(self.tensors) - self.second_shard}
        if self.second_shard:
            shards["model-00002-of-00002.safetensors"] = self.second_shard & set(self.tensors)
        contents = {
            shard: shard_of({name: self.tensors[name] for name in sorted(names)})
            for shard, names in shards.items()
        }
        weight_map = {one: name for name, names in shards.items() for one in sorted(names)}
        texts = {CONFIG_NAME: self.config, INDEX_NAME: {"weight_map": weight_map}, **self.others}
        return contents | {name: json.dumps(text).encode() for name, text in texts.items()}

    def write(self, folder: Path) -> Path:
        """Its files in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files().items():
            (folder / name).write_bytes(content)
        return folder


def gptq(module: str, outputs: int, inputs: int) -> dict[str, Array]:
    """A matrix `[outputs, inputs]` as AutoGPTQ stores it: 4 bits, one group, packed by column."""
    return {
        f"{module}.qweight": np.full((inputs // 8, outputs), 0x12345678, np.int32),
        f"{module}.qzeros": np.full((1, outputs // 8), 0x77777777, np.int32),
        f"{module}.scales": np.ones((1, outputs), np.float16),
        f"{module}.g_idx": np.zeros(inputs, np.int32),
    }


def awq(module: str, outputs: int, inputs: int) -> dict[str, Array]:
    """A matrix `[outputs, inputs]` as AutoAWQ stores it: 4 bits, one group, packed by row."""
    return {
        f"{module}.qweight": np.full((inputs, outputs // 8), 0x12345678, np.int32),
        f"{module}.qzeros": np.full((1, outputs // 8), 0x77777777, np.int32),
        f"{module}.scales": np.ones((1, outputs), np.float16),
    }


def bitsandbytes(module: str, outputs: int, inputs: int) -> dict[str, Array]:
    """A matrix `[outputs, inputs]` as bitsandbytes stores it: NF4, quantized once, by 64."""
    weight = f"{module}.weight"
    return {
        weight: np.full((outputs * inputs // 2, 1), 0x12, np.uint8),
        f"{weight}.absmax": np.ones(-(-outputs * inputs // 64), np.float32),
        f"{weight}.quant_map": np.linspace(-1, 1, 16, dtype=np.float32),
        f"{weight}.quant_state.bitsandbytes__nf4": bitsandbytes_state((outputs, inputs)),
    }


def bitsandbytes_state(shape: tuple[int, int], block: int = 64, **nested: float) -> Array:
    """The JSON beside a weight of bitsandbytes, as bytes."""
    said = {"quant_type": "nf4", "blocksize": block, "dtype": "bfloat16", "shape": shape, **nested}
    return np.frombuffer(json.dumps(said).encode(), np.uint8)


def audited(model: Model, *, sample: int | None = None) -> Audit:
    """The audit of a checkpoint in memory; all of its numbers are looked into, or a sample."""
    checkpoint, _ = opened(model)
    checkpoint.take_shapes()
    facts = audit_facts(checkpoint.weights, checkpoint.claim)
    return audit(facts, facts.looks(sample), checkpoint.reader)


def opened(model: Model) -> tuple[Checkpoint, MemorySource]:
    """The checkpoint, and its source, which lists what is read."""
    source = MemorySource(model.files())
    return Checkpoint(source, Ledger(), ReadPolicy(jobs=1)), source


def rules_of(found: Audit) -> list[str]:
    """The slugs of its findings, in the order of the alphabet."""
    return sorted(finding.rule for finding in found.findings)


def quantize(weight: Array, rounding: str = "ceil") -> tuple[Array, Array]:
    """Codes and float32 scales of 128 x 128 blocks, as a producer with that rounding makes them."""
    rows, columns = weight.shape
    tiles = (-(-rows // BLOCK), -(-columns // BLOCK))
    padded = np.zeros((tiles[0] * BLOCK, tiles[1] * BLOCK))
    padded[:rows, :columns] = weight
    largest = np.abs(padded).reshape(tiles[0], BLOCK, tiles[1], BLOCK).max(axis=(1, 3))
    scale = _scales(largest, rounding).astype(np.float32)
    spread = np.kron(scale.astype(np.float64), np.ones((BLOCK, BLOCK)))[:rows, :columns]
    codes = np.clip(weight / spread, -448, 448).astype(np.float32).astype(E4M3)
    return codes, scale


def _scales(largest: Array, rounding: str) -> Array:
    exact = largest / 448
    if rounding == "amax/448":
        return exact
    if rounding == "floor":
        return np.asarray(2.0 ** (np.floor(np.log2(largest)) - 8))
    exponent = np.ceil(np.log2(exact)) if rounding == "ceil" else np.round(np.log2(exact))
    return np.asarray(2.0**exponent)


def normal(rng: np.random.Generator, *shape: int) -> Array:
    """BF16 weights of a normal distribution, blocks of various sizes."""
    spread = 2.0 ** rng.normal(-5, 1, [-(-size // BLOCK) for size in shape])
    wide = np.kron(spread, np.ones([BLOCK] * len(shape)))[tuple(map(slice, shape))]
    return (rng.standard_normal(shape) * wide).astype(BF16)


def qwen_like(
    *,
    layers: int = 4,
    experts: int = 4,
    rounding: str = "ceil",
    scale_dtype: npt.DTypeLike = np.float32,
    seed: int = 0,
) -> Model:
    """A sound checkpoint with Qwen3-MoE's names and a vision tower: FP8 blocks, ue8m0 declared."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, Array] = {}
    skip = ["lm_head", "model.embed_tokens", "model.norm"]

    def plain(module: str, *shape: int) -> None:
        tensors[f"{module}.weight"] = normal(rng, *shape)
        if module not in skip:
            skip.append(module)

    def coded(module: str, *shape: int) -> None:
        codes, scale = quantize(normal(rng, *shape).astype(np.float64), rounding)
        tensors[f"{module}.weight"] = codes
        tensors[f"{module}.weight_scale_inv"] = scale.astype(scale_dtype)

    for name, size in (("lm_head", (96, 256)), ("model.embed_tokens", (96, 256))):
        plain(name, *size)
    plain("model.norm", 256)
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            plain(f"{prefix}.{norm}", 256)
        for part, rows in (("q", 256), ("k", 128), ("v", 128)):
            coded(f"{prefix}.self_attn.{part}_proj", rows, 256)
        coded(f"{prefix}.self_attn.o_proj", 256, 256)
        plain(f"{prefix}.mlp.gate", experts, 256)
        for expert in range(experts):
            for part, shape in (("gate", (192, 256)), ("up", (192, 256)), ("down", (256, 192))):
                coded(f"{prefix}.mlp.experts.{expert}.{part}_proj", *shape)
    for block in range(2):
        plain(f"model.visual.blocks.{block}.attn.proj", 128, 128)
        plain(f"model.visual.blocks.{block}.norm1", 128)
    return Model(tensors, config_of(skip, layers=layers, experts=experts))


def config_of(skip: list[str] | None, *, layers: int, experts: int) -> dict[str, Any]:
    """A config with an FP8 claim; `skip` None is no list."""
    claim: dict[str, Any] = {
        "quant_method": "fp8",
        "fmt": "e4m3",
        "activation_scheme": "dynamic",
        "scale_fmt": "ue8m0",
        "weight_block_size": [BLOCK, BLOCK],
    }
    if skip is not None:
        claim["modules_to_not_convert"] = skip
    return {
        "model_type": "qwen3_moe",
        "hidden_size": 256,
        "num_hidden_layers": layers,
        "num_experts": experts,
        "moe_intermediate_size": 192,
        "quantization_config": claim,
    }
