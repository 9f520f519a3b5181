"""What was found of several references in one numbering, told by model: parents, layout, counts."""

import statistics
from collections import Counter
from collections.abc import Sequence

import msgspec

from inspector.analysis.expert_family import Numbering
from inspector.analysis.expert_report import (
    DESCENDING,
    ExpertMatch,
    ExpertPair,
    Nearest,
    Parent,
    ReferenceMatch,
)
from inspector.analysis.expert_verdicts import estimate_of
from inspector.analysis.hidden_basis import StageZero
from inspector.analysis.layer_look import Nearby
from inspector.analysis.report import Model


def named(match: ExpertMatch, nearest: Sequence[Nearby], numbering: Numbering) -> ExpertMatch:
    """A match whose parents have their model's name and their number there."""
    parents = [
        msgspec.structs.replace(
            parent,
            expert=numbering.expert(parent.expert),
            ref=numbering.name(parent.expert),
        )
        for parent in match.parents
    ]
    found = [
        Nearest(
            ref=numbering.name(one.reference),
            expert=numbering.expert(one.reference),
            z=round(one.z, 3),
            sigma=estimate_of(one.sigma),
        )
        for one in nearest
    ]
    return msgspec.structs.replace(match, parents=parents, nearest=found if parents else [])


def among_all(match: ExpertMatch, numbering: Numbering) -> ExpertMatch:
    """The opposite of `named`: parents by their numbers among the experts of all models."""
    parents = [
        parent
        if parent.ref is msgspec.UNSET
        else msgspec.structs.replace(parent, expert=numbering.number(parent.ref, parent.expert))
        for parent in match.parents
    ]
    return msgspec.structs.replace(match, parents=parents)


def told_pair(pair: ExpertPair, chosen: str, numbering: Numbering) -> ExpertPair:
    """A pair as it is told, by what it was chosen for; its reference by its number in its model."""
    if not numbering.is_of_several:
        return msgspec.structs.replace(pair, chosen=chosen)
    return msgspec.structs.replace(
        pair,
        chosen=chosen,
        ref=numbering.name(pair.reference),
        reference=numbering.expert(pair.reference),
        controls=[numbering.expert(one) for one in pair.controls],
    )


def main_model(matches: Sequence[ExpertMatch], numbering: Numbering) -> int:
    """The model that most experts with one parent have it from; the first where none has any."""
    found = Counter(
        numbering.model(match.parents[0].expert) for match in matches if len(match.parents) == 1
    )
    return found.most_common(1)[0][0] if found else 0


def of_model(matches: Sequence[ExpertMatch], model: int, numbering: Numbering) -> list[ExpertMatch]:
    """The matches with the parents that are of one model, by their numbers there."""

    def own(parents: Sequence[Parent]) -> list[Parent]:
        return [
            msgspec.structs.replace(parent, expert=numbering.expert(parent.expert))
            for parent in parents
            if numbering.model(parent.expert) == model
        ]

    return [
        msgspec.structs.replace(
            match, parents=own(match.parents) if len(match.parents) == 1 else match.parents
        )
        for match in matches
    ]


def reference_matches(
    matches: Sequence[ExpertMatch],
    names: Sequence[str],
    models: Sequence[Model],
    stage_zero: Sequence[StageZero],
) -> list[ReferenceMatch]:
    """For each model how many experts descend from it, how near they are, what stage 0 said."""
    found = []
    known: Sequence[StageZero | None] = stage_zero or [None] * len(names)
    for name, model, stage in zip(names, models, known, strict=True):
        sigmas = [
            one.sigma.estimate
            for match in matches
            if match.verdict in DESCENDING and match.nearest
            for one in match.nearest
            if one.ref == name
        ]
        first = [match.parents[0].ref for match in matches if match.verdict in DESCENDING]
        found.append(
            ReferenceMatch(
                ref=name,
                model=model,
                experts=first.count(name),
                resemble=len(sigmas),
                median_sigma=round(statistics.median(sigmas), 4) if sigmas else None,
                basis=stage.basis if stage else None,
                layer_map=stage.layer_map if stage else None,
            )
        )
    return found
