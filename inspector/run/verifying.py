"""`--verify`: which pairs of experts are read whole, and what they are found to have."""

from dataclasses import replace
from typing import Final

import msgspec

from inspector.analysis.expert_match import MatchResult
from inspector.analysis.expert_named import among_all, told_pair
from inspector.analysis.expert_pairs import (
    Pair,
    PairRequest,
    check_named,
    choose_pairs,
    controls_of,
    named_pair,
    pairs_cost,
)
from inspector.analysis.expert_question import Progress
from inspector.analysis.expert_report import ExpertPair
from inspector.analysis.expert_whole import PairReader
from inspector.checkpoint.matching import ExpertQuestion
from inspector.errors import BudgetExceeded, UsageError
from inspector.layout.pairs import parse_pair
from inspector.run.folder import RunFolder

_MOST: Final = 1000
"""More pairs are whole layers, which are no sample any more: 57 MB each."""


def asked_pairs(text: str | None, *, seed: int) -> PairRequest:
    """`24`, or `layers.3.experts.200=17,layers.5.experts.2=9`.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return PairRequest()
    if text.isascii() and text.isdigit():
        if int(text) > _MOST:
            raise UsageError(f"--verify {text}: at most {_MOST:,} pairs")
        return PairRequest(count=int(text), seed=seed)
    named = [named_pair(*parse_pair(one, option="--verify")) for one in text.split(",")]
    return PairRequest(named=tuple(sorted(named, key=lambda one: (one.layer, one.expert))))


def in_layers(asked: PairRequest, question: ExpertQuestion) -> PairRequest:
    """The pairs, in the layers that are compared.

    Raises:
        UsageError: pairs are named, and it is not known what they mean: of which of several
            references, or in which layers before norms are read.
    """
    if asked.named and question.request.numbering.is_of_several:
        raise UsageError(
            "--verify names experts of a reference, and there are several",
            hint="say one --ref, or how many pairs: --verify 24",
        )
    if asked.named and any(one.is_open for one in question.hidden):
        raise UsageError(
            "--verify names pairs of layers, and only norms tell which layers are compared",
            hint="say --layer-map, or how many pairs: --verify 24",
        )
    return asked.mapped(question.request.stage_zero[0].layer_map.numbers)


def without_pairs(question: ExpertQuestion, asked: PairRequest) -> ExpertQuestion:
    """The question with what its looks may read where `--max-bytes` must allow the pairs too.

    Raises:
        UsageError: a named expert is not there.
        BudgetExceeded: the pairs alone would read more.
    """
    sides = question.target.straight, question.reference.straight
    check_named(*sides, asked)
    request = question.request
    allowed = request.max_bytes
    if allowed is None or not len(asked):
        return question
    cost = pairs_cost(*sides, asked)
    if cost > allowed:
        raise BudgetExceeded(
            f"--verify would read up to {cost:,} bytes, more than the {allowed:,} allowed",
            hint="raise --max-bytes, or verify fewer pairs",
        )
    left = replace(request, max_bytes=allowed - cost, bytes_before=request.bytes_before + cost)
    return replace(question, request=left)


def verified(
    question: ExpertQuestion,
    asked: PairRequest,
    result: MatchResult,
    folder: RunFolder | None,
    progress: Progress,
) -> list[ExpertPair]:
    """The pairs that were asked for, read whole and compared; those that `folder` has are there."""
    sides = question.target.straight, question.reference.straight
    numbering = question.request.numbering
    experts = [among_all(one, numbering) for one in result.experts]
    matches = {(one.layer, one.expert): one for one in experts}
    pairs = asked.named or choose_pairs(experts, asked.count, asked.seed)

    def parents(pair: Pair) -> list[int]:
        match = matches.get((pair.layer, pair.expert))
        itself = [pair.expert] if result.same_model else []
        return [*itself, *(one.expert for one in match.parents)] if match else itself

    reader = PairReader(*sides)
    found = []
    controls = controls_of(sides[1], pairs, parents, numbering)
    for pair, control in zip(pairs, controls, strict=True):
        name = f"pairs/{pair.layer}-{pair.expert}-{pair.reference}-{control}.json"
        kept = folder.load(name) if folder else None
        one = msgspec.json.decode(kept, type=ExpertPair) if kept else reader.compare(pair, control)
        if folder and kept is None:
            folder.save(name, msgspec.json.encode(one))
        found.append(told_pair(one, pair.chosen, numbering))
        progress("pairs", len(found), len(pairs))
    return found
