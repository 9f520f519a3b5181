"""How a loader turns a config and a module's name into a decision: the shape all rules have. Pure.

Facts about each loader stand in a file of its own, with the version and files they were read in.
They hold for names as the checkpoint has them: a loader that renames modules renames its list too.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from inspector.layout.modules import ModuleKind


class Verdict(StrEnum):
    """What a loader makes of a module."""

    QUANTIZED = "quantized"
    UNQUANTIZED = "unquantized"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one loader does with one config.

    `asks` are the kinds of modules that it asks the list about; all others it builds unquantized.
    `leaves_out` is the list, as the loader reads it. `fused` maps a module that the loader makes of
    several to their names: they are one module to it, and a list that has some of them is refused.
    """

    asks: frozenset[ModuleKind]
    leaves_out: Callable[[str], bool]
    fused: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a loader does not take a config at all."""

    reason: str


FUSED: Final = MappingProxyType(
    {
        "qkv_proj": ("q_proj", "k_proj", "v_proj"),
        "gate_up_proj": ("gate_proj", "up_proj"),
    }
)
"""What vllm and sglang fuse in the models that store these apart (`packed_modules_mapping`)."""

LINEAR: Final = frozenset({ModuleKind.LINEAR})
EXPERTS: Final = frozenset({ModuleKind.EXPERTS})
WITHOUT_HEAD: Final = frozenset({ModuleKind.LINEAR, ModuleKind.EXPERTS})
WITH_HEAD: Final = WITHOUT_HEAD | {ModuleKind.HEAD}


def decide(rule: Rule | Refusal, modules: Iterable[tuple[str, ModuleKind]]) -> list[Verdict]:
    """The verdict on each module, by name and kind."""
    modules = list(modules)
    if isinstance(rule, Refusal):
        return [Verdict.REFUSED] * len(modules)
    names = {name for name, _ in modules}
    fused_of = {part: (whole, parts) for whole, parts in rule.fused.items() for part in parts}
    return [
        _decide(rule, name, fused_of, names) if kind in rule.asks else Verdict.UNQUANTIZED
        for name, kind in modules
    ]


def _decide(
    rule: Rule, name: str, fused_of: Mapping[str, tuple[str, tuple[str, ...]]], names: set[str]
) -> Verdict:
    parent, dot, last = name.rpartition(".")
    whole, parts = fused_of.get(last, ("", ()))
    siblings = [f"{parent}{dot}{part}" for part in parts]
    if not siblings or not names.issuperset(siblings):
        return _verdict(left_out=rule.leaves_out(name))
    if rule.leaves_out(f"{parent}{dot}{whole}"):
        return Verdict.UNQUANTIZED
    left_out = {rule.leaves_out(sibling) for sibling in siblings}
    return Verdict.REFUSED if len(left_out) > 1 else _verdict(left_out=left_out.pop())


def _verdict(*, left_out: bool) -> Verdict:
    return Verdict.UNQUANTIZED if left_out else Verdict.QUANTIZED
