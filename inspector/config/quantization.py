"""What a config claims of its quantization, in the dialects that checkpoints use. Pure.

Every dialect has its own key for the modules that are left alone and its own way to read an entry.
Sources, all as of 2026-11: transformers 5.24 `utils/quantization_config.py`; compressed-tensors
0.20 `quantization/quant_config.py`; modelopt's `hf_quant_config.json` and the form that it has in
config.json, as vllm 0.33 `quantization/modelopt.py` reads both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec

from inspector.config.skip_list import SkipList, Syntax
from inspector.errors import ConfigError

MODELOPT_NAME: Final = "hf_quant_config.json"
"""Where modelopt states what it did, beside a config.json that may not say so."""


class Dialect(StrEnum):
    """The ways to state a quantization that are understood."""

    FP8 = "fp8"
    FBGEMM_FP8 = "fbgemm_fp8"
    COMPRESSED_TENSORS = "compressed-tensors"
    MODELOPT = "modelopt"
    MXFP4 = "mxfp4"


@dataclass(frozen=True, slots=True)
class _Reading:
    """Which keys of a dialect list the modules left alone, first found first, and their syntax."""

    skip_keys: tuple[str, ...]
    syntax: Syntax
    format_key: str


_READINGS: Final = MappingProxyType(
    {
        Dialect.FP8: _Reading(("modules_to_not_convert", "ignored_layers"), Syntax.REGEX, "fmt"),
        Dialect.FBGEMM_FP8: _Reading(("modules_to_not_convert",), Syntax.REGEX, "fmt"),
        Dialect.COMPRESSED_TENSORS: _Reading(("ignore",), Syntax.NAME, "format"),
        Dialect.MODELOPT: _Reading(("ignore", "exclude_modules"), Syntax.GLOB, "quant_algo"),
        Dialect.MXFP4: _Reading(("modules_to_not_convert",), Syntax.REGEX, "fmt"),
    }
)

_BY_METHOD: Final = MappingProxyType(
    {
        **{str(dialect): dialect for dialect in Dialect},
        "compressed_tensors": Dialect.COMPRESSED_TENSORS,
        "modelopt_fp4": Dialect.MODELOPT,
        "modelopt_mixed": Dialect.MODELOPT,
        "modelopt_mxfp8": Dialect.MODELOPT,
    }
)
"""`quant_method` -> dialect; any other method (awq, gptq, ...) is named and not understood."""

EVERY_LINEAR: Final = "Linear"
"""The target that stands for every linear layer (compressed-tensors `utils/match.py`)."""


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """One of compressed-tensors' `config_groups`: the modules it is for, and how they are coded."""

    targets: tuple[str, ...]
    bits: int | None
    number_type: str | None
    strategy: str | None
    group_size: int | None
    symmetric: bool | None


@dataclass(frozen=True, slots=True)
class QuantConfig:
    """One claim of quantization. A field that the config lacks is None, never a guess.

    `method` is `quant_method` as written and `dialect` None where it is not understood; `where`
    says in which file and key the claim stands. `skip_key` is None where there is no list, which
    is something else than an empty one.
    """

    method: str
    dialect: Dialect | None
    where: str
    fmt: str | None
    scale_fmt: str | None
    activation_scheme: str | None
    weight_block_size: tuple[int, int] | None
    skip_key: str | None
    skip: SkipList
    groups: tuple[TargetGroup, ...]
    raw: Mapping[str, Any]


_PLACES: Final = (
    ("quantization_config",),
    ("text_config", "quantization_config"),
    ("llm_config", "quantization_config"),
    ("compression_config",),
)


def quantization_of(config: Mapping[str, Any], *, file: str) -> QuantConfig | None:
    """The claim that stands in a config.json, or None where it makes none.

    Raises:
        ConfigError: a skip list that is no list of strings.
    """
    for path in _PLACES:
        found: object = config
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict) and found:
            return _read(found, where=f"{file}: {'.'.join(path)}")
    return None


def parse_modelopt(text: bytes, *, file: str) -> QuantConfig:
    """The claim of a `hf_quant_config.json`.

    Raises:
        ConfigError: not a JSON object with `quantization`.
    """
    try:
        raw = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not a JSON object: {error}") from error
    inner = raw.get("quantization")
    if not isinstance(inner, dict):
        raise ConfigError(f"{file}: quantization should be an object, is {inner!r}")
    return _read({"quant_method": "modelopt", **inner}, where=f"{file}: quantization")


def _read(raw: Mapping[str, Any], *, where: str) -> QuantConfig:
    method = _text(raw.get("quant_method")) or _implied_method(raw)
    dialect = _BY_METHOD.get(method)
    reading = _READINGS.get(dialect, _READINGS[Dialect.FP8]) if dialect else _READINGS[Dialect.FP8]
    skip_key = next((key for key in reading.skip_keys if raw.get(key) is not None), None)
    entries = _entries(raw[skip_key], f"{where}.{skip_key}") if skip_key else ()
    return QuantConfig(
        method=method,
        dialect=dialect,
        where=where,
        fmt=_text(raw.get(reading.format_key)),
        scale_fmt=_text(raw.get("scale_fmt")),
        activation_scheme=_text(raw.get("activation_scheme")),
        weight_block_size=_block(raw.get("weight_block_size")),
        skip_key=skip_key,
        skip=SkipList(entries, reading.syntax),
        groups=tuple(_groups(raw.get("config_groups"))),
        raw=raw,
    )


def _implied_method(raw: Mapping[str, Any]) -> str:
    """The method of a claim that does not name it: modelopt and old compressed-tensors."""
    if "quant_algo" in raw:
        return str(Dialect.MODELOPT)
    return str(Dialect.COMPRESSED_TENSORS) if "config_groups" in raw else "unnamed"


def _entries(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return tuple(value)
    raise ConfigError(f"{where} should be a list of names, is {_shown(value)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."


def _groups(value: object) -> list[TargetGroup]:
    groups = []
    for stated in value.values() if isinstance(value, dict) else ():
        if not isinstance(stated, dict):
            continue
        weights = stated.get("weights")
        weights = weights if isinstance(weights, dict) else {}
        targets = stated.get("targets")
        groups.append(
            TargetGroup(
                targets=tuple(map(str, targets)) if isinstance(targets, list) else (EVERY_LINEAR,),
                bits=_count(weights.get("num_bits")),
                number_type=_text(weights.get("type")),
                strategy=_text(weights.get("strategy")),
                group_size=_count(weights.get("group_size")),
                symmetric=weights["symmetric"] if type(weights.get("symmetric")) is bool else None,
            )
        )
    return groups


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None


def _block(value: object) -> tuple[int, int] | None:
    if isinstance(value, list) and len(value) == 2 and all(_count(one) for one in value):
        return value[0], value[1]
    return None
