"""Which references have descendants, how many, and whether every routing group holds them all."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np


class GroupCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One routing group: its experts with one parent, and how many different parents they have."""

    experts: int
    references: int


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """References that have descendants, among those of `experts` with exactly one parent.

    `times` says how many references have that many: `{"4": 128}` where each has four. `groups` are
    the routing groups of the target in order, none where its config states none.
    """

    experts: int
    covered: int
    references: int
    times: dict[str, int]
    groups: list[GroupCoverage]


class GroupFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Routing groups over all layers: in how many of `of` each reference has a descendant.

    `fewest` and `most` are the different parents in a group of `size` experts.
    """

    complete: int
    of: int
    size: int
    references: int
    fewest: int
    most: int


def coverage_of(
    parents: Mapping[int, int], experts: int, references: int, groups: int | None
) -> Coverage:
    """The coverage of a layer; `parents` has the experts with exactly one."""
    used = np.bincount(list(parents.values()), minlength=references).tolist()
    times = Counter(used)
    found: list[GroupCoverage] = []
    if groups and groups > 1 and experts % groups == 0:
        size = experts // groups
        held: list[list[int]] = [[] for _ in range(groups)]
        for expert, parent in parents.items():
            held[expert // size].append(parent)
        found = [GroupCoverage(experts=len(own), references=len(set(own))) for own in held]
    return Coverage(
        experts=experts,
        covered=references - times[0],
        references=references,
        times={str(count): times[count] for count in sorted(times)},
        groups=found,
    )


def group_facts(layers: Sequence[Coverage]) -> GroupFacts | None:
    """The routing groups of all layers; None where there are none."""
    groups = [(group, layer.references) for layer in layers for group in layer.groups]
    if not groups:
        return None
    held = [group.references for group, _ in groups]
    return GroupFacts(
        complete=sum(group.references == references for group, references in groups),
        of=len(groups),
        size=max(layer.experts // len(layer.groups) for layer in layers if layer.groups),
        references=max(references for _, references in groups),
        fewest=min(held),
        most=max(held),
    )
