"""The signed test on models that were trained here: their nulls, and their real descendants."""

from collections.abc import Iterator

import numpy as np

from benchmarks.study.generator import Float32, Float64, bf16_values, fp8_codes
from benchmarks.study.outcome import Outcome, merged, null_outcome
from benchmarks.study.signed import least_of_both, needed_z, scores
from benchmarks.study.tasks import Parameters


def trained_models(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Train a family for `steps` steps, and test each of its models against the parent.

    Every block of `rows` rows of both layers is tested. The 16 references are too few for a
    contrast, so the pool has those of the other layer too, as in a run.
    """
    from benchmarks.study.trained import train_family  # here: nothing else needs torch

    family = train_family(int(rng.integers(2**31)), int(parameters["steps"]))
    rows = int(parameters["rows"])
    found = [
        Outcome(samples={f"{name} loss": [round(loss, 3)] for name, loss in family.losses.items()})
    ]
    for name, model in family.unrelated.items():
        for z, star in _tested(model, family.parent, rows):
            found.append(null_outcome(**{f"{name} z": z, f"{name} star": star}))
    for name, model in family.children.items():
        found += [_children(name, star, rows) for _, star in _tested(model, family.parent, rows)]
    return merged(found)


def _tested(model: Float32, parent: Float32, rows: int) -> Iterator[tuple[Float64, Float64]]:
    """Z and z* `[experts, references]` of each layer at each block of rows."""
    references = bf16_values(parent)
    codes = np.stack([fp8_codes(layer) for layer in model])
    for layer in range(len(references)):
        for start in range(0, references.shape[2], rows):
            targets = codes[layer, :, start : start + rows]
            theirs = references[:, :, start : start + rows]
            z = scores(targets, theirs[layer])
            others = np.delete(theirs, layer, axis=0)
            pool = np.concatenate([scores(targets, other) for other in others], axis=1)
            yield z, least_of_both(z, pool)


def _children(name: str, star: Float64, rows: int) -> Outcome:
    """How many children have their parent, e mod R, named; and z* of the wrong references."""
    experts = np.arange(len(star))
    parents = experts % star.shape[1]
    own = star[experts, parents]
    found = (star.argmax(axis=1) == parents) & (own > needed_z(rows))
    wrong = np.ones(star.shape, dtype=np.bool_)
    wrong[experts, parents] = False
    null = null_outcome(**{f"{name} star": star[wrong]})
    counts = {f"{name} children": len(star), f"{name} found": int(found.sum())}
    return Outcome(
        counts=null.counts | counts,
        histograms=null.histograms,
        samples={f"{name} own": np.round(own, 2).tolist()},
    )
