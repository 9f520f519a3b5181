"""Pairs of experts that are worth reading whole: those that were named, or some of every kind."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from inspector.analysis.expert_family import ONE_MODEL, Numbering
from inspector.analysis.expert_report import ExpertMatch, Flag
from inspector.analysis.expert_sides import ExpertSide
from inspector.analysis.plan import PlannedReads
from inspector.errors import LayoutError, UsageError
from inspector.layout.families import Projection

MATRICES: Final = (Projection.DOWN, Projection.GATE, Projection.UP)

_WEAKEST: Final = 6
"""One pair in so many is of those with the lowest z*."""

_READS: Final = 2
"""Of a matrix: its codes and its scales."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A target expert and a reference, and why they are looked at."""

    layer: int
    expert: int
    reference_layer: int
    reference: int
    chosen: str = "named"


@dataclass(frozen=True, slots=True)
class PairRequest:
    """`count` accepted pairs to be chosen by `seed`, or the `named` ones."""

    count: int = 0
    seed: int = 0
    named: tuple[Pair, ...] = ()

    def __len__(self) -> int:
        return len(self.named) or self.count

    def mapped(self, layers: Mapping[int, int]) -> "PairRequest":
        """The same, each named pair in the layer of the reference that its own is compared with."""
        named = (
            replace(one, reference_layer=layers.get(one.layer, one.layer)) for one in self.named
        )
        return replace(self, named=tuple(named))


def check_named(target: ExpertSide, reference: ExpertSide, request: PairRequest) -> None:
    """Refuse a pair of which one expert is not there, before anything is read.

    Raises:
        UsageError: no such expert.
    """
    for one in request.named:
        for side, whose, layer, expert in (
            (target, "the model", one.layer, one.expert),
            (reference, "the reference", one.reference_layer, one.reference),
        ):
            found = side.experts(layer) if layer in side.layers else ()
            if expert not in found:
                raise UsageError(
                    f"--verify: {whose} has no expert {expert} in layer {layer}",
                    hint=f"it has {len(found)} experts in layer {layer}",
                )


def choose_pairs(experts: Sequence[ExpertMatch], count: int, seed: int) -> list[Pair]:
    """`count` experts with their best parents: the weakest, then every verdict in turn.

    One in six has the lowest z* of all. The others go round the kinds (verdicts with their flags),
    by chance within each; every second one is sought in the layer of the one before, with another
    parent, as then each reference serves the other pair as a control.
    """
    accepted = [match for match in experts if match.parents]
    scored = [match for match in accepted if match.parents[0].z_star is not None]
    weakest = sorted(scored, key=lambda match: match.parents[0].z_star or 0.0)
    chosen = [_pair(match, "weakest") for match in weakest[: -(-count // _WEAKEST)]]
    taken = {(one.layer, one.expert) for one in chosen}
    rng = np.random.default_rng(seed)
    kinds: dict[str, list[ExpertMatch]] = defaultdict(list)
    for position in rng.permutation(len(accepted)).tolist():
        match = accepted[position]
        if (match.layer, match.expert) not in taken:
            kinds[_kind(match)].append(match)
    while len(chosen) < count and any(kinds.values()):
        for kind in sorted(kinds):
            if kinds[kind] and len(chosen) < count:
                match = kinds[kind].pop(_beside(kinds[kind], chosen))
                chosen.append(_pair(match, kind))
    return sorted(chosen, key=lambda one: (one.layer, one.expert))


def _beside(matches: Sequence[ExpertMatch], chosen: Sequence[Pair]) -> int:
    """Where in `matches` one is of the layer of the last pair, if that stands alone; else 0."""
    last = chosen[-1] if chosen else None
    if last is None or sum(one.layer == last.layer for one in chosen) % 2 == 0:
        return 0
    for place, match in enumerate(matches):
        if match.layer == last.layer and match.parents[0].expert != last.reference:
            return place
    return 0


def _kind(match: ExpertMatch) -> str:
    flags = [str(flag) for flag in match.flags if flag is not Flag.FEW_REFERENCES]
    return " ".join([str(match.verdict), *flags])


def _pair(match: ExpertMatch, chosen: str) -> Pair:
    best = match.parents[0]
    return Pair(match.layer, match.expert, best.layer, best.expert, chosen)


def controls_of(
    reference: ExpertSide,
    pairs: Sequence[Pair],
    parents: Callable[[Pair], Sequence[int]],
    numbering: Numbering = ONE_MODEL,
) -> list[int]:
    """For each pair a reference of its layer, of the same model, that is no parent.

    One that another pair reads anyway, or the next by number. Those of another model may be made of
    its parents.

    Raises:
        LayoutError: the layer has no other reference.
    """
    found = []
    for pair in pairs:
        layer, avoided = pair.reference_layer, {pair.reference, *parents(pair)}
        near = [one.reference for one in pairs if one.reference_layer == layer]
        others = [*near, *_after(reference.experts(layer), pair.reference)]
        model = numbering.model(pair.reference)
        own = (one for one in others if numbering.model(one) == model)
        control = next((one for one in own if one not in avoided), None)
        if control is None:
            raise LayoutError(
                f"layer {layer} of the reference has no expert but parents of expert "
                f"{pair.expert}: nothing says what chance reaches",
                hint="leave --verify out",
            )
        found.append(control)
    return found


def _after(experts: Sequence[int], one: int) -> list[int]:
    place = list(experts).index(one)
    return [*experts[place + 1 :], *experts[:place]]


def whole_cost(side: ExpertSide, layer: int, expert: int) -> int:
    """Bytes of all of one expert."""
    return sum(
        side.read_cost(*asked) + side.scale_cost(*asked)
        for one in MATRICES
        for asked in ((layer, [expert], one, range(side.shape(layer, one)[0])),)
    )


def pairs_cost(target: ExpertSide, reference: ExpertSide, request: PairRequest) -> int:
    """Bytes of that many pairs, or of those named, each with a control of its own: at most."""
    layer, other = target.layers[0], reference.layers[0]
    some = Pair(layer, target.experts(layer)[0], other, reference.experts(other)[0])
    first = request.named or (some,) * request.count
    return sum(
        whole_cost(target, one.layer, one.expert)
        + 2 * whole_cost(reference, one.reference_layer, one.reference)
        for one in first
    )


def plan_pairs(
    target: ExpertSide, reference: ExpertSide, request: PairRequest
) -> list[PlannedReads]:
    """What reading the pairs would take; nothing where none is asked for."""
    if not len(request):
        return []
    return [
        PlannedReads(
            what="pairs of experts whole, each with a control, at most",
            requests=len(request) * 3 * len(MATRICES) * _READS,
            bytes=pairs_cost(target, reference, request),
            is_estimate=True,
            is_bound=True,
        )
    ]


def named_pair(layer: int, expert: int, reference: int) -> Pair:
    """A pair of one layer, as it is named."""
    return replace(Pair(layer, expert, layer, reference), chosen="named")
