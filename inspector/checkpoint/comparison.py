"""The weights of two checkpoints, read for a comparison: planned together, then compared."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from inspector.analysis.compare.aligned import aligned
from inspector.analysis.compare.files import SIDE_FILES, SideFiles
from inspector.analysis.compare.lineage import Kin, Lineage, kin_of, lineage
from inspector.analysis.compare.pairs import pairs_of
from inspector.analysis.compare.report import Side, Weighed
from inspector.analysis.compare.samples import Sample, sample_of
from inspector.analysis.compare.weight_diff import WeightRow, compare_pair
from inspector.analysis.plan import PlannedReads
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.counting import catalog_if_any, model_without_weights
from inspector.checkpoint.kin import kin_parts, kin_values
from inspector.checkpoint.reader import Part
from inspector.decode.device import CPU, Device, check_name
from inspector.errors import ObjectNotFound, UsageError
from inspector.source.pool import map_ordered

_PAIRS: Final = 4
"""Tensors of one kind that a sample compares, spread over layers and experts."""

_ROWS: Final = 16
"""Rows of each that a sample reads."""

_KIN_JOBS: Final = 2
"""Weights that tell of kinship read at a time on disk."""

_DEVICE_JOBS: Final = 4
"""Pairs that are compared on a device at a time: each takes some of its memory."""

Compare = Callable[[Sequence[Sample]], Iterable[WeightRow]]
"""Compares what samples say, in order."""

Once = Callable[[Callable[[], Lineage]], Lineage]
"""What a function gives, or gave before."""


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
    if catalog is not None:
        checkpoint.take_shapes()
    return Side(
        model=model_without_weights(checkpoint) if catalog is None else checkpoint.model,
        config=checkpoint.config,
        catalog=catalog,
        aligned=None if catalog is None else aligned(checkpoint.weights),
        files=SideFiles(*checkpoint.small_files(SIDE_FILES)),
    )


def check_device(name: str, *, full: bool) -> None:
    """Refuse what names no device, and a device where weights are not compared in full.

    Raises:
        UsageError: it does not, or they are not.
    """
    if name != CPU and not full:
        raise UsageError(
            "--device is for --full", hint="a sample is compared before a device is ready"
        )
    check_name(name)


class WeightComparison:
    """Pairs of weights of two checkpoints, and what of each is read."""

    def __init__(
        self,
        checkpoints: tuple[Checkpoint, Checkpoint],
        sides: tuple[Side, Side],
        *,
        full: bool,
        seed: int,
    ) -> None:
        self._checkpoints = checkpoints
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
        self.planned = [self._plan(one, side) for side, one in enumerate(checkpoints)]

    def read(
        self,
        compare: Compare | None = None,
        once: Once | None = None,
        device: Device | None = None,
    ) -> Weighed:
        """Compare all pairs, and test whether the models share a hidden basis.

        Args:
            compare: compares what the samples say; None for here and now, where neighbouring reads
                of all pairs are read together.
            once: gives the lineage where it was found before, else finds it as it is told.
            device: compares where `compare` is None; None for the processor.
        """
        self._settle()
        if compare is None:
            for side, checkpoint in enumerate(self._checkpoints):
                checkpoint.reader.expect([*self._sample_parts(side), *self._kin_parts(side)])
            rows = list(self._compare_here(device))
        else:
            rows = list(compare(self._samples))
            for side, checkpoint in enumerate(self._checkpoints):
                checkpoint.reader.expect(self._kin_parts(side))
        if not self._kin:
            return Weighed(rows, self._left_out, None)
        return Weighed(rows, self._left_out, once(self._lineage) if once else self._lineage())

    def _compare_here(self, device: Device | None) -> Iterable[WeightRow]:
        readers = self._checkpoints[0].reader, self._checkpoints[1].reader
        return map_ordered(
            lambda one: compare_pair(one, readers, device),
            self._samples,
            jobs=self._jobs if device is None else min(self._jobs, _DEVICE_JOBS),
        )

    def _settle(self) -> None:
        """Give packed weights their true shapes, and leave out pairs whose are unlike."""
        sides = [[(one.pair.model, one.pair.ref)[side] for one in self._samples] for side in (0, 1)]
        if not any(weight.states for weights in sides for weight in weights):
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

    @property
    def _jobs(self) -> int:
        is_remote = any(one.is_remote for one in self._checkpoints)
        return self._checkpoints[0].policy.jobs if is_remote else _KIN_JOBS

    def _plan(self, checkpoint: Checkpoint, side: int) -> PlannedReads:
        parts = [*self._sample_parts(side), *self._kin_parts(side)]
        reads = checkpoint.reader.plan(parts)
        what = (
            f"rows of {len(self._samples):,} weights, and {len(self._kin):,} norms, routers and "
            f"embeddings, of {checkpoint.source.location}"
        )
        return PlannedReads(
            what=what, requests=reads.requests, bytes=reads.bytes,
            is_estimate=any(part.is_estimate for part in parts),
        )  # fmt: skip

    def _sample_parts(self, side: int) -> list[Part]:
        return [part for sample in self._samples for part in parts_of_side(sample, side)]

    def _kin_parts(self, side: int) -> list[Part]:
        return kin_parts(self._kin, side)

    def _lineage(self) -> Lineage:
        read = map_ordered(
            lambda kin: kin_values(self._checkpoints, kin), self._kin, jobs=self._jobs
        )
        values = dict(zip(self._kin, read, strict=True))
        return lineage(self._kin, lambda one: values[one])


def parts_of_side(sample: Sample, side: int) -> list[Part]:
    """What a sample reads of the model, 0, or of the reference, 1."""
    weight = sample.weights()[side]
    return [Part(weight, start, stop) for start, stop in sample.parts]
