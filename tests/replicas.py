"""Tiny checkpoints with the names, dtypes, layouts and all layers of published models.

Which modules are quantized follows the models' own code and the headers of their checkpoints, not
the list of the config: the two are compared. Sources: transformers 5.24 `models/`, DeepSeek-V3.2
and V4, MiniMax-M2 and gpt-oss headers.
"""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tests.published import Published
from tests.quantized import BF16, E4M3, E8M0, Model

Array = npt.NDArray[Any]
Tensors = Iterator[tuple[str, Array]]

_ROWS: Final = 8
_COLUMNS: Final = 64
_EXPERTS: Final = 2

_FP4: Final = 0x62
"""Two codes: 1, and 4, which is the largest of a block under the smallest power of two."""

_SCALE: Final = np.float32(2.0**-9)
_CODE: Final = 0x7A
"""The largest code of a block under the smallest power of two."""


def replica_of(published: Published) -> Model:
    """The checkpoint; `hidden_size` and the numbers of experts are those of the replica."""
    tensors = dict(_FAMILIES[published.model_type](published))
    sizes = {"hidden_size": _COLUMNS, "num_experts": _EXPERTS}
    return Model(tensors, {**published.config(), **sizes})


def _plain(module: str, *shape: int) -> Tensors:
    yield f"{module}.weight", np.ones(shape or (_COLUMNS,), dtype=BF16)


def _linear(module: str) -> Tensors:
    yield from _plain(module, _ROWS, _COLUMNS)


def _codes(*shape: int) -> Array:
    return np.full(shape, _CODE, dtype=np.uint8).view(E4M3)


def _blocks(module: str) -> Tensors:
    yield f"{module}.weight", _codes(_ROWS, _COLUMNS)
    yield f"{module}.weight_scale_inv", np.full((1, 1), _SCALE)


def _channels(module: str) -> Tensors:
    yield f"{module}.weight", _codes(_ROWS, _COLUMNS)
    yield f"{module}.weight_scale", np.full((_ROWS, 1), _SCALE).astype(BF16)


def _exponents(module: str) -> Tensors:
    yield f"{module}.weight", _codes(_ROWS, _COLUMNS)
    yield f"{module}.scale", np.full((1, 1), _SCALE).astype(E8M0)


def _packed_fp4(module: str) -> Tensors:
    yield f"{module}.weight", np.full((_ROWS, _COLUMNS // 2), _FP4, dtype=np.int8)
    yield f"{module}.scale", np.full((_ROWS, _COLUMNS // 32), _SCALE).astype(E8M0)


def _nvfp4(module: str) -> Tensors:
    yield f"{module}.weight", np.full((_ROWS, _COLUMNS // 2), _FP4, dtype=np.uint8)
    yield f"{module}.weight_scale", np.ones((_ROWS, _COLUMNS // 16)).astype(E4M3)
    yield f"{module}.weight_scale_2", np.array(_SCALE)


Store = Callable[[str], Tensors]


def _attention(prefix: str, store: Store, names: str = "qkvo") -> Tensors:
    for part in names:
        yield from store(f"{prefix}.self_attn.{part}_proj")


def _experts(prefix: str, store: Store, parts: tuple[str, ...]) -> Tensors:
    for expert in range(_EXPERTS):
        for part in parts:
            yield from store(f"{prefix}.{expert}.{part}")


_GATED: Final = ("gate_proj", "up_proj", "down_proj")
_NUMBERED: Final = ("w1", "w2", "w3")


def _qwen_layers(prefix: str, layers: int, store: Store) -> Tensors:
    for layer in range(layers):
        at = f"{prefix}.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield from _plain(f"{at}.{norm}")
        for norm in ("q_norm", "k_norm"):
            yield from _plain(f"{at}.self_attn.{norm}")
        yield from _attention(at, store)
        yield from _linear(f"{at}.mlp.gate")
        yield from _experts(f"{at}.mlp.experts", store, _GATED)


def _ends(prefix: str, head: str = "lm_head") -> Tensors:
    yield from _linear(f"{prefix}.embed_tokens")
    yield from _plain(f"{prefix}.norm")
    yield from _linear(head)


def _qwen(published: Published) -> Tensors:
    store = _blocks if published.claim else _linear
    yield from _ends("model")
    yield from _qwen_layers("model", published.layers, store)


def _intern(published: Published) -> Tensors:
    text, vision = "model.language_model", "model.visual"
    yield from _ends(text)
    yield from _qwen_layers(text, published.layers, _blocks)
    for table in ("cos_coef", "sin_coef"):
        yield f"{text}.rotary_emb.{table}", np.ones((2, 3, 3), dtype=np.float32)
    for block in range(24):
        for part in ("attn.qkv", "attn.proj", "mlp.linear_fc1", "mlp.linear_fc2"):
            yield from _linear(f"{vision}.blocks.{block}.{part}")
        for norm in ("norm1", "norm2"):
            yield from _plain(f"{vision}.blocks.{block}.{norm}")
    for part in ("merger.linear_fc1", "merger.linear_fc2", "pos_embed"):
        yield from _linear(f"{vision}.{part}")
    yield from _plain(f"{vision}.merger.norm")
    yield from _plain(f"{vision}.patch_embed.proj", _ROWS, 3, 2, 4, 4)


def _qwen_vl(published: Published) -> Tensors:
    text = "model.language_model"
    yield from _ends(text)
    for layer in range(published.layers):
        at = f"{text}.layers.{layer}"
        yield from _plain(f"{at}.input_layernorm")
        yield from _attention(at, _linear)
        yield from _linear(f"{at}.mlp.gate")
        fused = np.ones((_EXPERTS, _COLUMNS, 2 * _ROWS), dtype=BF16)
        yield f"{at}.mlp.experts.gate_up_proj", fused
        yield f"{at}.mlp.experts.down_proj", fused[:, :_ROWS]


def _minimax(published: Published) -> Tensors:
    yield from _ends("model")
    for layer in range(published.layers):
        at = f"model.layers.{layer}"
        yield from _plain(f"{at}.input_layernorm")
        yield from _attention(at, _blocks)
        moe = f"{at}.block_sparse_moe"
        yield f"{moe}.gate.weight", np.ones((_EXPERTS, _COLUMNS), dtype=np.float32)
        yield f"{moe}.e_score_correction_bias", np.ones(_EXPERTS, dtype=np.float32)
        yield from _experts(f"{moe}.experts", _blocks, _NUMBERED)


def _mixtral(published: Published) -> Tensors:
    yield from _ends("model")
    for layer in range(published.layers):
        at = f"model.layers.{layer}"
        yield from _attention(at, _linear)
        yield from _linear(f"{at}.block_sparse_moe.gate")
        yield from _experts(f"{at}.block_sparse_moe.experts", _linear, _NUMBERED)


def _deepseek(published: Published) -> Tensors:
    """DeepSeek-V3.2 and what follows its grammar: Kimi-K2 without indexer, GLM-5."""
    numbers = published.numbers
    yield from _ends("model")
    for layer in range(published.layers + numbers["num_nextn_predict_layers"]):
        at = f"model.layers.{layer}"
        yield from _latent_attention(at, with_indexer=published.model_type != "kimi_k2")
        if layer < numbers["first_k_dense_replace"]:
            for part in _GATED:
                yield from _blocks(f"{at}.mlp.{part}")
            continue
        yield from _linear(f"{at}.mlp.gate")
        yield f"{at}.mlp.gate.e_score_correction_bias", np.ones(_EXPERTS, dtype=np.float32)
        yield from _experts(f"{at}.mlp.experts", _blocks, _GATED)
        for part in _GATED:
            yield from _blocks(f"{at}.mlp.shared_experts.{part}")
        if layer >= published.layers:
            yield from _next_token(at)


def _latent_attention(at: str, *, with_indexer: bool) -> Tensors:
    for norm in ("input_layernorm", "post_attention_layernorm"):
        yield from _plain(f"{at}.{norm}")
    for part in ("q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"):
        yield from _blocks(f"{at}.self_attn.{part}")
    for norm in ("q_a_layernorm", "kv_a_layernorm"):
        yield from _plain(f"{at}.self_attn.{norm}")
    if with_indexer:
        for part in ("wq_b", "wk"):
            yield from _blocks(f"{at}.self_attn.indexer.{part}")
        yield from _linear(f"{at}.self_attn.indexer.weights_proj")
        yield from _plain(f"{at}.self_attn.indexer.k_norm")
        yield f"{at}.self_attn.indexer.k_norm.bias", np.ones(_ROWS, dtype=BF16)


def _next_token(at: str) -> Tensors:
    yield from _linear(f"{at}.eh_proj")
    for norm in ("enorm", "hnorm", "shared_head.norm"):
        yield from _plain(f"{at}.{norm}")
    yield from _linear(f"{at}.embed_tokens")
    yield from _linear(f"{at}.shared_head.head")


def _deepseek_v4(published: Published) -> Tensors:
    yield from _linear("embed")
    yield from _linear("head")
    yield from _plain("norm")
    for layer in range(published.layers):
        at = f"layers.{layer}"
        for part in ("wq_a", "wq_b", "wkv", "wo_a", "wo_b"):
            yield from _exponents(f"{at}.attn.{part}")
        yield from _linear(f"{at}.ffn.gate")
        yield f"{at}.ffn.gate.bias", np.ones(_EXPERTS, dtype=np.float32)
        yield from _experts(f"{at}.ffn.experts", _packed_fp4, _NUMBERED)
        for part in _NUMBERED:
            yield from _exponents(f"{at}.ffn.shared_experts.{part}")


def _llama4(published: Published) -> Tensors:
    text, vision = "language_model.model", "vision_model"
    yield from _ends(text, "language_model.lm_head")
    for layer in range(published.layers):
        at = f"{text}.layers.{layer}"
        yield from _plain(f"{at}.input_layernorm")
        yield from _attention(at, _linear)
        yield from _linear(f"{at}.feed_forward.router")
        yield from _experts(f"{at}.feed_forward.experts", _channels, _GATED)
        for part in _GATED:
            yield from _channels(f"{at}.feed_forward.shared_expert.{part}")
    for layer in range(34):
        at = f"{vision}.model.layers.{layer}"
        yield from _attention(at, _linear)
        for part in ("mlp.fc1", "mlp.fc2"):
            yield from _linear(f"{at}.{part}")
    for module in ("patch_embedding.linear", "vision_adapter.mlp.fc1", "vision_adapter.mlp.fc2"):
        yield from _linear(f"{vision}.{module}")
    yield from _linear("multi_modal_projector.linear_1")


def _gpt_oss(published: Published) -> Tensors:
    yield from _ends("model")
    for layer in range(published.layers):
        at = f"model.layers.{layer}"
        yield from _attention(at, _linear)
        yield from _linear(f"{at}.mlp.router")
        yield f"{at}.mlp.router.bias", np.ones(_EXPERTS, dtype=BF16)
        for part, rows, columns in (("gate_up", 2 * _ROWS, _COLUMNS), ("down", _COLUMNS, 32)):
            name = f"{at}.mlp.experts.{part}_proj"
            groups = columns // 32
            yield f"{name}_blocks", np.full((_EXPERTS, rows, groups, 16), _FP4, dtype=np.uint8)
            yield f"{name}_scales", np.full((_EXPERTS, rows, groups), 120, dtype=np.uint8)
            yield f"{name}_bias", np.ones((_EXPERTS, rows), dtype=BF16)


_FAMILIES: Final = MappingProxyType[str, Callable[[Published], Tensors]](
    {
        "qwen3_moe": _qwen,
        "qwen3_vl_moe": _qwen_vl,
        "interns1_pro": _intern,
        "minimax_m2": _minimax,
        "mixtral": _mixtral,
        "deepseek_v32": _deepseek,
        "kimi_k2": _deepseek,
        "glm_moe_dsa": _deepseek,
        "deepseek_v4": _deepseek_v4,
        "llama4": _llama4,
        "gpt_oss": _gpt_oss,
    }
)


def nvfp4_replica(published: Published) -> Model:
    """As modelopt leaves it: NVFP4 in all linear layers, said in a file of its own."""
    prefix, layers = "model", published.layers
    tensors = dict([*_ends(prefix), *_qwen_layers(prefix, layers, _nvfp4)])
    excluded = ["lm_head", *(f"model.layers.{layer}.mlp.gate" for layer in range(layers))]
    stated = {"quant_algo": "NVFP4", "group_size": 16, "exclude_modules": excluded}
    model = Model(tensors, {**published.config(), "hidden_size": _COLUMNS})
    model.others["hf_quant_config.json"] = {"quantization": stated}
    return model
