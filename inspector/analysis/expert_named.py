"""What was found of several references in one numbering, told by model: parents, layout, counts."""

import statistics
from collections import Counter
from collections.abc import Sequence

import msgspec

from inspector.analysis.expert_family import Numbering
from inspector.analysis.expert_looks import Nearby
from inspector.analysis.expert_report import (
    DESCENDING,
    ExpertMatch,
    Nearest,
    Parent,
    ReferenceMatch,
)
from inspector.analysis.expert_verdicts import rounded_estimate
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
            sigma=rounded_estimate(one.sigma),
        )
        for one in nearest
    ]
    return msgspec.structs.replace(match, parents=parents, nearest=found if parents else [])


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
    matches: Sequence[ExpertMatch], names: Sequence[str], models: Sequence[Model]
) -> list[ReferenceMatch]:
    """For each model how many experts descend from it, and how near they are to it."""
    found = []
    for name, model in zip(names, models, strict=True):
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
            )
        )
    return found
