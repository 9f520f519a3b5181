"""The weights of two checkpoints, read for a comparison: planned together, then compared."""

from dataclasses import replace
from typing import Final

import numpy as np

from inspector.analysis.compare.aligned import aligned
from inspector.analysis.compare.files import SIDE_FILES, SideFiles
from inspector.analysis.compare.lineage import Kin, Lineage, kin_of, lineage
from inspector.analysis.compare.pairs import pairs_of
from inspector.analysis.compare.report import Side, Weighed
from inspector.analysis.compare.samples import Sample, sample_of
from inspector.analysis.compare.weight_diff import compare_pair
from inspector.analysis.plan import PlannedReads
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.counting import catalog_if_any, model_without_weights
from inspector.checkpoint.kin import kin_parts, kin_values
from inspector.checkpoint.reader import Part
from inspector.errors import ObjectNotFound
from inspector.source.pool import map_ordered

_PAIRS: Final = 4
"""Tensors of one kind that a sample compares, spread over layers and experts."""

_ROWS: Final = 16
"""Rows of each that a sample reads."""

_FULL_JOBS: Final = 2
"""Weights compared at a time where each is read whole: some 300 MB each."""


def sides_of(model: Checkpoint, ref: Checkpoint, *, config_only: bool) -> tuple[Side, Side]:
    """What is known of each; with `config_only` no header is read.

    Raises:
        ObjectNotFound: one has neither weights nor a config.
    """
    return _side(model, config_only=config_only), _side(ref, config_only=config_only)


def _side(checkpoint: Checkpoint, *, config_only: bool) -> Side:
    catalog = None if config_only else catalog_if_any(checkpoint)
    if catalog is None and checkpoint.config is None:
        raise ObjectNotFound(f"{checkpoint.source.location}: no config.json")
    return Side(
        model=model_without_weights(checkpoint) if catalog is None else checkpoint.model,
        config=checkpoint.config,
        catalog=catalog,
        aligned=None if catalog is None else aligned(checkpoint.weights),
        files=SideFiles(*checkpoint.small_files(SIDE_FILES)),
    )


class WeightComparison:
    """Pairs of weights of two checkpoints, and what of each is read.

    Neighbouring reads of all pairs are announced when this is made, and are then read together.
    """

    def __init__(
        self,
        checkpoints: tuple[Checkpoint, Checkpoint],
        sides: tuple[Side, Side],
        *,
        full: bool,
        seed: int,
    ) -> None:
        self._checkpoints = checkpoints
        self._full = full
        left, right = (side.aligned for side in sides)
        self._samples: list[Sample] = []
        self._kin: list[Kin] = []
        self._left_out: list[str] = []
        if left is not None and right is not None:
            books = (checkpoints[0].weights, left), (checkpoints[1].weights, right)
            paired = pairs_of(*books, most=None if full else _PAIRS)
            rng = np.random.default_rng(seed)
            rows = None if full else _ROWS
            self._samples = [sample_of(pair, rng, rows=rows) for pair in paired.pairs]
            self._left_out = paired.left_out
            self._kin = kin_of(books)
        self.planned = [self._announce(one, side) for side, one in enumerate(checkpoints)]

    def read(self) -> Weighed:
        """Compare all pairs, and test whether the models share a hidden basis."""
        readers = self._checkpoints[0].reader, self._checkpoints[1].reader
        self._settle()
        rows = map_ordered(lambda one: compare_pair(one, readers), self._samples, jobs=self._jobs)
        return Weighed(list(rows), self._left_out, self._lineage() if self._kin else None)

    def _settle(self) -> None:
        """Give packed weights their true shapes, and leave out pairs whose are unlike."""
        sides = [[(one.pair.model, one.pair.ref)[side] for one in self._samples] for side in (0, 1)]
        if all(weight.shape_tensor is None for weights in sides for weight in weights):
            return
        model, ref = (
            checkpoint.reader.settle(weights)
            for checkpoint, weights in zip(self._checkpoints, sides, strict=True)
        )
        samples, self._samples = self._samples, []
        for sample, one, other in zip(samples, model, ref, strict=True):
            if one.shape[1:] == other.shape[1:]:
                pair = replace(sample.pair, model=one, ref=other)
                self._samples.append(replace(sample, pair=pair))
            else:
                self._left_out.append(sample.pair.name)
        for side, checkpoint in enumerate(self._checkpoints):
            self._announce(checkpoint, side)

    @property
    def _jobs(self) -> int:
        is_remote = any(one.is_remote for one in self._checkpoints)
        return self._checkpoints[0].policy.jobs if is_remote and not self._full else _FULL_JOBS

    def _announce(self, checkpoint: Checkpoint, side: int) -> PlannedReads:
        parts = [
            Part(sample.weights()[side], start, stop)
            for sample in self._samples
            for start, stop in sample.parts
        ]
        parts += kin_parts(self._kin, side)
        reads = checkpoint.reader.expect(parts)
        what = (
            f"rows of {len(self._samples):,} weights, and {len(self._kin):,} norms, routers and "
            f"embeddings, of {checkpoint.source.location}"
        )
        return PlannedReads(what=what, requests=reads.requests, bytes=reads.bytes)

    def _lineage(self) -> Lineage:
        read = map_ordered(
            lambda kin: kin_values(self._checkpoints, kin), self._kin, jobs=self._jobs
        )
        values = dict(zip(self._kin, read, strict=True))
        return lineage(self._kin, lambda one: values[one])
