"""References to test against, and experts that share everything with them but ancestry.

Three worlds: the generator, slices of real MiniLM layers, and small models trained here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.study.generator import Float32, bf16_values, draw_layer
from benchmarks.study.tasks import Parameters

Draw = Callable[[int, np.random.Generator], Float32]


@dataclass(frozen=True, slots=True)
class Scene:
    """One layer: `references` `[R, k, m]` as a BF16 checkpoint holds them.

    `fresh` draws experts of the same layer that descend from no reference.
    """

    references: Float32
    fresh: Draw

    @property
    def neurons(self) -> int:
        return int(self.references.shape[2])


def simulated_scene(parameters: Parameters, rng: np.random.Generator) -> Scene:
    """A layer of the generator, from `rows`, `neurons` and `references`."""
    layer = draw_layer(int(parameters["rows"]), int(parameters["neurons"]), rng)
    return Scene(bf16_values(layer.draw(int(parameters["references"]), rng)), layer.draw)
