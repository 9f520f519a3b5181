"""References to test against, and experts that share everything with them but ancestry.

Two worlds: the generator, and slices of real MiniLM layers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from benchmarks.study.generator import Float32, bf16_values, draw_layer
from benchmarks.study.minilm import BLOCK, minilm_slices
from benchmarks.study.operators import neuron_orders, permuted
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


def make_scene(parameters: Parameters, rng: np.random.Generator) -> Scene:
    """The scene of the `world` that a task names: the generator, where it names none."""
    return WORLDS[str(parameters.get("world", "simulated"))](parameters, rng)


def simulated_scene(parameters: Parameters, rng: np.random.Generator) -> Scene:
    """A layer of the generator, from `rows`, `neurons` and `references`."""
    layer = draw_layer(int(parameters["rows"]), int(parameters["neurons"]), rng)
    return Scene(bf16_values(layer.draw(int(parameters["references"]), rng)), layer.draw)


def minilm_scene(parameters: Parameters, rng: np.random.Generator) -> Scene:
    """Half of MiniLM's slices as references, at `rows` rows of one block; the rest are fresh.

    All layers of MiniLM write to one residual stream, so slices of any two are siblings. The first
    slices of a draw are distinct and in the order of neurons that training left; when they run out
    they are repeated in other orders.
    """
    rows = int(parameters["rows"])
    slices = minilm_slices()
    block = BLOCK * rng.integers(slices.shape[1] // BLOCK)
    start = block + rng.integers(BLOCK - rows + 1)
    order = rng.permutation(len(slices))
    sampled = slices[order, start : start + rows]
    references, others = np.array_split(sampled, 2)

    def fresh(count: int, rng: np.random.Generator) -> Float32:
        rounds = -(-count // len(others))
        chosen = np.concatenate([rng.permutation(len(others)) for _ in range(rounds)])
        drawn = others[chosen[:count]]
        repeated = drawn[len(others) :]
        orders = neuron_orders(len(repeated), repeated.shape[2], rng)
        return np.concatenate([drawn[: len(others)], permuted(repeated, orders)])

    return Scene(bf16_values(references), fresh)


WORLDS: Mapping[str, Callable[[Parameters, np.random.Generator], Scene]] = MappingProxyType(
    {"simulated": simulated_scene, "minilm": minilm_scene}
)
"""Where experts come from, by the name that a task gives it."""
