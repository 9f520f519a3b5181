"""Experts whose neurons were put into another order: match on half of the rows, test on others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_aside import Against, OpenExperts
from inspector.analysis.expert_estimates import Estimates
from inspector.analysis.expert_evidence import Evidence
from inspector.analysis.expert_sides import Ahead, side_by_side, when_asked
from inspector.analysis.layer_references import LayerReferences
from inspector.decode.numeric import Float32
from inspector.stats.matching import Prepared, prepare_references, prepare_targets
from inspector.stats.neuron_map import assign_neurons
from inspector.stats.neuron_pairs import NeuronPairs, neuron_pairs
from inspector.stats.permuted import (
    contrast_to_controls,
    likeness_of_moments,
    match_neurons,
    matched_z,
    shortlist,
)
from inspector.stats.retention import Retention, fit_retention
from inspector.stats.retention_templates import against_matched

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SHORTLIST: Final = 3
MIN_CONTROLS: Final = 16
"""References that an expert is matched with, and others whose z says what strangers reach."""

MIN_MATCH_ROWS: Final = 32
"""With fewer rows in all, too few neurons find their own: of 16, 42 % at drift 1 (the study)."""

_ESTIMATE_CONTROLS: Final = 2


@dataclass(frozen=True, slots=True)
class _Halves:
    """Experts on the rows that match and on the rows that test."""

    match: Prepared
    test: Prepared


def permuted_evidence(
    opened: OpenExperts,
    against: Against,
    others: Sequence[LayerReferences],
    ahead: Ahead = when_asked,
) -> Evidence | None:
    """Experts that are open, each against its shortlist in contrast to controls.

    Controls are the other references of the layer and, where these are fewer than `MIN_CONTROLS`,
    references of other layers. None where they are too few all the same, or rows or sizes do not
    allow it. `ahead` takes half of the work, as nothing is read meanwhile.
    """
    own = against.own
    rows = opened.raw.shape[1]
    if rows < MIN_MATCH_ROWS or opened.raw.shape[2] != own.raw.shape[2]:
        return None
    targets, references = _halves(opened.raw, own, ahead)
    outside = [_halves(opened.raw, one, ahead) for one in others[: _layers_needed(own, others)]]
    halves = (targets.match, references.match), (targets.test, references.test)
    likeness = side_by_side(ahead, lambda half: likeness_of_moments(*half), halves)
    alike = shortlist(likeness, SHORTLIST)

    def contrasted(i: int) -> tuple[Float64, Float64] | None:
        """Z of the shortlist of an expert, and its contrasts; None where controls are too few."""
        candidates = alike[i].tolist()
        controls = [
            *_controls(len(references.match), candidates, references, targets, i),
            *(z for side, pool in outside for z in _scores(side, pool, i, range(len(pool.match)))),
        ]
        if len(controls) < MIN_CONTROLS:
            return None
        z = np.array(_scores(targets, references, i, candidates))
        return z, contrast_to_controls(z, np.array(controls))

    scores = side_by_side(ahead, contrasted, range(len(alike)))
    found = [one for one in scores if one is not None]
    if len(found) < len(scores):
        return None
    contrasts = np.array([contrast for _, contrast in found])
    return Evidence(
        opened.layer,
        np.repeat(opened.experts, alike.shape[1]),
        against.references[alike].ravel(),
        np.array([z for z, _ in found]).ravel(),
        contrasts.ravel(),
        estimates=_estimates(opened, against, alike, contrasts),
    )


def _estimates(
    opened: OpenExperts, against: Against, alike: Ints, contrasts: Float64
) -> dict[int, Estimates]:
    """By expert: what is left of the best of its shortlist, if it may be accepted."""
    found = {}
    for i in np.flatnonzero(contrasts.max(axis=1) > opened.clear_z).tolist():
        best = int(alike[i, contrasts[i].argmax()])
        fit = _estimated(opened.raw[i], against.own, best)
        found[int(opened.experts[i])] = Estimates(int(against.references[best]), fit)
    return found


def _layers_needed(own: LayerReferences, others: Sequence[LayerReferences]) -> int:
    """How many other layers fill the controls up."""
    return 0 if len(own.raw) - SHORTLIST >= MIN_CONTROLS else len(others)


def _halves(raw: Float32, references: LayerReferences, ahead: Ahead) -> tuple[_Halves, _Halves]:
    """Targets and references on even and on odd rows."""
    match, test = side_by_side(ahead, partial(_half, raw, references), (0, 1))
    return _Halves(match[0], test[0]), _Halves(match[1], test[1])


def _half(raw: Float32, references: LayerReferences, start: int) -> tuple[Prepared, Prepared]:
    """Targets and references on every second row."""
    theirs = np.ascontiguousarray(references.raw[:, start::2])
    preparation, prepared = prepare_references(theirs, out=theirs)
    return prepare_targets(raw[:, start::2], preparation), prepared


def _controls(
    count: int, candidates: Sequence[int], references: _Halves, targets: _Halves, i: int
) -> list[float]:
    """Z against references that are not on the shortlist, evenly chosen."""
    rest = [r for r in range(count) if r not in candidates]
    step = max(1, len(rest) // MIN_CONTROLS)
    return _scores(targets, references, i, rest[::step][:MIN_CONTROLS])


def _scores(targets: _Halves, references: _Halves, i: int, chosen: Sequence[int]) -> list[float]:
    return [
        matched_z(
            targets.test.vectors[i],
            references.test.vectors[r],
            match_neurons(targets.match.vectors[i], references.match.vectors[r]),
        )
        for r in chosen
    ]


def _estimated(raw: Float32, own: LayerReferences, best: int) -> Retention:
    """What is left of a reference, the neurons brought into its order by assignment."""
    strangers = [r for r in range(len(own.raw)) if r != best][:_ESTIMATE_CONTROLS]
    chance = [_matched(raw, own, r).cosines for r in strangers]
    templates = against_matched(own.templates, np.concatenate(chance)) if chance else own.templates
    return fit_retention(_matched(raw, own, best), templates)[0]


def _matched(raw: Float32, own: LayerReferences, reference: int) -> NeuronPairs:
    ours, theirs, _ = assign_neurons([raw], [own.raw[reference]])
    ordered = np.empty_like(raw)
    ordered[:, theirs] = raw[:, ours]
    return neuron_pairs(ordered[None], own.raw[reference][None], own.preparation)
