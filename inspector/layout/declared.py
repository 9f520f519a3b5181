"""What a config declares of blocks and bits: candidates that a grid is checked against. Pure.

A config with several groups of layers declares several block sizes; the one that a weight has is
the one that tiles it, and where two do, none is taken.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from inspector.config import ModelConfig
from inspector.config.quantization import QuantConfig

_BLOCKS_BY_ALGORITHM: Final = MappingProxyType(
    {
        "FP8_PB_WO": (128, 128),
        "FP8_PB_REAL": (128, 128),
        "NVFP4": (1, 16),
        "NVFP4_AWQ": (1, 16),
        "MXFP8": (1, 32),
        "MXFP4": (1, 32),
    }
)
"""`quant_algo` of modelopt -> the block that it stands for (modelopt `quantization/config.py`)."""

_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared, each once, in the config's order.

    `blocks` are (rows, columns); `integers` are widths in bits of packed integers, each with the
    columns of a group, None where a row is one.
    """

    blocks: tuple[tuple[int, int], ...] = ()
    integers: tuple[tuple[int, int | None], ...] = ()


def declared_by(config: ModelConfig | None, claim: QuantConfig | None = None) -> Declared:
    """What a config declares, in any dialect; what is of a wrong type declares nothing.

    Args:
        config: config.json, or None where there is none.
        claim: what is declared in a file beside it, where config.json declares nothing.
    """
    own = [config.weight_block_size] if config and config.weight_block_size else []
    quantization = claim.raw if claim else _quantization(config.raw if config else _EMPTY)
    groups = list(_weight_groups(quantization))
    blocks = [*own, *(block for group in (quantization, *groups) for block in _blocks(group))]
    integers = [
        (group["num_bits"], group["group_size"] if _is_size(group.get("group_size")) else None)
        for group in groups
        if _is_bits(group.get("num_bits"))
    ]
    return Declared(tuple(dict.fromkeys(blocks)), tuple(dict.fromkeys(integers)))


def _quantization(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The block that declares the quantization, of the model or of its text model."""
    inner = _mapping(raw.get("text_config"))
    for where in (raw, inner):
        for key in ("quantization_config", "compression_config", "quantization"):
            if found := _mapping(where.get(key)):
                return found
    return _EMPTY


def _weight_groups(quantization: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for group in _mapping(quantization.get("config_groups")).values():
        if weights := _mapping(_mapping(group).get("weights")):
            yield weights


def _blocks(stated: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    structure = stated.get("block_structure")
    if isinstance(structure, str):
        structure = [int(part) for part in structure.lower().split("x") if part.isdecimal()]
    if isinstance(structure, list) and len(structure) == 2 and all(map(_is_size, structure)):
        yield structure[0], structure[1]
    if _is_size(stated.get("group_size")):
        yield 1, stated["group_size"]
    algorithm = stated.get("quant_algo")
    if isinstance(algorithm, str) and algorithm in _BLOCKS_BY_ALGORITHM:
        yield _BLOCKS_BY_ALGORITHM[algorithm]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _EMPTY


def _is_size(value: object) -> bool:
    return type(value) is int and value > 0


def _is_bits(value: object) -> bool:
    return type(value) is int and 1 <= value <= 8
