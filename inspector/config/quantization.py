"""What a config claims of its quantization, in the dialects that checkpoints use. Pure.

The one reader of such claims: what audits compare, and what decoders need to know of sizes.

Every dialect has its own key for the modules that are left alone and its own way to read an entry.
Sources, all as of 2026-11: transformers 5.24 `utils/quantization_config.py`; compressed-tensors
0.20 `quantization/quant_config.py`; modelopt's `hf_quant_config.json` and the form that it has in
config.json, as vllm 0.33 `quantization/modelopt.py` reads both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from inspector.config.fields import Block, Fields, Malformed, parse_object
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


NOT_CONVERTED: Final = "modules_to_not_convert"
IGNORED_LAYERS: Final = "ignored_layers"

_READINGS: Final = MappingProxyType(
    {
        Dialect.FP8: _Reading((NOT_CONVERTED, IGNORED_LAYERS), Syntax.REGEX, "fmt"),
        Dialect.FBGEMM_FP8: _Reading((NOT_CONVERTED,), Syntax.REGEX, "fmt"),
        Dialect.COMPRESSED_TENSORS: _Reading(("ignore",), Syntax.NAME, "format"),
        Dialect.MODELOPT: _Reading(("ignore", "exclude_modules"), Syntax.GLOB, "quant_algo"),
        Dialect.MXFP4: _Reading((NOT_CONVERTED,), Syntax.REGEX, "fmt"),
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

MLX: Final = "mlx"
"""The method of a claim of bits and group_size alone, as mlx-lm writes it."""


@dataclass(frozen=True, slots=True)
class StatedCoding:
    """How some weights are coded: bits of a code, columns of a group, or a block of both."""

    bits: int | None = None
    group_size: int | None = None
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """One of compressed-tensors' `config_groups`: the modules it is for, and how they are coded."""

    targets: tuple[str, ...]
    bits: int | None
    number_type: str | None
    strategy: str | None
    group_size: int | None
    symmetric: bool | None
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class QuantConfig:
    """One claim of quantization. A field that the config lacks is None, never a guess.

    `method` is `quant_method` as written and `dialect` None where it is not understood; `where`
    says in which file and key the claim stands. `skip_key` is None where there is no list, which
    is something else than an empty one. `lists` are all lists of the dialect that are there, by
    key, `skip` the first of them. `codings` are all that it states, whichever weights each is for.
    `malformed` lists the fields of a wrong type, which count as absent.
    """

    method: str
    dialect: Dialect | None
    where: str
    fmt: str | None
    scale_fmt: str | None
    activation_scheme: str | None
    weight_block_size: Block | None
    skip_key: str | None
    skip: SkipList
    lists: Mapping[str, tuple[str, ...]]
    groups: tuple[TargetGroup, ...]
    codings: tuple[StatedCoding, ...]
    raw: Mapping[str, Any]
    malformed: tuple[Malformed, ...]

    @property
    def zeros_less_one(self) -> bool | None:
        """Whether GPTQ's zero points are stored less one; None where the claim does not tell.

        Its first format does that and its second does not (GPTQModel `utils/model.py`).
        """
        stated = str(self.raw.get("checkpoint_format") or "gptq")
        return {"gptq": True, "gptq_v2": False}.get(stated) if self.method == "gptq" else None

    @property
    def has_malformed_list(self) -> bool:
        """Whether a list of modules left alone is there and cannot be read."""
        paths = {f"{self.where}.{key}" for key in _skip_keys(self.dialect)}
        return any(one.where in paths for one in self.malformed)


_PLACES: Final = (
    ("quantization_config",),
    ("text_config", "quantization_config"),
    ("llm_config", "quantization_config"),
    ("compression_config",),
    ("text_config", "compression_config"),
    ("quantization",),
    ("text_config", "quantization"),
)

_OVERRIDES: Final = ("dynamic", "quantized_layers")
"""Keys of objects that state other codings for some modules (GPTQModel, modelopt)."""


def quantization_of(config: Mapping[str, Any], *, file: str) -> QuantConfig | None:
    """The claim that stands in a config.json, or None where it makes none."""
    for path in _PLACES:
        found: object = config
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict) and found:
            return _read(Fields(f"{file}: {'.'.join(path)}", found))
    return None


def parse_modelopt(text: bytes, *, file: str) -> QuantConfig:
    """The claim of a `hf_quant_config.json`.

    Raises:
        ConfigError: not a JSON object with `quantization`.
    """
    inner = parse_object(text, file=file).get("quantization")
    if not isinstance(inner, dict):
        raise ConfigError(f"{file}: quantization should be an object, is {inner!r}")
    return _read(Fields(f"{file}: quantization", {"quant_method": "modelopt", **inner}))


def _read(claim: Fields) -> QuantConfig:
    raw = claim.values
    method = claim.text("quant_method") or _implied_method(raw)
    dialect = _BY_METHOD.get(method)
    reading = _READINGS[dialect or Dialect.FP8]
    stated = {key: claim.names(key) for key in _skip_keys(dialect) if raw.get(key) is not None}
    lists = {key: names for key, names in stated.items() if names is not None}
    skip_key = next(iter(lists), None)
    groups = tuple(_groups(claim))
    return QuantConfig(
        method=method,
        dialect=dialect,
        where=claim.where,
        fmt=claim.text(reading.format_key),
        scale_fmt=claim.text("scale_fmt"),
        activation_scheme=claim.text("activation_scheme"),
        weight_block_size=claim.block("weight_block_size"),
        skip_key=skip_key,
        skip=SkipList(lists[skip_key] if skip_key else (), reading.syntax),
        lists=MappingProxyType(lists),
        groups=groups,
        codings=tuple(dict.fromkeys(_codings(claim, groups))),
        raw=raw,
        malformed=tuple(dict.fromkeys(claim.malformed)),
    )


def _skip_keys(dialect: Dialect | None) -> tuple[str, ...]:
    return _READINGS[dialect or Dialect.FP8].skip_keys


def _implied_method(raw: Mapping[str, Any]) -> str:
    """The method of a claim that does not name it: modelopt, old compressed-tensors, MLX."""
    if "quant_algo" in raw:
        return str(Dialect.MODELOPT)
    if "config_groups" in raw:
        return str(Dialect.COMPRESSED_TENSORS)
    return MLX if {"bits", "group_size"} <= raw.keys() else "unnamed"


def _groups(claim: Fields) -> Iterator[TargetGroup]:
    stated = claim.inside("config_groups")
    for group in stated.each() if stated else ():
        weights = group.inside("weights") or Fields(group.where, {}, group.malformed)
        targets = group.values.get("targets")
        yield TargetGroup(
            targets=tuple(map(str, targets)) if isinstance(targets, list) else (EVERY_LINEAR,),
            bits=weights.size("num_bits"),
            number_type=weights.text("type"),
            strategy=weights.text("strategy"),
            group_size=weights.size("group_size"),
            symmetric=weights.flag("symmetric"),
            block=weights.block("block_structure"),
        )


def _codings(claim: Fields, groups: tuple[TargetGroup, ...]) -> Iterator[StatedCoding]:
    """What the claim states for all weights, then for groups of them, then for single ones."""
    yield _coding(claim)
    for group in groups:
        yield StatedCoding(group.bits, group.group_size, group.block)
    for key, value in claim.values.items():
        if not isinstance(value, dict) or key == "config_groups":
            continue
        inside = Fields(f"{claim.where}.{key}", value, claim.malformed)
        if {"bits", "group_size"} & value.keys():  # MLX has a module's own beside those of all
            yield _coding(inside)
        if key in _OVERRIDES:
            yield from map(_coding, inside.each())
        if key == "quant_type":
            yield from (StatedCoding(group_size=size) for size in _group_sizes(value))


def _group_sizes(stated: object) -> Iterator[int]:
    """The sizes of groups inside torchao's `quant_type`, however deep: a config of its own each."""
    if not isinstance(stated, dict):
        return
    for key, value in stated.items():
        if key == "group_size" and type(value) is int and value > 0:
            yield value
        yield from _group_sizes(value)


def _coding(stated: Fields) -> StatedCoding:
    algorithm = stated.text("quant_algo")
    block = stated.block("weight_block_size") or _BLOCKS_BY_ALGORITHM.get(algorithm or "")
    return StatedCoding(stated.size("bits"), stated.size("group_size"), block)


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
