"""The typed architecture of a model, read from its config.json: what the formulas need. Pure.

What a config leaves to the model's code (whether q and k are normalised, which layers are sparse)
is in the tables here, with the code it was read from: transformers 5.24, `models/*/modeling_*.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inspector.analysis.config_meaning import Fields, Section, object_of
from inspector.config import ModelConfig
from inspector.errors import ConfigError


class QkNorm(StrEnum):
    """What the learned norms of queries and keys cover: nothing, each head, all heads at once."""

    NONE = "none"
    HEAD = "head"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class GroupedAttention:
    """Attention with keys and values a group of heads; `heads == kv_heads` is the classic one."""

    heads: int
    kv_heads: int
    head_dim: int
    qkv_bias: bool
    output_bias: bool
    qk_norm: QkNorm
    sinks: bool


@dataclass(frozen=True, slots=True)
class Indexer:
    """The small attention that chooses tokens for the large one (DeepSeek-V3.2)."""

    heads: int
    head_dim: int


@dataclass(frozen=True, slots=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek-V2): keys and values from one vector of `kv_rank`."""

    heads: int
    query_rank: int | None
    kv_rank: int
    nope_dim: int
    rope_dim: int
    value_dim: int
    bias: bool
    indexer: Indexer | None


@dataclass(frozen=True, slots=True)
class CompressedAttention:
    """DeepSeek-V4's: one key that is also the value, and tokens pooled by a ratio in most layers.

    `ratios` has an entry a layer, 0 for a layer that sees its window only.
    """

    heads: int
    head_dim: int
    query_rank: int
    output_groups: int
    output_rank: int
    ratios: tuple[int, ...]
    indexer: Indexer


Attention = GroupedAttention | LatentAttention | CompressedAttention


@dataclass(frozen=True, slots=True)
class Experts:
    """The sparse part of a layer. `shared` is the width of what every token passes, 0 for none."""

    count: int
    per_token: int
    intermediate: int
    shared: int
    shared_gate: bool
    biases: bool
    router_bias: bool


@dataclass(frozen=True, slots=True)
class TextModel:
    """The language model. `sparse_layers` have experts, the others an MLP of `intermediate`.

    `windows` says for each layer how many tokens back it sees, None for all of them.
    """

    hidden: int
    layers: int
    vocabulary: int
    attention: Attention
    intermediate: int
    sparse_layers: frozenset[int]
    experts: Experts | None
    tied: bool
    mtp_modules: int
    windows: tuple[int | None, ...]
    streams: int

    @property
    def dense_layers(self) -> int:
        return self.layers - len(self.sparse_layers)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model. `text_type` is its text model's type, `vision` its tower's fields or None."""

    text_type: str
    text: TextModel
    vision: Fields | None


MAX_LAYERS: Final = 10_000
"""A guard: layers are gone through one by one. Published models have some hundred."""

OVERLAPPING_RATIO: Final = 4
"""Ratio at which a compressor of DeepSeek-V4 pools overlapping windows, and an indexer chooses."""

_HEAD_NORMED: Final = (
    "qwen3", "interns1", "gemma3", "dots1",
)  # fmt: skip
"""Beginnings of model types whose q and k pass an RMSNorm of `head_dim` in each layer."""

_QKV_BIASED: Final = ("qwen2",)
"""Beginnings of model types with biases on q, k and v only, whatever `attention_bias` says."""

_OUTPUT_UNBIASED: Final = ("glm4",)
_NEVER_BIASED: Final = ("minimax_m2",)
"""Beginnings of model types that do not follow `attention_bias`, for the output or at all."""

READ_FAMILIES: Final = (
    "llama", "mistral", "mixtral", "qwen2", "qwen3", "interns1", "deepseek_v3", "deepseek_v32",
    "deepseek_v4", "kimi_k2", "glm4_moe", "glm_moe_dsa", "gpt_oss", "minimax_m2", "gemma", "phi3",
    "granite", "ernie4_5", "smollm3", "seed_oss", "olmo",
)  # fmt: skip
"""Beginnings of model types whose code was read: their counts are exact, or off by a few norms."""


def architecture_of(config: ModelConfig) -> Architecture:
    """The architecture that a config states.

    Raises:
        ConfigError: it lacks what every language model has.
    """
    text = Fields(object_of(config.raw, Section.TEXT) or {})
    vision = object_of(config.raw, Section.VISION)
    return Architecture(
        text_type=text.text("model_type"),
        text=_text_model(text),
        vision=None if vision is None else Fields(vision, Section.VISION),
    )


def _text_model(fields: Fields) -> TextModel:
    layers = fields.needed("num_hidden_layers")
    if layers > MAX_LAYERS:
        raise ConfigError(
            f"config.json: {layers:,} layers, more than the {MAX_LAYERS:,} of any model"
        )
    experts = _experts(fields)
    modules = fields.count("num_nextn_predict_layers") or 0
    dense = fields.count("intermediate_size_mlp") or fields.count("intermediate_size") or 0
    return TextModel(
        hidden=fields.needed("hidden_size"),
        layers=layers,
        vocabulary=fields.needed("vocab_size"),
        attention=_attention(fields),
        intermediate=dense,
        sparse_layers=_sparse_layers(fields, layers) if experts else frozenset(),
        experts=experts,
        tied=fields.flag("tie_word_embeddings"),
        mtp_modules=modules * (fields.count("mtp_transformer_layers") or 1),
        windows=_windows(fields, layers),
        streams=fields.count("hc_mult") or 1,
    )


def _attention(fields: Fields) -> Attention:
    heads = fields.needed("num_attention_heads")
    indexer = _indexer(fields)
    if fields.count("kv_lora_rank"):
        return LatentAttention(
            heads=heads,
            query_rank=fields.count("q_lora_rank"),
            kv_rank=fields.needed("kv_lora_rank"),
            nope_dim=fields.needed("qk_nope_head_dim"),
            rope_dim=fields.needed("qk_rope_head_dim"),
            value_dim=fields.needed("v_head_dim"),
            bias=fields.flag("attention_bias"),
            indexer=indexer,
        )
    if fields.count("o_lora_rank") and indexer:
        return CompressedAttention(
            heads=heads,
            head_dim=fields.needed("head_dim"),
            query_rank=fields.needed("q_lora_rank"),
            output_groups=fields.needed("o_groups"),
            output_rank=fields.needed("o_lora_rank"),
            ratios=fields.numbers("compress_ratios"),
            indexer=indexer,
        )
    family = fields.text("model_type")
    biased = fields.flag("attention_bias") and not family.startswith(_NEVER_BIASED)
    return GroupedAttention(
        heads=heads,
        kv_heads=fields.count("num_key_value_heads") or heads,
        head_dim=fields.count("head_dim") or fields.needed("hidden_size") // heads,
        qkv_bias=biased or family.startswith(_QKV_BIASED),
        output_bias=biased and not family.startswith(_OUTPUT_UNBIASED),
        qk_norm=_qk_norm(fields, family),
        sinks=family == "gpt_oss",
    )


def _indexer(fields: Fields) -> Indexer | None:
    heads = fields.count("index_n_heads")
    return Indexer(heads, fields.needed("index_head_dim")) if heads else None


def _qk_norm(fields: Fields, family: str) -> QkNorm:
    """Llama 4 says `use_qk_norm` too; its norm has no weights (`Llama4TextL2Norm`)."""
    if family.startswith("minimax_m2"):
        return QkNorm.WHOLE if fields.flag("use_qk_norm") else QkNorm.NONE
    if family.startswith("glm4_moe"):
        return QkNorm.HEAD if fields.flag("use_qk_norm") else QkNorm.NONE
    return QkNorm.HEAD if family.startswith(_HEAD_NORMED) else QkNorm.NONE


def _experts(fields: Fields) -> Experts | None:
    count = fields.count("num_experts")
    if not count:
        return None
    family = fields.text("model_type")
    own_width = fields.count("moe_intermediate_size")
    width = own_width or fields.needed("intermediate_size")
    biased = family == "gpt_oss"
    return Experts(
        count=count,
        per_token=fields.needed("num_experts_per_tok"),
        intermediate=width,
        shared=_shared_width(fields, family, width),
        shared_gate=family.startswith(("qwen2_moe", "qwen3_next", "qwen3_5_moe")),
        biases=biased,
        router_bias=biased,
    )


def _shared_width(fields: Fields, family: str, width: int) -> int:
    """Llama 4 has one shared expert in each sparse layer, and no key for it."""
    if family.startswith("llama4"):
        return width
    stated = fields.count("shared_expert_intermediate_size")
    return stated if stated is not None else (fields.count("n_shared_experts") or 0) * width


def _sparse_layers(fields: Fields, layers: int) -> frozenset[int]:
    """Which layers have experts: every n-th, all after the first k, or those not listed."""
    flags = fields.numbers("moe_layer_freq")
    if len(flags) == layers:
        return frozenset(layer for layer, flag in enumerate(flags) if flag)
    step = fields.count("decoder_sparse_step") or 1
    first = fields.count("first_k_dense_replace") or 0
    dense = set(fields.numbers("mlp_only_layers"))
    if fields.get("moe_layer_freq") is not None:
        chosen = {layer for layer in range(first, layers) if layer % step == 0}
    else:
        chosen = {layer for layer in range(first, layers) if (layer + 1) % step == 0}
    return frozenset(chosen - dense)


def _windows(fields: Fields, layers: int) -> tuple[int | None, ...]:
    """A layer's window. Llama 4's layers without rope, every fourth, see all tokens."""
    window = fields.count("sliding_window")
    kinds = fields.get("layer_types")
    chunk = fields.count("attention_chunk_size")
    if chunk:
        return tuple(chunk if (layer + 1) % 4 else None for layer in range(layers))
    if window and isinstance(kinds, list) and len(kinds) == layers:
        return tuple(window if kind == "sliding_attention" else None for kind in kinds)
    if window and fields.get("use_sliding_window") is not False:
        return (window,) * layers
    return (None,) * layers
