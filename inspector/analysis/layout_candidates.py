"""Rules that a model with more experts may have been made by: from an expert to its reference."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

NO_PARENT: Final = -1
_MOST_STRIDES: Final = 16
"""Reference counts with more divisors than that (of 120 experts, say) are tried by the first."""


@dataclass(frozen=True, slots=True)
class NamedMap:
    """A map from expert to reference, -1 where it says nothing of an expert.

    `identical` has other names of the same map: rules that give the same for these sizes.
    """

    name: str
    values: Ints
    identical: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def candidate_maps(experts: int, references: int, groups: int | None) -> tuple[NamedMap, ...]:
    """Different maps, the simplest first. `groups`: routing groups of the model, if it has any.

    >>> [one.name for one in candidate_maps(8, 4, None)]
    ['e mod 4', 'e // 2', 'first 4 in place', '(e mod 2) * 2 + e // 2 mod 2', '(e // 2 mod 2) * 2 + e // 4']
    >>> candidate_maps(8, 4, 4)[0].identical
    ('(e // 2 mod 2) * 2 + e mod 2',)
    """  # noqa: E501 - a list of names
    names: dict[bytes, list[str]] = {}
    arrays: dict[bytes, Ints] = {}
    for name, values in _named(experts, references, groups):
        key = values.tobytes()
        arrays[key] = values
        known = names.setdefault(key, [])
        if name not in known:
            known.append(name)
    return tuple(
        NamedMap(first, arrays[key], tuple(others)) for key, (first, *others) in names.items()
    )


def in_place(references: int) -> str:
    """The name of the map of a model whose first experts are the references, others appended.

    >>> in_place(128)
    'first 128 in place'
    """
    return f"first {references} in place"


def _named(experts: int, references: int, groups: int | None) -> Iterator[tuple[str, Ints]]:
    e = np.arange(experts, dtype=np.int64)
    yield f"e mod {references}", e % references
    if experts < references:
        yield from _thinned(e, references)
        return
    copies = experts // references
    if experts % references:
        yield f"e * {references} // {experts}", e * references // experts
    elif copies > 1:
        yield f"e // {copies}", e // copies
    if groups and groups > 1 and experts % groups == 0:
        yield from _grouped(e, references, groups)
    if experts > references:
        yield in_place(references), np.where(e < references, e, NO_PARENT)
    yield from _strided(e, references)


def _thinned(e: Ints, references: int) -> Iterator[tuple[str, Ints]]:
    """Fewer experts than references: every so many are kept."""
    if references % len(e):
        yield f"e * {references} // {len(e)}", e * references // len(e)
    else:
        yield f"e * {references // len(e)}", e * (references // len(e))


def _grouped(e: Ints, references: int, groups: int) -> Iterator[tuple[str, Ints]]:
    """By routing groups: each begins anew, or has a block of its own, or experts are dealt out."""
    size = len(e) // groups
    within, group = e % size, e // size
    copies = len(e) // references if len(e) % references == 0 else 0
    yield f"(e mod {size}) mod {references}", within % references
    if size % references == 0 and size > references:
        yield f"(e mod {size}) // {size // references}", within // (size // references)
    if references % size == 0 and references > size:
        blocks = references // size
        values = group % blocks * size + within
        yield f"(e // {size} mod {blocks}) * {size} + e mod {size}", values
    share = references // groups
    if share > 1 and references % groups == 0:
        yield (
            f"(e // {size}) * {share} + e mod {size} mod {share}",
            group * share + within % share,
        )
    dealt = within * groups + group
    said = f"(e mod {size}) * {groups} + e // {size}"
    yield f"({said}) mod {references}", dealt % references
    if copies > 1:
        yield f"({said}) // {copies}", dealt // copies


def _strided(e: Ints, references: int) -> Iterator[tuple[str, Ints]]:
    """Every so many references, then the same from the next one on; each alone, or its copies."""
    copies = len(e) // references if len(e) % references == 0 else 0
    steps = [step for step in range(2, references) if references % step == 0]
    for step in steps[:_MOST_STRIDES]:
        wide = references // step
        yield (
            f"(e mod {wide}) * {step} + e // {wide} mod {step}",
            e % wide * step + e // wide % step,
        )
        if copies > 1:
            yield (
                f"(e // {copies} mod {wide}) * {step} + e // {copies * wide}",
                e // copies % wide * step + e // (copies * wide),
            )
