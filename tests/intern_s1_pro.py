"""The shape of internlm/Intern-S1-Pro: its numbers, tensors and `config.json`; no I/O here.

The names and shapes follow the published `config.json` and the module tree of its model code. The
dtype of `weight_scale_inv` is in neither: it is a parameter.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Final, Literal, NamedTuple

ScaleDtype = Literal["F32", "F8_E8M0", "BF16"]

ITEM_BYTES: Final = {"F32": 4, "BF16": 2, "F8_E4M3": 1, "F8_E8M0": 1}
BLOCK: Final = (128, 128)
SCALE_SUFFIX: Final = ".weight_scale_inv"

_TEXT = "model.language_model."
_VISION = "model.visual."


class TensorSpec(NamedTuple):
    """One tensor of the checkpoint, without its place in a file."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def byte_count(self) -> int:
        return self.elements * ITEM_BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class Vision:
    """The image tower, as `vision_config` gives it."""

    depth: int = 24
    hidden: int = 1024
    intermediate: int = 4096
    heads: int = 16
    out_hidden: int = 4096
    positions: int = 2304
    patch: int = 16
    temporal_patch: int = 2
    spatial_merge: int = 2
    channels: int = 3


@dataclass(frozen=True, slots=True)
class Architecture:
    """The numbers of the published `config.json` that decide names and shapes."""

    layers: int = 94
    experts: int = 512
    hidden: int = 4096
    intermediate: int = 12288
    moe_intermediate: int = 1536
    heads: int = 64
    key_value_heads: int = 4
    head_dim: int = 128
    vocabulary: int = 155008
    max_positions: int = 262144
    rope_theta: int = 5_000_000
    vision: Vision = field(default_factory=Vision)

    @property
    def fope_frequencies(self) -> int:
        """Inverse frequencies above one turn per context: the side of the FoPE matrices."""
        one_turn = 2 * math.pi / self.max_positions
        half = range(self.head_dim // 2)
        return sum(self.rope_theta ** (-2 * i / self.head_dim) > one_turn for i in half)


def modules_to_not_convert(architecture: Architecture) -> list[str]:
    """Modules the quantizer left in BF16, in model order; the published list has 623."""
    in_layer = (
        "input_layernorm",
        "mlp.gate",
        "post_attention_layernorm",
        "self_attn.k_norm",
        "self_attn.q_norm",
    )
    in_block = ("attn.proj", "attn.qkv", "mlp.linear_fc1", "mlp.linear_fc2", "norm1", "norm2")
    in_tower = ("merger.linear_fc1", "merger.linear_fc2", "merger.norm", "patch_embed.proj")
    layers, blocks = range(architecture.layers), range(architecture.vision.depth)
    return [
        "lm_head",
        f"{_TEXT}embed_tokens",
        *(f"{_TEXT}layers.{layer}.{module}" for layer, module in product(layers, in_layer)),
        f"{_TEXT}norm",
        f"{_TEXT}rotary_emb",
        *(f"{_VISION}blocks.{block}.{module}" for block, module in product(blocks, in_block)),
        *(_VISION + module for module in in_tower),
        f"{_VISION}pos_embed",
    ]


def tensor_specs(
    architecture: Architecture, scale_dtype: ScaleDtype = "F32"
) -> Iterator[TensorSpec]:
    """Every tensor of the checkpoint, in module order."""
    yield TensorSpec("lm_head.weight", "BF16", (architecture.vocabulary, architecture.hidden))
    yield TensorSpec(
        f"{_TEXT}embed_tokens.weight", "BF16", (architecture.vocabulary, architecture.hidden)
    )
    for layer in range(architecture.layers):
        yield from _layer(architecture, f"{_TEXT}layers.{layer}.", scale_dtype)
    yield TensorSpec(f"{_TEXT}norm.weight", "BF16", (architecture.hidden,))
    side = architecture.fope_frequencies
    for table in ("cos_coef", "sin_coef"):
        yield TensorSpec(
            f"{_TEXT}rotary_emb.{table}", "F32", (architecture.key_value_heads, side, side)
        )
    yield from _image_tower(architecture.vision)


def config(architecture: Architecture) -> dict[str, object]:
    """A `config.json` with the field names of the published one."""
    tower = architecture.vision
    return {
        "architectures": ["InternS1ProForConditionalGeneration"],
        "image_token_id": 151655,
        "model_type": "interns1_pro",
        "text_config": {
            "attention_bias": False,
            "decoder_sparse_step": 1,
            "dtype": "bfloat16",
            "head_dim": architecture.head_dim,
            "hidden_act": "silu",
            "hidden_size": architecture.hidden,
            "intermediate_size": architecture.intermediate,
            "max_position_embeddings": architecture.max_positions,
            "mlp_only_layers": [],
            "model_type": "interns1_pro_text",
            "moe_intermediate_size": architecture.moe_intermediate,
            "norm_topk_prob": True,
            "num_attention_heads": architecture.heads,
            "num_experts": architecture.experts,
            "num_experts_per_tok": 8,
            "num_hidden_layers": architecture.layers,
            "num_key_value_heads": architecture.key_value_heads,
            "rms_norm_eps": 1e-06,
            "rope_scaling": {
                "rope_type": "default",
                "fope_init_factor": 0.5,
                "fope_sep_head": True,
                "num_inv_freq": None,
            },
            "rope_theta": architecture.rope_theta,
            "router_n_groups": 8,
            "vocab_size": architecture.vocabulary,
        },
        "tie_word_embeddings": False,
        "video_token_id": 151656,
        "vision_config": {
            "depth": tower.depth,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": tower.hidden,
            "in_channels": tower.channels,
            "intermediate_size": tower.intermediate,
            "model_type": "interns1_pro_vision",
            "num_heads": tower.heads,
            "num_position_embeddings": tower.positions,
            "out_hidden_size": tower.out_hidden,
            "patch_size": tower.patch,
            "spatial_merge_size": tower.spatial_merge,
            "temporal_patch_size": tower.temporal_patch,
        },
        "vision_end_token_id": 151653,
        "vision_start_token_id": 151652,
        "quantization_config": {
            "activation_scheme": "dynamic",
            "fmt": "e4m3",
            "quant_method": "fp8",
            "scale_fmt": "ue8m0",
            "weight_block_size": list(BLOCK),
            "modules_to_not_convert": modules_to_not_convert(architecture),
        },
    }


def _vector(name: str, length: int) -> TensorSpec:
    return TensorSpec(name, "BF16", (length,))


def _quantized(
    module: str, rows: int, columns: int, scale_dtype: ScaleDtype
) -> Iterator[TensorSpec]:
    yield TensorSpec(f"{module}.weight", "F8_E4M3", (rows, columns))
    tiles = (-(-rows // BLOCK[0]), -(-columns // BLOCK[1]))
    yield TensorSpec(module + SCALE_SUFFIX, scale_dtype, tiles)


def _layer(
    architecture: Architecture, prefix: str, scale_dtype: ScaleDtype
) -> Iterator[TensorSpec]:
    hidden, inner = architecture.hidden, architecture.moe_intermediate
    queries = architecture.heads * architecture.head_dim
    keys = architecture.key_value_heads * architecture.head_dim
    attention = prefix + "self_attn."
    yield _vector(prefix + "input_layernorm.weight", hidden)
    for expert in range(architecture.experts):
        module = f"{prefix}mlp.experts.{expert}."
        yield from _quantized(module + "down_proj", hidden, inner, scale_dtype)
        yield from _quantized(module + "gate_proj", inner, hidden, scale_dtype)
        yield from _quantized(module + "up_proj", inner, hidden, scale_dtype)
    yield TensorSpec(prefix + "mlp.gate.weight", "BF16", (architecture.experts, hidden))
    yield _vector(prefix + "post_attention_layernorm.weight", hidden)
    yield _vector(attention + "k_norm.weight", architecture.head_dim)
    yield from _quantized(attention + "k_proj", keys, hidden, scale_dtype)
    yield from _quantized(attention + "o_proj", hidden, queries, scale_dtype)
    yield _vector(attention + "q_norm.weight", architecture.head_dim)
    yield from _quantized(attention + "q_proj", queries, hidden, scale_dtype)
    yield from _quantized(attention + "v_proj", keys, hidden, scale_dtype)


def _biased(module: str, rows: int, columns: int) -> Iterator[TensorSpec]:
    yield TensorSpec(f"{module}.weight", "BF16", (rows, columns))
    yield _vector(f"{module}.bias", rows)


def _image_tower(tower: Vision) -> Iterator[TensorSpec]:
    hidden, merged = tower.hidden, tower.hidden * tower.spatial_merge**2
    patch = (tower.channels, tower.temporal_patch, tower.patch, tower.patch)
    for number in range(tower.depth):
        block = f"{_VISION}blocks.{number}."
        yield from _biased(block + "attn.proj", hidden, hidden)
        yield from _biased(block + "attn.qkv", 3 * hidden, hidden)
        yield from _biased(block + "mlp.linear_fc1", tower.intermediate, hidden)
        yield from _biased(block + "mlp.linear_fc2", hidden, tower.intermediate)
        for norm, part in product(("norm1", "norm2"), ("bias", "weight")):
            yield _vector(f"{block}{norm}.{part}", hidden)
    yield from _biased(f"{_VISION}merger.linear_fc1", merged, merged)
    yield from _biased(f"{_VISION}merger.linear_fc2", tower.out_hidden, merged)
    yield _vector(f"{_VISION}merger.norm.bias", hidden)
    yield _vector(f"{_VISION}merger.norm.weight", hidden)
    yield _vector(f"{_VISION}patch_embed.proj.bias", hidden)
    yield TensorSpec(f"{_VISION}patch_embed.proj.weight", "BF16", (hidden, *patch))
    yield TensorSpec(f"{_VISION}pos_embed.weight", "BF16", (tower.positions, hidden))
