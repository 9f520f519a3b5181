"""How a loader turns a config and a module's name into a decision: the shape all rules have. Pure.

Facts about each loader stand in a file of its own, with the version and files they were read in.
They hold for names as the checkpoint has them: a loader that renames modules renames its list too.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from inspector.config.quantization import IGNORED_LAYERS, NOT_CONVERTED, QuantConfig
from inspector.layout.modules import ModuleKind


class Verdict(StrEnum):
    """What a loader makes of a module."""

    QUANTIZED = "quantized"
    UNQUANTIZED = "unquantized"
    REFUSED = "refused"


LeavesOut = Callable[[str], bool]
"""Whether a list has a module of this name."""


def nothing(_: str) -> bool:
    """The list that has no module."""
    return False


def ignored_layers_or_else(config: QuantConfig) -> tuple[str, ...]:
    """The list that vllm and lmdeploy read of FP8: `ignored_layers`, where it has an entry."""
    return config.lists.get(IGNORED_LAYERS) or config.lists.get(NOT_CONVERTED, ())


@dataclass(frozen=True, slots=True)
class Fusion:
    """How a list is read for one module that the checkpoint stores in parts.

    In this order: `whole` is asked for the module's own name, `part` for each of its parts, which
    must agree or the config is refused, and `after` for the module's own name again.
    """

    whole: LeavesOut
    part: LeavesOut
    after: LeavesOut = nothing


@dataclass(frozen=True, slots=True)
class Rule:
    """What one loader does with one config.

    `asks` are the kinds of modules that it asks the list about; all others it builds unquantized.
    `leaves_out` is the list, as the loader reads it; `fusion` None says that parts are modules.
    """

    asks: frozenset[ModuleKind]
    leaves_out: LeavesOut
    fusion: Fusion | None = None


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


_FUSED_OF: Final = {part: (whole, parts) for whole, parts in FUSED.items() for part in parts}


def decide(rule: Rule | Refusal, modules: Iterable[tuple[str, ModuleKind]]) -> list[Verdict]:
    """The verdict on each module, by name and kind."""
    modules = list(modules)
    if isinstance(rule, Refusal):
        return [Verdict.REFUSED] * len(modules)
    names = {name for name, _ in modules}
    return [
        _decide(rule, name, names) if kind in rule.asks else Verdict.UNQUANTIZED
        for name, kind in modules
    ]


def _decide(rule: Rule, name: str, names: set[str]) -> Verdict:
    parent, dot, last = name.rpartition(".")
    whole, parts = _FUSED_OF.get(last, ("", ()))
    siblings = [f"{parent}{dot}{part}" for part in parts]
    if rule.fusion is None or not siblings or not names.issuperset(siblings):
        return _verdict(left_out=rule.leaves_out(name))
    whole = f"{parent}{dot}{whole}"
    if rule.fusion.whole(whole):
        return Verdict.UNQUANTIZED
    left_out = {rule.fusion.part(sibling) for sibling in siblings}
    if len(left_out) > 1:
        return Verdict.REFUSED
    return _verdict(left_out=left_out.pop() or rule.fusion.after(whole))


def _verdict(*, left_out: bool) -> Verdict:
    return Verdict.UNQUANTIZED if left_out else Verdict.QUANTIZED
