"""Norms by what they stand before. Pure."""

from collections.abc import Iterable
from typing import Final

MLP_NORMS: Final = (
    "pre_feedforward_layernorm", "pre_mlp_layernorm", "ffn_norm", "mlp_norm", "ln_2",
    "post_attention_layernorm",
)  # fmt: skip
"""Modules of a layer whose gains multiply the input of its MLP: Gemma and GLM, Mistral's and
DeepSeek's own names, GPT-2's, Llama's and Qwen's. Where two are there, the earlier of this list is
it: with norms on both sides, `post_attention_layernorm` is of what attention gives."""


_ONE_IS_ADDED: Final = (
    "gemma", "gemma2", "gemma3", "gemma3_text", "recurrent_gemma", "qwen3_next", "qwen3_5",
    "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text",
)  # fmt: skip
"""Model types whose norms multiply by 1 + weight: GemmaRMSNorm and what was made after it."""


def gain_offset(model_type: str | None) -> int:
    """What is added to a stored norm weight before it multiplies.

    >>> gain_offset("qwen3_next"), gain_offset("qwen3_moe"), gain_offset(None)
    (1, 0, 0)
    """
    return int(model_type in _ONE_IS_ADDED)


def mlp_norm(modules: Iterable[str]) -> str | None:
    """Which of a layer's norms stands before its MLP; None where no name says it.

    >>> mlp_norm(["input_layernorm", "post_attention_layernorm"])
    'post_attention_layernorm'
    """
    there = set(modules)
    return next((name for name in MLP_NORMS if name in there), None)
