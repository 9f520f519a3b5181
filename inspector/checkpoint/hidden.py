"""Stage 0 of expert matching, read: norms, embedding rows and routers of two checkpoints."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec
import numpy as np

from inspector.analysis.compare.aligned import aligned_in
from inspector.analysis.compare.lineage import (
    NORMS,
    ROUTERS,
    Book,
    Kin,
    Sides,
    kin_of,
    kind_of,
)
from inspector.analysis.compare.pairs import weight_at
from inspector.analysis.hidden_basis import (
    STAGE_ZERO_BYTES,
    Experts,
    Gains,
    StageZero,
    basis_facts,
    untested,
)
from inspector.analysis.layer_pairing import LayerQuestion, pair_layers
from inspector.analysis.plan import PlannedReads
from inspector.analysis.report import Reads
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.kin import Checkpoints, kin_parts, kin_values, rows_of, whole
from inspector.checkpoint.reader import Part
from inspector.errors import LayoutError
from inspector.layout.layer_map import LayerMap
from inspector.layout.norms import gain_offset, mlp_norm
from inspector.layout.weights import Weight
from inspector.source.pool import map_ordered
from inspector.stats.shared_basis import Float64

Norms = Mapping[str, Mapping[int, Weight]]
"""By module and by layer: one side's norm weights."""

Parts = tuple[Sequence[Part], Sequence[Part]]
"""Of the model, and of the reference."""


class HiddenBasis:
    """What two checkpoints say of their hidden basis before an expert is read.

    `typed` is what was asked of the layers, None for nothing; `same_model` that both are one.
    """

    def __init__(
        self, target: Checkpoint, other: Checkpoint, typed: str | None, *, same_model: bool
    ) -> None:
        self._checkpoints: Checkpoints = (target, other)
        self._same_model = same_model
        self._sides: Sides = (_book(target), _book(other))
        layers = [one.weights.experts.layers for one in self._checkpoints]
        self._question = LayerQuestion(layers[0], layers[1], typed)
        ours, theirs = (_norms(side) for side in self._sides)
        self._norms = {
            name: (norms, theirs[name])
            for name, norms in ours.items()
            if name in theirs and _is_of_one_size([*norms.values(), *theirs[name].values()])
        }

    @property
    def is_open(self) -> bool:
        """Whether norms must be read before it is known which layers are compared."""
        return self._question.is_open

    def planned(self) -> PlannedReads:
        """What is read, layers as if each had the one of its number: norms may say otherwise."""
        if self._same_model:
            return PlannedReads(what="the hidden basis of one model", requests=0, bytes=0)
        reads = self._cost(_joined(self._layer_parts(), self._kin_parts(self._kin(None))))
        return PlannedReads(
            what="norms, embedding rows and routers, for the hidden basis",
            requests=reads.requests,
            bytes=reads.bytes,
            is_estimate=self._question.is_open,
        )

    def planned_gains(self) -> list[PlannedReads]:
        """What is read beside that where the basis is not seen, to look for a rotation of it."""
        if self._same_model:
            return []
        reads = self._cost(self._gain_parts(self.unread().layer_map.numbers))
        if not reads.requests:
            return []
        what = "norms before experts, where no basis in common is seen, at most"
        return [
            PlannedReads(
                what=what, requests=reads.requests, bytes=reads.bytes, is_estimate=True,
                is_bound=True,
            )
        ]  # fmt: skip

    def unread(self) -> StageZero:
        """What is known before a byte is read: what was typed of layers, and what reading takes.

        Raises:
            UsageError: what was typed means no pair of layers.
        """
        planned = self.planned()
        basis = untested(planned.requests, planned.bytes, same_model=self._same_model)
        return StageZero(basis, pair_layers(self._question, {}))

    def read(self) -> StageZero:
        """The map of layers, whether the basis is shared, and gains where it is not.

        Raises:
            UsageError: what was typed means no pair of layers.
        """
        if self._same_model:
            return self.unread()
        asked = self._layer_parts()
        read = [self._values(side, parts) for side, parts in enumerate(asked)]
        gains = {
            name: (_by_layer(ours, read[0]), _by_layer(theirs, read[1]))
            for name, (ours, theirs) in self._norms.items()
            if asked[0]
        }
        layers = pair_layers(self._question, gains)
        kin = self._kin(layers.numbers)
        for checkpoint, parts in zip(self._checkpoints, self._kin_parts(kin), strict=True):
            checkpoint.reader.expect(parts)
        values = map_ordered(lambda one: kin_values(self._checkpoints, one), kin, jobs=self._jobs)
        basis = basis_facts(list(zip(kin, values, strict=True)), self._experts(layers.numbers))
        wanted = self._gain_parts(layers.numbers) if basis.is_missing else ((), ())
        cost = self._cost(_joined(asked, self._kin_parts(kin), wanted))
        basis = msgspec.structs.replace(basis, requests=cost.requests, bytes=cost.bytes)
        return StageZero(basis, layers, self._gains(*wanted))

    def _kin(self, layer_map: LayerMap | None) -> list[Kin]:
        """What is compared; routers only as far as they are within the bytes of stage 0."""
        found = kin_of(self._sides, layer_map)
        while self._cost(self._kin_parts(found)).bytes > STAGE_ZERO_BYTES:
            routers = [one for one in found if one.kind == ROUTERS]
            if not routers:
                break
            found.remove(routers[len(routers) // 2])
        return found

    def _kin_parts(self, kin: Sequence[Kin]) -> Parts:
        return kin_parts(kin, 0), kin_parts(kin, 1)

    def _layer_parts(self) -> Parts:
        """All norms of the hidden size, where they are asked which layers belong together."""
        if not self._question.is_open:
            return [], []
        ours, theirs = (
            [whole(weight) for sides in self._norms.values() for weight in sides[side].values()]
            for side in (0, 1)
        )
        return ours, theirs

    def _gain_parts(self, layer_map: LayerMap) -> Parts:
        """The norms before the MLP of layers that are compared."""
        ours, theirs = self._mlp_norms()
        there = [(ours[a], theirs[b]) for a, b in layer_map.items() if a in ours and b in theirs]
        return [whole(one) for one, _ in there], [whole(other) for _, other in there]

    def _gains(self, left: Sequence[Part], right: Sequence[Part]) -> Gains:
        ours, theirs = (self._values(side, parts) for side, parts in enumerate((left, right)))
        numbers = {weight.name: layer for layer, weight in self._mlp_norms()[0].items()}
        types = [one.config.model_type if one.config else None for one in self._checkpoints]
        offset, ref_offset = map(gain_offset, types)
        return {
            numbers[one.weight.name]: (
                np.asarray(ours[one.weight.name] + offset, dtype=np.float32),
                np.asarray(theirs[other.weight.name] + ref_offset, dtype=np.float32),
            )
            for one, other in zip(left, right, strict=True)
        }

    def _mlp_norms(self) -> tuple[Mapping[int, Weight], Mapping[int, Weight]]:
        name = mlp_norm(self._norms)
        return ({}, {}) if name is None else self._norms[name]

    def _experts(self, layer_map: LayerMap) -> Experts:
        model, ref = (one.weights.experts for one in self._checkpoints)
        config = self._checkpoints[0].config
        return Experts(
            {layer: len(model.experts(layer)) for layer in layer_map},
            {layer: len(ref.experts(other)) for layer, other in layer_map.items()},
            config.router_groups if config else None,
        )

    def _cost(self, parts: Parts) -> Reads:
        reads = [one.reader.plan(some) for one, some in zip(self._checkpoints, parts, strict=True)]
        return Reads(
            requests=sum(one.requests for one in reads), bytes=sum(one.bytes for one in reads)
        )

    def _values(self, side: int, parts: Sequence[Part]) -> dict[str, Float64]:
        """Parts of one side by the names of their weights."""
        checkpoint = self._checkpoints[side]
        checkpoint.reader.expect(parts)
        read = map_ordered(lambda part: rows_of(checkpoint, part), parts, jobs=self._jobs)
        return {part.weight.name: values for part, values in zip(parts, read, strict=True)}

    @property
    def _jobs(self) -> int:
        remote = any(one.is_remote for one in self._checkpoints)
        return self._checkpoints[0].policy.jobs if remote else 2


def _book(checkpoint: Checkpoint) -> Book:
    book = checkpoint.weights
    return book, aligned_in(book, lambda label: kind_of(label) is not None)


def _norms(side: Book) -> Norms:
    book, labels = side
    found: dict[str, dict[int, Weight]] = {}
    for label, one in labels.items():
        module = label[2] if kind_of(label) == NORMS else None
        if module is None:
            continue
        for at, (layer,) in enumerate(one.numbers.tolist()):
            with suppress(LayoutError):
                found.setdefault(module, {})[layer] = weight_at(book, one, at)
    return found


def _is_of_one_size(weights: Sequence[Weight]) -> bool:
    return len({weight.shape for weight in weights}) == 1


def _by_layer(norms: Mapping[int, Weight], values: Mapping[str, Float64]) -> dict[int, Float64]:
    return {layer: values[weight.name] for layer, weight in norms.items()}


def _joined(*parts: Parts) -> Parts:
    return [p for one in parts for p in one[0]], [p for one in parts for p in one[1]]
