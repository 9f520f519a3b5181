"""Which rule assigns new experts to old ones: the map that explains most parents, with its p-value.

Null: each decided expert's parent is any of the R references with equal probability, so the hits of
a map are binomial; the p-value is corrected for the number of maps tried. One-sided.
"""

import math
from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, logsumexp

Ints = npt.NDArray[np.int64]

MAX_LOG10_P = -3.0
"""A map that explains the parents no better than one in a thousand chances is not reported."""


class LayoutMap(msgspec.Struct, frozen=True, kw_only=True):
    """The best map: `hits` of the experts with one parent follow it."""

    map: str
    hits: int
    log10_p: float


def candidate_maps(experts: int, references: int, groups: int | None) -> Mapping[str, Ints]:
    """Maps from expert to reference, the simplest first; of equal ones only the first.

    >>> list(candidate_maps(8, 4, None))
    ['e mod 4', 'e // 2']
    """
    index = np.arange(experts, dtype=np.int64)
    maps = {f"e mod {references}": index % references}
    if experts % references == 0 and experts > references:
        copies = experts // references
        maps[f"e // {copies}"] = index // copies
    if groups and experts % groups == 0:
        size = experts // groups
        maps[f"(e mod {size}) mod {references}"] = index % size % references
    distinct: dict[str, Ints] = {}
    for name, values in maps.items():
        if not any(np.array_equal(values, other) for other in distinct.values()):
            distinct[name] = values
    return distinct


def find_layout(
    parents: Mapping[int, int], experts: int, references: int, groups: int | None
) -> LayoutMap | None:
    """The map that most decided experts follow, or None where none is beyond chance.

    Args:
        parents: expert -> parent, of the experts with exactly one.
        experts: experts of the layer.
        references: references of the layer.
        groups: routing groups of the target, where its config states them.
    """
    maps = candidate_maps(experts, references, groups)
    best: LayoutMap | None = None
    for name, values in maps.items():
        hits = sum(int(values[expert]) == parent for expert, parent in parents.items())
        log10_p = min(
            0.0, log10_binomial_tail(len(parents), 1 / references, hits) + math.log10(len(maps))
        )
        if best is None or hits > best.hits:
            best = LayoutMap(map=name, hits=hits, log10_p=log10_p)
    return best if best and best.log10_p < MAX_LOG10_P else None


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
