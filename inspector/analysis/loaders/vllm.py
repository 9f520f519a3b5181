"""vllm 0.33: what it takes as quantized.

`quantization/utils/quant_utils.py` `is_layer_skipped`: whole names; fused layers by all of their
parts; the experts of a layer where any entry names something inside them. `quantization/fp8.py`
asks for linear layers and experts, not for the head; `fbgemm_fp8.py` for linear layers only;
`mxfp4.py` quantizes experts whatever the list says. `quantization/modelopt.py`
`is_layer_excluded`: the same, or any part of the name, or a shell pattern; the head is asked about.
`compressed_tensors/utils.py` `should_ignore_layer`: whole names or `re:`.
"""

from collections.abc import Callable
from fnmatch import fnmatch
from typing import Final

from inspector.analysis.loaders.named import leaves_out_by_name
from inspector.analysis.loaders.rule import (
    EXPERTS,
    FUSED,
    LINEAR,
    WITH_HEAD,
    WITHOUT_HEAD,
    Refusal,
    Rule,
)
from inspector.config.quantization import Dialect, QuantConfig

VERSION: Final = "0.33.0"

_VISION: Final = ("vision_tower", "vision_model", "vit_large_projector")
"""Left alone in modelopt's checkpoints whatever the list says."""


def rule(config: QuantConfig) -> Rule | Refusal:
    """How vllm reads a config."""
    entries = config.skip.entries
    match config.dialect:
        case Dialect.FP8:
            return Rule(WITHOUT_HEAD, _by_whole_name(entries), FUSED)
        case Dialect.FBGEMM_FP8:
            return Rule(LINEAR, _by_whole_name(entries), FUSED)
        case Dialect.MXFP4:
            return Rule(EXPERTS, lambda _: False)
        case Dialect.MODELOPT:
            return Rule(WITH_HEAD, _by_part_or_pattern(entries))
        case Dialect.COMPRESSED_TENSORS:
            return Rule(WITH_HEAD, leaves_out_by_name(config), FUSED)
        case _:
            return Refusal(f"quant_method {config.method} is not read here")


def _by_whole_name(entries: tuple[str, ...]) -> Callable[[str], bool]:
    names = frozenset(entries)
    inside = "\n".join(entry for entry in entries if "experts" in entry)

    def leaves_out(name: str) -> bool:
        return name in inside if "experts" in name else name in names

    return leaves_out


def _by_part_or_pattern(entries: tuple[str, ...]) -> Callable[[str], bool]:
    whole = _by_whole_name(entries)

    def leaves_out(name: str) -> bool:
        return (
            whole(name)
            or any(entry in name or fnmatch(name, entry) for entry in entries)
            or any(word in name for word in _VISION)
        )

    return leaves_out
