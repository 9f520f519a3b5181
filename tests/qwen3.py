"""The shape of Qwen/Qwen3-235B-A22B: its tensors, and a `config.json` of its numbers; no I/O here.

The numbers are those of the published `config.json`. Experts are separate tensors, all BF16.
"""

from collections.abc import Iterator
from typing import Final

from tests.intern_s1_pro import TensorSpec

PARAMETERS: Final = 235_093_634_560
EXPERTS: Final = 128
LAYERS: Final = 94

_HIDDEN: Final = 4096
_INNER: Final = 1536
_VOCABULARY: Final = 151_936


def config(layers: int = LAYERS) -> dict[str, object]:
    """A `config.json` with the field names and numbers of the published one."""
    return {
        "architectures": ["Qwen3MoeForCausalLM"],
        "attention_bias": False, "decoder_sparse_step": 1, "head_dim": 128, "hidden_act": "silu",
        "hidden_size": _HIDDEN, "intermediate_size": 12288, "max_position_embeddings": 40960,
        "mlp_only_layers": [], "model_type": "qwen3_moe", "moe_intermediate_size": _INNER,
        "norm_topk_prob": True, "num_attention_heads": 64, "num_experts": EXPERTS,
        "num_experts_per_tok": 8, "num_hidden_layers": layers, "num_key_value_heads": 4,
        "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "tie_word_embeddings": False,
        "torch_dtype": "bfloat16", "vocab_size": _VOCABULARY,
    }  # fmt: skip


def tensor_specs(layers: int = LAYERS) -> Iterator[TensorSpec]:
    """Every tensor of the checkpoint, in module order."""
    yield _stored("lm_head", _VOCABULARY, _HIDDEN)
    yield _stored("model.embed_tokens", _VOCABULARY, _HIDDEN)
    for layer in range(layers):
        start = f"model.layers.{layer}."
        yield _stored(f"{start}input_layernorm", _HIDDEN)
        for expert in range(EXPERTS):
            module = f"{start}mlp.experts.{expert}."
            yield _stored(f"{module}down_proj", _HIDDEN, _INNER)
            yield _stored(f"{module}gate_proj", _INNER, _HIDDEN)
            yield _stored(f"{module}up_proj", _INNER, _HIDDEN)
        yield _stored(f"{start}mlp.gate", EXPERTS, _HIDDEN)
        yield _stored(f"{start}post_attention_layernorm", _HIDDEN)
        for name, shape in (
            ("k_norm", (128,)), ("k_proj", (512, _HIDDEN)), ("o_proj", (_HIDDEN, 8192)),
            ("q_norm", (128,)), ("q_proj", (8192, _HIDDEN)), ("v_proj", (512, _HIDDEN)),
        ):  # fmt: skip
            yield _stored(f"{start}self_attn.{name}", *shape)
    yield _stored("model.norm", _HIDDEN)


def _stored(module: str, *shape: int) -> TensorSpec:
    return TensorSpec(f"{module}.weight", "BF16", shape)
