"""What a match would read, step by step: what is certain, and what is at most."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from inspector.analysis.expert_places import PLACE_ROWS
from inspector.analysis.expert_question import (
    ROTATION_LAYERS,
    MatchRequest,
    Question,
    spread_layers,
)
from inspector.analysis.expert_rotated import rotation_rows
from inspector.analysis.expert_sides import ExpertSide
from inspector.analysis.plan import PlannedReads
from inspector.analysis.report import Reads
from inspector.analysis.sampled_rows import row_block
from inspector.layout.families import Projection

_BESIDE: Final = (Projection.GATE, Projection.UP)


def plan_match(
    target: ExpertSide, reference: ExpertSide, request: MatchRequest, looks: Sequence[int]
) -> list[PlannedReads]:
    """What matching would read: the choice of rows, a trial, a look at all; the rest at most.

    What is certain is exact while no row is skipped: of an outlier between two rows that are used
    the bytes are read too. Each bound holds by itself, and all of them together stay within what
    the budget leaves, save for gate and up of experts whose `down_proj` is all zero or NaN.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts that share no rows.
    """
    question = Question(target, reference, request)
    rows = row_block(question.reference, question.layers[0], np.random.default_rng(request.seed))
    first, *later = (question.look_reads(rows[:count]) for count in looks)
    choice = question.choice_reads(rows)
    certain = [
        _certain("choosing rows", choice, request),
        _certain(f"{looks[0]} rows of every expert", first, request),
    ]
    room = max(0, question.budget - first.bytes - choice.bytes)
    if later:
        trial = question.trial_reads(rows[: looks[1]])
        if trial.bytes + later[0].bytes <= question.budget - choice.bytes:
            what = f"a trial of {looks[1]} rows on {_layers(len(question.pilot_layers))}"
            certain.insert(1, _certain(what, trial, request))
            room = max(0, room - trial.bytes)
    scales = _scale_reads(question, rows)
    counts = " and ".join(map(str, looks[1:]))
    again = _within(_sum(later), room, _of_one_expert(question, [(Projection.DOWN, rows[:8])]))
    more = Reads(
        requests=again.requests + min(again.requests, len(later) * scales.requests),
        bytes=_sum(later).bytes + len(later) * scales.bytes,
    )
    gates = [(one, rows[:PLACE_ROWS]) for one in _BESIDE]
    beside = _larger(_gate_reads(question, rows), _rotation_reads(question, rows))
    beside = _within(beside, room, _of_one_expert(question, gates))
    return [
        *certain,
        _bound("scales of experts with a parent", scales, room),
        _bound(f"{counts} rows of those left open, and their scales", more, room),
        _bound("rows of gate and up of those still open", beside, room),
    ]


def _layers(count: int) -> str:
    return f"{count} layer{'s' if count > 1 else ''}"


def _within(reads: Reads, room: int, experts: Sequence[Reads]) -> Reads:
    """As many requests as there is room for, where one expert takes one of `experts`."""
    count = room // max(1, min(one.bytes for one in experts))
    most = count * max(one.requests for one in experts)
    return Reads(requests=min(reads.requests, most), bytes=reads.bytes)


def _scale_reads(question: Question, rows: Sequence[int]) -> Reads:
    """The scales of `down_proj` of every target and reference that has any."""
    return _sum(
        _scales(side, layer, experts, Projection.DOWN, rows)
        for layer in question.layers
        for side, experts in _experts(question, layer)
    )


def _gate_reads(question: Question, rows: Sequence[int]) -> Reads:
    """Rows of gate and up of every target and reference."""
    return _sum(
        _reads(side, layer, experts, one, rows[:PLACE_ROWS])
        for layer in question.layers
        for side, experts in _experts(question, layer)
        for one in _BESIDE
    )


def _rotation_reads(question: Question, rows: Sequence[int]) -> Reads:
    """Neurons of a few layers, decoded: read in place of rows of gate and up of all of them."""
    layers, neurons = spread_layers(question.layers, ROTATION_LAYERS), rotation_rows(question, rows)
    return _sum(
        _reads(side, layer, experts, one, neurons) + _scales(side, layer, experts, one, neurons)
        for layer in layers
        for side, experts in _experts(question, layer)
        for one in _BESIDE
    )


def _larger(one: Reads, other: Reads) -> Reads:
    return Reads(requests=max(one.requests, other.requests), bytes=max(one.bytes, other.bytes))


def _scales(
    side: ExpertSide, layer: int, experts: Sequence[int], one: Projection, rows: Sequence[int]
) -> Reads:
    """The scales of rows of a matrix of some experts, where it has any."""
    size = side.scale_cost(layer, experts, one, rows)
    return Reads(requests=len(experts) if size else 0, bytes=size)


def _of_one_expert(
    question: Question, parts: Sequence[tuple[Projection, Sequence[int]]]
) -> list[Reads]:
    """What rows of one expert take, of either side, of matrices read together."""
    layer = question.layers[0]
    return [
        _sum(_reads(side, layer, experts[:1], one, rows) for one, rows in parts)
        for side, experts in _experts(question, layer)
    ]


def _reads(
    side: ExpertSide, layer: int, experts: Sequence[int], one: Projection, rows: Sequence[int]
) -> Reads:
    """What rows of a matrix take; those of gate and up by number modulo their height."""
    height = side.shape(layer, one)[0]
    asked = layer, experts, one, sorted({row % height for row in rows})
    return Reads(requests=side.read_requests(*asked), bytes=side.read_cost(*asked))


def _experts(question: Question, layer: int) -> list[tuple[ExpertSide, Sequence[int]]]:
    """Both sides, and which of their experts a layer's match is about."""
    references = question.reference.experts(layer)
    return [
        (question.target, question.experts[layer].tolist()),
        (question.reference, references),
    ]


def _certain(what: str, reads: Reads, request: MatchRequest) -> PlannedReads:
    """Neurons of an expert that are read for one step are not read for another."""
    shared = request.reading.neurons is not None
    return PlannedReads(what=what, requests=reads.requests, bytes=reads.bytes, is_estimate=shared)


def _bound(what: str, reads: Reads, room: int) -> PlannedReads:
    """At most so much, and no more than there is room for."""
    return PlannedReads(
        what=f"{what}, at most",
        requests=reads.requests if room else 0,
        bytes=min(reads.bytes, room),
        is_estimate=True,
        is_bound=True,
    )


def _sum(parts: Iterable[Reads]) -> Reads:
    return sum(parts, start=Reads(requests=0, bytes=0))
