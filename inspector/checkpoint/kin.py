"""Norms, routers and embeddings of two checkpoints, read side by side."""

from collections.abc import Sequence

import numpy as np

from inspector.analysis.compare.lineage import Kin, kin_rows
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.reader import Part
from inspector.layout.weights import Weight
from inspector.stats.shared_basis import Float64

Checkpoints = tuple[Checkpoint, Checkpoint]


def kin_parts(kin: Sequence[Kin], side: int) -> list[Part]:
    """What of the weights of one side is read; 0 is the model, 1 the reference."""
    related = [(one, (one.model, one.ref)[side]) for one in kin]
    return [Part(weight, *kin_rows(one, weight)) for one, weight in related]


def kin_values(checkpoints: Checkpoints, kin: Kin) -> tuple[Float64, Float64]:
    """Both sides' rows, decoded."""
    model, ref = checkpoints
    ours, theirs = kin.model, kin.ref
    return (
        rows_of(model, Part(ours, *kin_rows(kin, ours))),
        rows_of(ref, Part(theirs, *kin_rows(kin, theirs))),
    )


def rows_of(checkpoint: Checkpoint, part: Part) -> Float64:
    """Rows of a weight, `[rows, ...]`."""
    weight = checkpoint.reader.settled(part.weight)
    pieces = checkpoint.reader.iterate_rows(weight, part.start, part.stop)
    return np.concatenate([piece.values.astype(np.float64) for piece in pieces])


def whole(weight: Weight) -> Part:
    """All rows of a weight."""
    return Part(weight, 0, weight.rows)
