"""Which numbers of two models a match reads: what each way would take, and which is taken.

The fullest way that fits what may be read: all neurons of `down_proj`, all neurons of `gate_proj`,
or a block of neurons of either, which answers the same question for aligned experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from inspector.analysis.expert_match import LOOK_ALPHA, LOOK_ROWS, MatchResult, match_experts
from inspector.analysis.expert_question import MatchRequest, Progress, Question
from inspector.analysis.expert_reading import WHOLE, Reading, Ways
from inspector.analysis.expert_sides import Ahead, ExpertSide, when_asked
from inspector.analysis.expert_verdicts import EXCLUDED_COSINE, EXCLUDED_FRACTION, excluded_region
from inspector.analysis.plan import PlannedOption
from inspector.analysis.sampled_rows import BLOCK_ROWS, row_block
from inspector.layout.families import Projection

_COPY_KEPT: Final = 0.9
"""The z of a copy, as a share of sqrt(rows x neurons), at the last look: .909 was
measured with 128 rows of 128 neurons, against 128 simulated references; .92 at 8 rows."""


@dataclass(frozen=True, slots=True)
class Option:
    """A way to read both models; `requests` and `bytes` of what every run takes: the first look."""

    what: str
    reading: Reading
    target: ExpertSide
    reference: ExpertSide
    requests: int
    bytes: int


def reading_options(target: Ways, reference: Ways, request: MatchRequest) -> list[Option]:
    """Every way, the fullest first.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts that share no rows.
    """
    whole = Question(target.straight, reference.straight, request)
    readings = [Reading(matrix) for matrix in _MATRICES]
    neurons = whole.target.shape(whole.layers[0], Projection.DOWN)[1]
    needed = needed_neurons(whole.hypotheses)
    if not whole.has_slices and needed < neurons:
        blocks = (neurons - needed) // BLOCK_ROWS + 1
        start = BLOCK_ROWS * int(np.random.default_rng([request.seed, 1]).integers(blocks))
        readings += [Reading(one, range(start, start + needed)) for one in _MATRICES]
    rows = row_block(whole.reference, whole.layers[0], np.random.default_rng(request.seed))
    found = []
    for reading in readings:
        ours, theirs = (ways.sampled(reading, rows[: LOOK_ROWS[0]]) for ways in (target, reference))
        first = Question(ours, theirs, request).first_reads(rows, LOOK_ROWS[0])
        found.append(
            Option(reading.described(neurons), reading, ours, theirs, first.requests, first.bytes)
        )
    return found


@dataclass(frozen=True, slots=True)
class ReadingChoice:
    """The ways to read both models, which is `taken`, and the bytes that `allowed` it."""

    options: Sequence[Option]
    taken: Option
    allowed: int
    request: MatchRequest

    def matched(self, progress: Progress, ahead: Ahead = when_asked) -> MatchResult:
        """The match, read the way that is taken; `ahead` begins to read what comes next."""
        taken = self.taken
        return match_experts(taken.target, taken.reference, self.request, progress, ahead)

    def planned(self, stored_bytes: int) -> list[PlannedOption]:
        """Each way as a plan tells it; `stored_bytes` are those of all experts."""
        return [
            PlannedOption(
                what=one.what,
                requests=one.requests,
                bytes=one.bytes,
                share=one.bytes / max(stored_bytes, 1),
                is_chosen=one is self.taken,
            )
            for one in self.options
        ]


def choose_reading(target: Ways, reference: Ways, request: MatchRequest) -> ReadingChoice:
    """The fullest way that fits what may be read.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts that share no rows.
    """
    options = reading_options(target, reference, request)
    allowed = Question(target.straight, reference.straight, request).budget
    taken = fullest_within(options, allowed)
    return ReadingChoice(options, taken, allowed, replace(request, reading=taken.reading))


def fullest_within(options: Sequence[Option], budget: int) -> Option:
    """The first that fits; where none does, the one that takes least, for a person to allow.

    Where two are as full as each other (a block of neurons of either matrix) the cheaper is meant.
    """
    fullest = sorted(options, key=lambda one: (one.reading.neurons is not None, one.bytes))
    plain = [one for one in options if one.reading == WHOLE]
    return next(
        (one for one in (*plain, *fullest) if one.bytes <= budget),
        min(options, key=lambda one: one.bytes),
    )


_MATRICES: Final = (Projection.DOWN, Projection.GATE)


def needed_neurons(hypotheses: int) -> int:
    """Neurons, in whole blocks, of which the last look rules out what `no_evidence` says.

    >>> needed_neurons(512 * 128 * 94), needed_neurons(512 * 128)
    (128, 128)
    """
    neurons = BLOCK_ROWS
    while not _rules_out(neurons, hypotheses):
        neurons += BLOCK_ROWS
    return neurons


def _rules_out(neurons: int, hypotheses: int) -> bool:
    copy_z = _COPY_KEPT * float(np.sqrt(LOOK_ROWS[-1] * neurons))
    cosine, fraction = excluded_region(copy_z, hypotheses=hypotheses, alpha=LOOK_ALPHA[-1])
    return cosine <= EXCLUDED_COSINE and fraction <= EXCLUDED_FRACTION
