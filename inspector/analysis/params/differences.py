"""Why a formula and the headers disagree: which matrices only one of them has. Pure."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from inspector.analysis.params.formula import Formula
from inspector.analysis.params.parts import NUMBER
from inspector.analysis.params.stored import Stored
from inspector.analysis.params.terms import Component


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A component that formula and headers count differently, and why."""

    component: str
    formula: int
    stored: int
    explanation: str


_SHOWN = 4
_FUSED = {"gate_up_proj": ("gate_proj", "up_proj"), "qkv_proj": ("q_proj", "k_proj", "v_proj")}
"""Matrices that are stored as one -> those that the formula counts."""


def differences(formula: Formula, stored: Stored) -> list[Difference]:
    """The components whose counts differ, each with the matrices that make the difference."""
    return list(_differences(formula, stored))


def _differences(formula: Formula, stored: Stored) -> Iterator[Difference]:
    found = {row.component: row.parameters for row in stored.rows}
    for component in Component:
        counted: dict[str, int] = {}
        for term in formula.terms:
            if term.component is component:
                counted[term.name] = counted.get(term.name, 0) + term.each * term.copies
        here = found.get(component.value, 0)
        if sum(counted.values()) != here:
            yield Difference(
                component=component.value,
                formula=sum(counted.values()),
                stored=here,
                explanation=_explain(counted, stored.by_module.get(component, {})),
            )


def _explain(counted: Mapping[str, int], modules: Mapping[str, int]) -> str:
    """Matrices of one side only, then those of both whose numbers differ."""
    held: dict[str, int] = {}
    extra: dict[str, int] = {}
    covered: set[str] = set()
    for label, numbers in modules.items():
        names = _counterparts(_tail(label), counted)
        if not names:
            extra[label] = extra.get(label, 0) + numbers
            continue
        covered |= set(names)
        key = " + ".join(names)
        held[key] = held.get(key, 0) + numbers
    parts = []
    missing = {name: numbers for name, numbers in counted.items() if name not in covered}
    if not modules:
        return "not stored"
    if not counted:
        return "no formula"
    if missing:
        parts.append(f"not stored: {_listed(missing)}")
    if extra:
        parts.append(f"stored besides: {_listed(extra)}")
    for key, numbers in held.items():
        expected = sum(counted[name] for name in key.split(" + "))
        if expected != numbers:
            parts.append(f"{key}: {numbers:,} stored, {expected:,} by formula")
    return "; ".join(parts)


def _counterparts(tail: str, counted: Mapping[str, int]) -> tuple[str, ...]:
    """The formula's names for what is stored under a name; none if it has none."""
    if tail in counted:
        return (tail,)
    before, _, last = tail.rpartition(".")
    parts = tuple(f"{before}.{name}" if before else name for name in _FUSED.get(last, ()))
    if parts and all(part in counted for part in parts):
        return parts
    ends = [name for name in counted if tail.endswith(f".{name}")]
    return (max(ends, key=len),) if ends else ()


def _tail(label: str) -> str:
    """A label without what stands before its layer, without numbers and without `.weight`."""
    words = label.removesuffix(".weight").removesuffix(".weight_packed").split(".")
    if NUMBER in words:
        words = words[words.index(NUMBER) + 1 :]
    return ".".join(word for word in words if word != NUMBER)


def _listed(matrices: Mapping[str, int]) -> str:
    shown: Sequence[str] = [f"{name} {count:,}" for name, count in matrices.items()][:_SHOWN]
    more = len(matrices) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
