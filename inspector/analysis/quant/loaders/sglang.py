"""sglang 0.5.23: what it takes as quantized.

`srt/layers/quantization/utils.py` `is_layer_skipped`: an entry means every module that has its
components in a row; fused layers by all of their parts; experts also where an entry names something
inside them. `fp8.py` takes entries with and without a leading `model.`, and asks for linear layers
and experts; where `ignored_layers` is there, whatever it holds, it reads no other list. `mxfp4.py`
reads no list. `modelopt_quant.py` `is_layer_excluded`: shell patterns of the whole name or of one
component, for linear layers and the head; for experts patterns alone.
`compressed_tensors/utils.py` `should_ignore_layer`: whole names, names' last components, or `re:`.
fbgemm_fp8 is not registered.
"""

import re
from typing import Final

from inspector.analysis.quant.loaders.named import leaves_out_by_name
from inspector.analysis.quant.loaders.rule import (
    EXPERTS,
    WITH_HEAD,
    WITHOUT_HEAD,
    Fusion,
    LeavesOut,
    Refusal,
    Rule,
    nothing,
)
from inspector.config.quantization import (
    IGNORED_LAYERS,
    NOT_CONVERTED,
    Dialect,
    QuantConfig,
)

VERSION: Final = "0.5.23"

_MODEL: Final = "model."


def rule(config: QuantConfig) -> Rule | Refusal:
    """How sglang reads a config."""
    entries = config.skip.entries
    match config.dialect:
        case Dialect.FP8:
            bare = [entry.removeprefix(_MODEL) for entry in _first_list(config)]
            both = (*bare, *(f"{_MODEL}{entry}" for entry in bare))
            components = _by_components(both)
            listed = _with_experts(components, both)
            return Rule(WITHOUT_HEAD, listed, Fusion(nothing, components))
        case Dialect.MXFP4:
            return Rule(EXPERTS, nothing)
        case Dialect.MODELOPT:
            components, pattern = _by_components(entries), _by_pattern(entries)
            listed = _with_experts(components, entries)

            def either(name: str) -> bool:
                return pattern(name) or (not name.endswith(".experts") and listed(name))

            return Rule(WITH_HEAD, either, Fusion(nothing, components, pattern))
        case Dialect.COMPRESSED_TENSORS:
            named = leaves_out_by_name(config, suffixes=True)
            return Rule(WITH_HEAD, named, Fusion(frozenset(entries).__contains__, named))
        case _:
            return Refusal(f"quant_method {config.method} is not one that it knows")


def _first_list(config: QuantConfig) -> tuple[str, ...]:
    first = IGNORED_LAYERS if IGNORED_LAYERS in config.raw else NOT_CONVERTED
    return config.lists.get(first, ())


def _by_components(entries: tuple[str, ...]) -> LeavesOut:
    wanted = frozenset(entry.rstrip(".") for entry in entries)
    return lambda name: any(run in wanted for run in _runs(name))


def _with_experts(components: LeavesOut, entries: tuple[str, ...]) -> LeavesOut:
    """The same, and what lies in an entry for something inside experts."""
    inside = "\n".join(entry for entry in entries if "experts" in entry)
    return lambda name: components(name) or ("experts" in name and name in inside)


def _runs(name: str) -> list[str]:
    """Every row of components of a name.

    >>> _runs("a.b.c")
    ['a', 'a.b', 'a.b.c', 'b', 'b.c', 'c']
    """
    parts = name.rstrip(".").split(".")
    ends = range(1, len(parts) + 1)
    return [".".join(parts[start:stop]) for start in range(len(parts)) for stop in ends[start:]]


def _by_pattern(entries: tuple[str, ...]) -> LeavesOut:
    patterns = [re.compile(entry.replace(".", r"\.").replace("*", ".*")) for entry in entries]

    def leaves_out(name: str) -> bool:
        words = (name, name.removeprefix("language_model."), *name.split("."))
        return any(pattern.fullmatch(word) for pattern in patterns for word in words)

    return leaves_out
