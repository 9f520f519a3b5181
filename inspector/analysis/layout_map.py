"""Which rule assigns new experts to old ones: the map that explains most parents, with its p-value.

Null of a rule: each expert's parent is any of the R references with equal chance, so the hits of a
map are binomial. Null of an order: every order of the parents found is as likely. One-sided; p is
times the number of maps tried, the order among them.
"""

import math
from collections.abc import Collection, Mapping
from typing import Final

import msgspec
import numpy as np

from inspector.analysis.layout_candidates import Ints, candidate_maps, in_place
from inspector.stats.ordered import log10_ordered_bound, longest_ordered
from inspector.stats.tails import log10_binomial_tail

MAX_LOG10_P: Final = -3.0
"""A map that explains the parents no better than one in a thousand chances is not reported."""

IN_ORDER: Final = "in order, unequal runs"
"""Parents do not fall from expert to expert, and are used a different number of times each."""


class LayoutMap(msgspec.Struct, frozen=True, kw_only=True):
    """The best map: `hits` of the `of` experts with one parent that it speaks of.

    `tried` is the number of different maps that p was multiplied by. `identical` are other names of
    this map, the same for every expert; `tied` are other maps that agree with it on those experts
    whose parent is known, and so cannot be told from it.
    """

    map: str
    hits: int
    log10_p: float
    of: int = 0
    tried: int = 1
    identical: list[str] = []
    tied: list[str] = []


def find_layout(
    parents: Mapping[int, int],
    experts: int,
    references: int,
    groups: int | None,
    new: Collection[int] = (),
) -> LayoutMap | None:
    """The map that explains the parents best, or None where none is beyond chance.

    Args:
        parents: expert -> parent, of the experts with exactly one.
        experts: experts of the layer.
        references: references of the layer.
        groups: routing groups of the target, where its config states them.
        new: experts that were tested and have no evidence of any parent.
    """
    best = best_layout(parents, experts, references, groups, new)
    return best if best and best.log10_p < MAX_LOG10_P else None


def best_layout(
    parents: Mapping[int, int],
    experts: int,
    references: int,
    groups: int | None,
    new: Collection[int] = (),
) -> LayoutMap | None:
    """As `find_layout`, whatever p is; None where no expert has one parent."""
    if not parents:
        return None
    known = np.array(sorted(parents), dtype=np.int64)
    found = np.array([parents[expert] for expert in known.tolist()], dtype=np.int64)
    maps = candidate_maps(experts, references, groups)
    told = np.stack([one.values for one in maps])[:, known]
    hits, trials = (told == found).sum(axis=1), (told >= 0).sum(axis=1)
    tried = len(maps) + 1
    log10_p, best = min((_log10_p(hits, trials, at, references), at) for at in _best(hits, trials))
    ordered = longest_ordered(found.tolist())
    bound = log10_ordered_bound(np.bincount(found).tolist(), ordered)
    if bound < log10_p:
        return LayoutMap(
            map=IN_ORDER, hits=ordered, of=len(found), tried=tried, log10_p=_corrected(bound, tried)
        )
    same = [at for at in range(len(maps)) if np.array_equal(told[at], told[best])]
    appended = [at for at in same if maps[at].name == in_place(references)]
    if appended and any(expert >= references for expert in new):
        best = appended[0]
    return LayoutMap(
        map=maps[best].name,
        hits=int(hits[best]),
        of=int(trials[best]),
        tried=tried,
        log10_p=_corrected(log10_p, tried),
        identical=list(maps[best].identical),
        tied=[maps[at].name for at in same if at != best],
    )


def _best(hits: Ints, trials: Ints) -> list[int]:
    """For each number of trials the first map with the most hits: the others cannot have less p."""
    return [
        max(np.flatnonzero(trials == count).tolist(), key=lambda at: (hits[at], -at))
        for count in np.unique(trials).tolist()
    ]


def _log10_p(hits: Ints, trials: Ints, at: int, references: int) -> float:
    return log10_binomial_tail(int(trials[at]), 1 / references, int(hits[at]))


def _corrected(log10_p: float, tried: int) -> float:
    return round(min(0.0, log10_p + math.log10(tried)), 3)
