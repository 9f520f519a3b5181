"""lmdeploy 0.18 (PyTorch engine): what it takes as quantized.

`pytorch/config.py` `QuantizationConfig.from_config`: awq, smooth_quant, fp8 with `fmt` e4m3 or
e5m2, and compressed-tensors' packed 4-bit integers in groups of 32; anything else is an error. It
takes `ignored_layers` before `modules_to_not_convert`, unless it is empty.
`get_quant_method`: a module is left out where its whole name is inside some entry: the other way
round than elsewhere, so that a bare entry leaves out nothing. `pytorch/models/utils/model.py`
`update_quant_config`: an entry for q_proj stands for the fused qkv_proj, one for gate_proj for
gate_up_proj, one for an expert for all experts of its layer. The head is built without a config.
"""

from collections.abc import Iterator
from typing import Final

from inspector.analysis.quant.loaders.named import leaves_out_by_name
from inspector.analysis.quant.loaders.rule import (
    WITHOUT_HEAD,
    Fusion,
    LeavesOut,
    Refusal,
    Rule,
    ignored_layers_or_else,
    nothing,
)
from inspector.config.quantization import EVERY_LINEAR, Dialect, QuantConfig

VERSION: Final = "0.18.0"

_FORMATS: Final = frozenset({None, "e4m3", "e5m2"})
_STANDS_FOR: Final = ((".q_proj", ".qkv_proj"), (".gate_proj", ".gate_up_proj"))
"""A part of a fused layer -> the layer: an entry with the one is taken to name the other too."""

_EXPERTS: Final = ".experts"


def rule(config: QuantConfig) -> Rule | Refusal:
    """How lmdeploy reads a config."""
    if config.dialect is Dialect.FP8:
        if config.fmt not in _FORMATS:
            return Refusal(f"fmt {config.fmt} is neither e4m3 nor e5m2")
        listed = _inside_an_entry(ignored_layers_or_else(config))
        return Rule(WITHOUT_HEAD, listed, Fusion(listed, nothing))
    if config.dialect is Dialect.COMPRESSED_TENSORS:
        if not _is_packed_int4(config):
            return Refusal("of compressed-tensors, only symmetric 4-bit integers in groups of 32")
        return Rule(WITHOUT_HEAD, leaves_out_by_name(config))
    return Refusal(f"quant_method {config.method} is not one that it knows")


def _inside_an_entry(entries: tuple[str, ...]) -> LeavesOut:
    text = "\n".join((*entries, *_added(entries)))
    return text.__contains__


def _added(entries: tuple[str, ...]) -> Iterator[str]:
    """Entries for the fused layers, and the experts of a layer, of which a part is listed."""
    for entry in entries:
        for part, whole in _STANDS_FOR:
            if part in entry and not (part == ".gate_proj" and _EXPERTS in entry):
                yield entry.replace(part, whole)
                break
        else:
            before, inside, _ = entry.partition(_EXPERTS)
            if inside and (".gate_proj" in entry or ".down_proj" in entry):
                yield before + inside


def _is_packed_int4(config: QuantConfig) -> bool:
    if len(config.groups) != 1 or config.fmt != "pack-quantized":
        return False
    group = config.groups[0]
    stated = (group.bits, group.group_size, group.number_type, group.symmetric, group.targets)
    return stated == (4, 32, "int", True, (EVERY_LINEAR,))
