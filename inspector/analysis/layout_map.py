"""Which rule assigns new experts to old ones: the map that explains most parents, with its p-value.

Null of a rule: each decided expert's parent is any of the R references with equal probability, so
the hits of a map are binomial. Null of an order: every order of the parents found is as likely.
Both p-values are corrected for the number of maps tried. One-sided.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, logsumexp

from inspector.stats.ordered import log10_ordered_bound, longest_ordered

Ints = npt.NDArray[np.int64]

MAX_LOG10_P: Final = -3.0
"""A map that explains the parents no better than one in a thousand chances is not reported."""

IN_ORDER: Final = "in order, unequal runs"
"""The map where parents never fall from expert to expert, each used a different number of times."""

NO_PARENT: Final = -1
_MOST_STRIDES: Final = 16


class LayoutMap(msgspec.Struct, frozen=True, kw_only=True):
    """The best map: `hits` of the `decided` experts with one parent follow it.

    `identical` are other names of the same map; `tried` is how many different ones there were.
    """

    map: str
    hits: int
    log10_p: float
    decided: int = 0
    tried: int = 1
    identical: list[str] = []


class GroupCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One routing group of the target: its experts with one parent, and how many differ in it."""

    group: int
    experts: int
    references: int


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Which references have descendants, of experts with one parent.

    `times` says how many references have that many: `{"4": 128}` where each has four.
    """

    covered: int
    references: int
    times: dict[str, int]
    groups: list[GroupCoverage]


@dataclass(frozen=True, slots=True)
class NamedMap:
    """A map from expert to reference, -1 where it says that an expert has no parent."""

    name: str
    values: Ints
    identical: tuple[str, ...] = ()


def candidate_maps(experts: int, references: int, groups: int | None) -> list[NamedMap]:
    """Maps from expert to reference, the simplest first; equal ones are one, with other names.

    >>> [one.name for one in candidate_maps(8, 4, None)]
    ['e mod 4', 'e // 2', 'e, 4.. new', '(e mod 2) * 2 + e // 2 mod 2', '(e // 2 mod 2) * 2 + e // 4']
    >>> candidate_maps(4, 4, None)[0].identical
    ('e // 1',)
    """
    distinct: list[NamedMap] = []
    for name, values in _named(experts, references, groups):
        same = [i for i, other in enumerate(distinct) if np.array_equal(values, other.values)]
        if not same:
            distinct.append(NamedMap(name, values))
            continue
        other = distinct[same[0]]
        if name != other.name:
            distinct[same[0]] = NamedMap(other.name, other.values, (*other.identical, name))
    return distinct


def _named(experts: int, references: int, groups: int | None) -> list[tuple[str, Ints]]:
    e = np.arange(experts, dtype=np.int64)
    maps = [(f"e mod {references}", e % references)]
    copies = experts // references if experts % references == 0 else 0
    if copies:
        maps.append((f"e // {copies}", e // copies))
    if groups and experts % groups == 0:
        maps += _group_maps(e, experts // groups, references, groups)
    if experts > references:
        old = np.where(e < references, e, NO_PARENT)
        maps.append((f"e, {references}.. new", old))
    if experts < references:
        step = references // experts
        maps.append((f"e * {step}", e * step))
        return maps
    for step in _strides(references):
        wide = references // step
        maps.append((f"(e mod {wide}) * {step} + e // {wide} mod {step}", _strided(e, step, wide)))
        if copies > 1:
            name = f"(e // {copies} mod {wide}) * {step} + e // {copies * wide}"
            maps.append((name, _strided(e // copies, step, wide)))
    return maps


def _group_maps(e: Ints, size: int, references: int, groups: int) -> list[tuple[str, Ints]]:
    """Each group from the first references, or each from a share of its own."""
    maps = [(f"(e mod {size}) mod {references}", e % size % references)]
    share = references // groups
    if share and references % groups == 0:
        maps.append((f"(e // {size}) * {share} + e mod {size} mod {share}",
                     e // size * share + e % size % share))  # fmt: skip
        if size % share == 0:
            each = size // share
            maps.append((f"(e // {size}) * {share} + e mod {size} // {each}",
                         e // size * share + e % size // each))  # fmt: skip
    return maps


def _strides(references: int) -> list[int]:
    return [s for s in range(2, references) if references % s == 0][:_MOST_STRIDES]


def _strided(e: Ints, step: int, wide: int) -> Ints:
    """Every `step`-th reference, then the same from the next one on."""
    return np.asarray(e % wide * step + e // wide % step)


def find_layout(
    parents: Mapping[int, int],
    experts: int,
    references: int,
    groups: int | None,
    asked: Sequence[int] | None = None,
) -> LayoutMap | None:
    """The map that most decided experts follow, or None where none is beyond chance.

    Args:
        parents: expert -> parent, of the experts with exactly one.
        experts: experts of the layer.
        references: references of the layer.
        groups: routing groups of the target, where its config states them.
        asked: the experts that were looked at; all where it is None.
    """
    maps = candidate_maps(experts, references, groups)
    best = max(
        (_of_rule(one, parents, references, len(maps) + 1) for one in maps),
        key=lambda found: found.hits,
    )
    ordered = _in_order(parents, references, len(maps) + 1)
    if ordered.log10_p < best.log10_p:
        best = ordered
    if best.map == f"e mod {references}" and _rest_is_new(parents, experts, references, asked):
        rest = next(one for one in maps if (one.values == NO_PARENT).any())
        best = _of_rule(rest, parents, references, len(maps) + 1)
    return best if best.log10_p < MAX_LOG10_P else None


def _of_rule(
    one: NamedMap, parents: Mapping[int, int], references: int, tried: int
) -> LayoutMap:
    hits = sum(int(one.values[expert]) == parent for expert, parent in parents.items())
    log10_p = log10_binomial_tail(len(parents), 1 / references, hits) + math.log10(tried)
    return LayoutMap(
        map=one.name,
        hits=hits,
        log10_p=min(0.0, log10_p),
        decided=len(parents),
        tried=tried,
        identical=list(one.identical),
    )


def _in_order(parents: Mapping[int, int], references: int, tried: int) -> LayoutMap:
    """The parents in the order of the experts, but for strays: a rule with unequal runs."""
    values = np.array([parents[expert] for expert in sorted(parents)], dtype=np.int64)
    hits = longest_ordered(values.tolist())
    bound = log10_ordered_bound(np.bincount(values, minlength=references), hits)
    log10_p = min(0.0, bound + math.log10(tried))
    return LayoutMap(map=IN_ORDER, hits=hits, log10_p=log10_p, decided=len(values), tried=tried)


def _rest_is_new(
    parents: Mapping[int, int], experts: int, references: int, asked: Sequence[int] | None
) -> bool:
    """Whether experts beyond the references were looked at, and none of them has a parent."""
    rest = [e for e in (range(experts) if asked is None else asked) if e >= references]
    return bool(rest) and not any(expert in parents for expert in rest)


def coverage_of(
    parents: Mapping[int, int], experts: int, references: int, groups: int | None
) -> Coverage:
    """How many references have descendants, how many each, and of how many each group has."""
    used = np.bincount(list(parents.values()), minlength=references)
    times = Counter(used.tolist())
    found: list[GroupCoverage] = []
    if groups and experts % groups == 0:
        size = experts // groups
        for group in range(groups):
            own = [parent for expert, parent in parents.items() if expert // size == group]
            found.append(
                GroupCoverage(group=group, experts=len(own), references=len(set(own)))
            )
    return Coverage(
        covered=int((used > 0).sum()),
        references=references,
        times={str(count): times[count] for count in sorted(times)},
        groups=found,
    )


def log10_binomial_tail(trials: int, chance: float, hits: int) -> float:
    """log10 of P(X >= hits) for X binomial; finite far below the smallest float.

    >>> round(log10_binomial_tail(10, 0.5, 10), 4)
    -3.0103
    """
    if hits <= 0 or chance >= 1:
        return 0.0
    counts = np.arange(hits, trials + 1, dtype=np.float64)
    terms = (
        gammaln(trials + 1)
        - gammaln(counts + 1)
        - gammaln(trials - counts + 1)
        + counts * math.log(chance)
        + (trials - counts) * math.log1p(-chance)
    )
    return min(0.0, float(logsumexp(terms)) / math.log(10))
