"""How many numbers a stored element holds: packed 4-bit weights, told by their neighbours. Pure.

Conventions: compressed-tensors `weight_packed`, modelopt NVFP4 (`weight_scale_2` beside a U8
weight), gpt-oss `_blocks`, DeepSeek-V4 `expert_dtype: fp4` (I8), GPTQ and AWQ `qweight`,
bitsandbytes.
"""

from collections.abc import Set
from typing import Final

from inspector.analysis.config_meaning import Fields, Section, object_of
from inspector.config import ModelConfig
from inspector.format.dtypes import Dtype

_WEIGHT: Final = ".weight"
_NIBBLES: Final = 2
_USUAL_BITS: Final = 4


def numbers_in_element(
    label: str, dtype: Dtype, labels: Set[str], config: ModelConfig | None
) -> int:
    """How many numbers one element of a tensor holds: 1 unless it is packed.

    Args:
        label: the tensor's name with signs for its numbers.
        dtype: the dtype of its header.
        labels: all labels of the checkpoint, to look for neighbours.
        config: the checkpoint's, for the bits of words and the dtype of experts.
    """
    base = label.removesuffix(_WEIGHT)
    if dtype is Dtype.U8:
        packed = (
            label.endswith(("_blocks", ".weight_packed"))
            or f"{base}.weight_scale_2" in labels
            or f"{label}.quant_map" in labels
        )
        return _NIBBLES if packed else 1
    if dtype in (Dtype.I32, Dtype.U32) and label.endswith((".weight_packed", ".qweight")):
        return dtype.bits // _bits(config)
    if dtype is Dtype.I8 and ".experts." in label and config is not None:
        return _NIBBLES if config.raw.get("expert_dtype") == "fp4" else 1
    return 1


def _bits(config: ModelConfig | None) -> int:
    """Bits of a packed number, as the quantization config states them."""
    stated = object_of(config.raw, Section.QUANTIZATION) if config else None
    if stated is None:
        return _USUAL_BITS
    fields = [Fields(stated)]
    for group in (stated.get("config_groups") or {}).values():
        weights = group.get("weights") if isinstance(group, dict) else None
        fields += [Fields(weights)] if isinstance(weights, dict) else []
    found = next((n for one in fields for n in (one.count("num_bits"), one.count("bits")) if n), 0)
    return found if found in (1, 2, 4, 8) else _USUAL_BITS
