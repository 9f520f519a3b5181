"""Which modules each serving engine takes as quantized, by its own rules. Pure."""

from collections.abc import Callable
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from inspector.analysis.quant.loaders import lmdeploy, sglang, transformers, vllm
from inspector.analysis.quant.loaders.rule import Refusal, Rule, Verdict, decide
from inspector.config.quantization import QuantConfig

__all__ = ["LOADERS", "VERSIONS", "Loader", "Refusal", "Rule", "Verdict", "decide"]


class Loader(StrEnum):
    """The loaders whose rules are known."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"
    SGLANG = "sglang"
    LMDEPLOY = "lmdeploy"


LOADERS: Final = MappingProxyType[Loader, Callable[[QuantConfig], Rule | Refusal]](
    {
        Loader.TRANSFORMERS: transformers.rule,
        Loader.VLLM: vllm.rule,
        Loader.SGLANG: sglang.rule,
        Loader.LMDEPLOY: lmdeploy.rule,
    }
)

VERSIONS: Final = MappingProxyType(
    {
        Loader.TRANSFORMERS: transformers.VERSION,
        Loader.VLLM: vllm.VERSION,
        Loader.SGLANG: sglang.VERSION,
        Loader.LMDEPLOY: lmdeploy.VERSION,
    }
)
"""The version whose source each rule was read in."""
