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


def mlp_norm(modules: Iterable[str]) -> str | None:
    """Which of a layer's norms stands before its MLP; None where no name says it.

    >>> mlp_norm(["input_layernorm", "post_attention_layernorm"])
    'post_attention_layernorm'
    """
    there = set(modules)
    return next((name for name in MLP_NORMS if name in there), None)
