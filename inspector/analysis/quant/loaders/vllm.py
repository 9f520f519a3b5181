"""vllm 0.33: what it takes as quantized.

`quantization/utils/quant_utils.py` `is_layer_skipped`: whole names; fused layers by all of their
parts; the experts of a layer where any entry names something inside them. `quantization/fp8.py`
asks for linear layers and experts, not for the head, and takes `ignored_layers` before
`modules_to_not_convert`, unless it is empty; `fbgemm_fp8.py` for linear layers only;
`mxfp4.py` quantizes experts whatever the list says. `quantization/modelopt.py`
`is_layer_excluded`: the same, or any part of the name, or a shell pattern; the head is asked about.
`compressed_tensors/utils.py` `should_ignore_layer`: whole names or `re:`.
"""

from fnmatch import fnmatch
from typing import Final

from inspector.analysis.quant.loaders.named import leaves_out_by_name
from inspector.analysis.quant.loaders.rule import (
    EXPERTS,
    LINEAR,
    WITH_HEAD,
    WITHOUT_HEAD,
    Fusion,
    LeavesOut,
    Refusal,
    Rule,
    ignored_layers_or_else,
    nothing,
)
from inspector.config.quantization import Dialect, QuantConfig

VERSION: Final = "0.33.0"

_VISION: Final = ("vision_tower", "vision_model", "vit_large_projector")
"""Left alone in modelopt's checkpoints whatever the list says."""


def rule(config: QuantConfig) -> Rule | Refusal:
    """How vllm reads a config."""
    entries = config.skip.entries
    if config.dialect is Dialect.FP8:
        entries = ignored_layers_or_else(config)
    whole_name, exactly = _by_whole_name(entries), frozenset(entries).__contains__
    match config.dialect:
        case Dialect.FP8:
            return Rule(WITHOUT_HEAD, whole_name, Fusion(exactly, exactly))
        case Dialect.FBGEMM_FP8:
            return Rule(LINEAR, whole_name, Fusion(exactly, exactly))
        case Dialect.MXFP4:
            return Rule(EXPERTS, nothing)
        case Dialect.MODELOPT:
            loose = _by_part_or_pattern(entries)
            return Rule(
                WITH_HEAD, lambda name: whole_name(name) or loose(name),
                Fusion(exactly, exactly, loose),
            )  # fmt: skip
        case Dialect.COMPRESSED_TENSORS:
            named = leaves_out_by_name(config)
            return Rule(WITH_HEAD, named, Fusion(named, named))
        case _:
            return Refusal(f"quant_method {config.method} is not read here")


def _by_whole_name(entries: tuple[str, ...]) -> LeavesOut:
    names = frozenset(entries)
    inside = "\n".join(entry for entry in entries if "experts" in entry)

    def leaves_out(name: str) -> bool:
        return name in inside if "experts" in name else name in names

    return leaves_out


def _by_part_or_pattern(entries: tuple[str, ...]) -> LeavesOut:
    def leaves_out(name: str) -> bool:
        return any(entry in name or fnmatch(name, entry) for entry in entries) or any(
            word in name for word in _VISION
        )

    return leaves_out
