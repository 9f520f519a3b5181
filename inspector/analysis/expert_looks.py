"""One look at k rows of every expert that is still open: z against all references, and the null."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.estimate_table import EstimateTable
from inspector.analysis.expert_aside import (
    Against,
    OpenExperts,
    flip_evidence,
    flip_scores,
    shift_evidence,
)
from inspector.analysis.expert_estimates import Resemblances, estimate
from inspector.analysis.expert_family import Numbering
from inspector.analysis.expert_permuted import permuted_evidence
from inspector.analysis.expert_sampler import AHEAD, Sampler
from inspector.analysis.layer_look import LayerLook, Likeness, LookRules, Nearby, Null
from inspector.analysis.layer_references import LayerReferences, without_nan
from inspector.analysis.packed_rows import PackedRows
from inspector.decode.numeric import Float32
from inspector.stats.blends import fit_blend
from inspector.stats.contrast import MIN_POOL
from inspector.stats.matching import (
    Preparation,
    Prepared,
    copy_z,
    padded,
    pair_contrast,
    prepare_targets,
    standardised,
    z_scores,
)
from inspector.stats.neuron_pairs import neuron_pairs
from inspector.stats.retention import fit_signs

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ESTIMATE_Z: Final = 4.0
"""Experts whose best z is beyond this may be accepted: they are compared with that reference."""

_NULL_TARGETS: Final = 64
_ALONE: Final = 32
"""From more references on, no other layer's fill a pool or are controls."""

_NULL_FLIPS: Final = 16
_NULL_FLIP_TESTS: Final = (512, 2048)
_ALL_NULL_FLIP_TESTS: Final = 50_000
"""Tests of flips against other layers that a layer gives the null, if it has as many experts: at
least and at most, between them as many as all layers together need."""

_PAIR_CANDIDATES: Final = 8
_PAIR_FLOOR: Final = 3.0
_HOLM_SLACK: Final = 1.0
"""Two references are contrasted where both may be accepted: Holm's bound for the last test that
passes is lower than for the first by no more than this, if up to 99 % of millions pass."""


def own_scores(raw: Float32, references: LayerReferences) -> Float64:
    """Z of some experts of a layer, `[experts, k, m]` raw rows, against its references."""
    targets, prepared = _of_one_size(
        prepare_targets(without_nan(raw), references.preparation), references
    )
    return z_scores(targets, prepared)


def look_at_layer(
    sampler: Sampler,
    layer: int,
    experts: Ints,
    count: int,
    rules: LookRules,
    after: Sequence[tuple[int, Ints]] = (),
) -> tuple[list[LayerLook], Null]:
    """Z of one layer's experts against its references and against those of a few other layers.

    The experts are read and looked at in portions, of which each is a look of its own; the first
    one tells the null. What is looked at next is read meanwhile: in the end the first portions of
    the layers and experts `after`.
    """
    sampler.begin(layer, count)
    scene = _Scene(sampler, layer, count, rules)
    looks: list[LayerLook] = []
    unlike: list[OpenExperts] = []
    null = Null([], [])
    portions = sampler.portions(layer, experts, count)
    sampler.promise(layer, experts, count)
    for one in after:
        sampler.promise(*one, count)
    following = [
        *((layer, some) for some in portions[1:]),
        *((one, sampler.portions(one, later, count)[0]) for one, later in after),
    ]
    for number, some in enumerate(portions):
        raw = sampler.targets(layer, some, count)
        for then in following[number : number + AHEAD]:
            sampler.expect(*then, count)
        look, opened = scene.look(some, without_nan(raw), null if not looks else None)
        if not looks and len(portions) > 1:
            scene.settle()
        sampler.related = bool(look.estimates)
        looks.append(look)
        unlike.append(opened)
    scene.settle()
    if rules.permuted_experts and not rules.same_model:
        chosen = _some_of(unlike, rules.permuted_experts)
        if len(chosen.experts):
            permuted = permuted_evidence(chosen, scene.tested(), scene.others, sampler.ahead)
            looks[-1] = replace(looks[-1], permuted=permuted)
    return looks, null


class _Scene:
    """What the experts of one layer are looked at beside: its references and a few other layers."""

    def __init__(self, sampler: Sampler, layer: int, count: int, rules: LookRules) -> None:
        self.sampler, self.layer, self.rows, self.rules = sampler, layer, count, rules
        self.references = sampler.references(layer, count)
        self.others = [
            sampler.references_apart(other, count) for other in sampler.null_layers(layer, count)
        ]
        self.numbers = np.asarray(sampler.reference.experts(layer), dtype=np.int64)
        self.few = len(self.numbers) <= MIN_POOL
        self.against = Against(
            self.numbers, self.references, tuple(self.others) if self.few else (), sampler.flips
        )

    @cached_property
    def apart(self) -> tuple[Preparation, Prepared] | None:
        """References of another layer, with what they have in common."""
        return self.others[0].uncentred if self.others else None

    def settle(self) -> None:
        """Let go of layers that told the null, where no other portion needs them."""
        if len(self.numbers) > _ALONE and self.apart is not None:
            self.others = []
            self.sampler.settle(self.layer, self.rows)

    def tested(self) -> Against:
        """What neurons are matched with once the signed tests are made; no look comes after it."""
        self.references = self.sampler.tested(self.layer, self.rows)
        self.against = replace(self.against, own=self.references)
        return self.against

    def look(
        self, experts: Ints, clean: Float32, null: Null | None
    ) -> tuple[LayerLook, OpenExperts]:
        """Z of some experts, `[experts, k, m]` rows without NaN; `null` takes what it is told.

        With them a few of those that stay open, to be matched neuron by neuron.
        """
        rules, references, others = self.rules, self.references, self.others
        dead = ~np.any(clean, axis=(1, 2))
        standard = standardised(clean)
        targets, prepared = _of_one_size(references.preparation.apply(standard), references)
        own = _own_places(experts, self.numbers, rules)
        z = np.where(own, 0.0, z_scores(targets, prepared))
        pools, unrelated = _off_layer(
            standard, dead, others, few=self.few, sampled=null is not None
        )
        if null is not None:
            null.signed.extend(unrelated)
        open_ = np.flatnonzero(~dead & (z.max(axis=1, initial=0.0) <= rules.clear_z))
        every = len(open_) == len(experts)
        raw = clean if every else clean[open_]
        opened = OpenExperts(self.layer, experts[open_], raw, rules.clear_z)
        flips, shifts = None, None
        if len(open_) and not rules.same_model:
            aligned = targets if every else targets.take(open_)
            shifts = shift_evidence(opened, aligned, self.against)
            if rules.with_flips and clean.shape[2] == references.raw.shape[2]:
                if null is not None:
                    null.flips.extend(self._null_flips(clean[~dead][:_NULL_FLIPS]))
                flips = flip_evidence(opened, self.against).likely()
        look = LayerLook(
            layer=self.layer,
            rows=clean.shape[1],
            neurons=clean.shape[2],
            experts=experts,
            references=self.numbers,
            z=z,
            pool=np.concatenate(pools, axis=1) if self.few and pools else None,
            copy=copy_z(targets, prepared),
            dead=dead,
            pairs=_contrast_pairs(
                targets, prepared, z, (clean, references.raw), floor=rules.clear_z - _HOLM_SLACK
            ),
            estimates=_estimates(self.sampler, self.layer, (experts, clean, z), references),
            flips=flips,
            shifts=shifts,
            permuted=None,
            common=_common(standard, open_, references, self.apart),
            nearest=_nearest(clean, z, self.numbers, references, rules.numbering),
        )
        return look, opened.some(rules.permuted_experts)

    def _null_flips(self, raw: Float32) -> list[Float64]:
        """Flips of a few experts against other layers: of one, or of as many as tell enough.

        First of the layer that was looked at before, whose flips are kept.
        """
        if self.few:
            return [flip_scores(raw, one) for one in self.against.pool_flips]
        least, most = _NULL_FLIP_TESTS
        tests = max(least, min(most, _ALL_NULL_FLIP_TESTS // len(self.sampler.layers)))
        some = raw[: -(-tests // len(self.numbers))]
        layers = -(-tests // max(1, len(some) * len(self.numbers)))
        return [flip_scores(some, self.sampler.flips(one)) for one in self.others[-layers:]]


def _some_of(parts: Sequence[OpenExperts], most: int) -> OpenExperts:
    """At most so many of experts that were seen in portions."""
    first = parts[0]
    experts = np.concatenate([one.experts for one in parts])
    raw = np.concatenate([one.raw for one in parts])
    return OpenExperts(first.layer, experts, raw, first.clear_z).some(most)


def _of_one_size(targets: Prepared, references: LayerReferences) -> tuple[Prepared, Prepared]:
    """Both sides with as many neurons as the larger has."""
    prepared = references.prepared
    size = max(targets.vectors.shape[2], prepared.vectors.shape[2])
    return padded(targets, size), padded(prepared, size)


def _own_places(experts: Ints, references: Ints, rules: LookRules) -> npt.NDArray[np.bool_]:
    """`[experts, R]`: where an expert meets itself."""
    return np.asarray((experts[:, None] == references) & rules.same_model)


def _off_layer(
    standard: Float32,
    dead: npt.NDArray[np.bool_],
    others: list[LayerReferences],
    *,
    few: bool,
    sampled: bool,
) -> tuple[list[Float64], list[Float64]]:
    """Z against references of other layers: of all targets where R is small, and of a sample."""
    sample = np.flatnonzero(~dead) if sampled else np.empty(0, dtype=np.int64)
    if not few and len(sample) > _NULL_TARGETS:
        sample = sample[:: -(-len(sample) // _NULL_TARGETS)]
    if not few and not sampled:
        return [], []
    chosen = np.arange(len(standard)) if few else sample
    pools = [
        z_scores(*_of_one_size(other.preparation.apply(standard[chosen]), other))
        for other in others
    ]
    return pools, [scores[np.isin(chosen, sample)] for scores in pools]


def _estimates(
    sampler: Sampler, layer: int, scored: tuple[Ints, Float32, Float64], references: LayerReferences
) -> EstimateTable:
    """What is left of the best reference, for experts that may be accepted."""
    experts, raw, z = scored
    near = np.flatnonzero(z.max(axis=1, initial=0.0) > ESTIMATE_Z)
    if not len(near) or raw.shape[2] != references.raw.shape[2]:
        return EstimateTable({})
    best = z[near].argmax(axis=1)
    numbers = np.asarray(sampler.reference.experts(layer), dtype=np.int64)[best]
    pairs = Resemblances(layer, experts[near], best, numbers, raw[near])
    found = estimate(sampler, pairs, references)
    return EstimateTable(dict(zip(pairs.experts.tolist(), found, strict=True)))


def _nearest(
    raw: Float32, z: Float64, numbers: Ints, references: LayerReferences, numbering: Numbering
) -> dict[int, list[Nearby]]:
    """By position: of each model the best reference that stands out, and the drift from it."""
    found: dict[int, list[Nearby]] = {}
    if not numbering.is_of_several or raw.shape[2] != references.raw.shape[2]:
        return found
    models = np.array([numbering.model(number) for number in numbers.tolist()])
    for model in np.unique(models):
        places = np.flatnonzero(models == model)
        best = places[z[:, places].argmax(axis=1)]
        near = np.flatnonzero(z[np.arange(len(z)), best] > ESTIMATE_Z)
        if not len(near):
            continue
        parents = references.raw[best[near]]
        neurons = neuron_pairs(raw[near], parents, references.preparation)
        fits = fit_signs(neurons, references.templates)
        for position, (fit, _) in zip(near.tolist(), fits, strict=True):
            place = best[position]
            one = Nearby(int(numbers[place]), float(z[position, place]), fit.sigma)
            found.setdefault(position, []).append(one)
    return found


def _common(
    standard: Float32,
    open_: Ints,
    references: LayerReferences,
    apart: tuple[Preparation, Prepared] | None,
) -> dict[int, float]:
    """By position: the median of z against references whose common part was left in.

    In contrast to the same against another layer, which neurons in order of size would lift alike.
    """
    if len(references.raw) < 2 or apart is None or not len(open_):
        return {}
    if standard.shape[2] != references.raw.shape[2]:
        return {}
    some = standard if len(open_) == len(standard) else standard[open_]
    medians = [
        np.median(z_scores(preparation.apply(some), prepared), axis=1)
        for preparation, prepared in (references.uncentred, apart)
    ]
    level = medians[0] - np.maximum(np.median(medians[1]), 0.0)
    return dict(zip(open_.tolist(), level.tolist(), strict=True))


def _contrast_pairs(
    targets: Prepared,
    references: Prepared,
    z: Float64,
    raw: tuple[Float32, PackedRows],
    *,
    floor: float,
) -> dict[int, list[Likeness]]:
    """Contrasts of the best reference with the next ones, where more than one stands out."""
    pairs = {}
    ours, theirs = raw
    floor = max(_PAIR_FLOOR, floor)
    sizes_agree = ours.shape[2] == theirs.shape[2]
    standing_out = (z > floor).sum(axis=1) > 1
    for target in np.flatnonzero(standing_out & sizes_agree).tolist():
        best, *others = np.argsort(-z[target])[:_PAIR_CANDIDATES].tolist()
        one = targets.take(np.array([target], dtype=np.int64))
        pairs[target] = [
            Likeness(
                pair_contrast(one, references, best, other),
                fit_blend(ours[target], theirs[best], theirs[other]),
            )
            for other in others
            if z[target, other] > floor
        ]
    return pairs
