"""Which modules an audit is asked about: layers of the language model, and experts in them. Pure.

What is left out still tells of what is not: whether a list's entry is dead, and what a layer's like
is in the others, are asked of the whole checkpoint.
"""

from dataclasses import dataclass

import numpy as np

from inspector.analysis.listing import in_layers_and_experts, number_ranges
from inspector.analysis.quant.modules import KINDS, Members, Modules
from inspector.catalog import Catalog
from inspector.catalog.names import Rows
from inspector.layout.modules import ModuleKind


@dataclass(frozen=True, slots=True)
class Chosen:
    """Numbers of layers and of experts; None is all of them."""

    layers: frozenset[int] | None = None
    experts: frozenset[int] | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.layers is None and self.experts is None

    def __str__(self) -> str:
        """As it is said: `layers 0..3, expert 7`."""
        parts = (("layer", self.layers), ("expert", self.experts))
        return ", ".join(
            f"{word}{'s' * (len(numbers) != 1)} {_said(sorted(numbers))}"
            for word, numbers in parts
            if numbers is not None
        )

    def rows(self, catalog: Catalog, rows: Rows) -> Rows:
        """Those of some rows that are in the layers, and of the experts, by their names."""
        return in_layers_and_experts(catalog, rows, self.layers, self.experts)

    def members(self, modules: Modules) -> Members:
        """The modules that are chosen; one that holds all experts of its layer is, by its layer."""
        by_name = self.rows(modules.catalog, modules.rows)
        if self.experts is not None:
            in_layers = in_layers_and_experts(modules.catalog, modules.rows, self.layers, None)
            fused = [_is_fused(modules, at) for at in range(len(modules.storages))]
            with_all = modules.rows[np.array(fused, dtype=np.bool_)[modules.storage_ids]]
            by_name = np.union1d(by_name, np.intersect1d(in_layers, with_all))
        return np.flatnonzero(np.isin(modules.rows, by_name))


def _said(numbers: list[int]) -> str:
    return number_ranges(numbers).strip("{}") if numbers else "none"


def _is_fused(modules: Modules, storage_id: int) -> bool:
    storage = modules.storages[storage_id]
    first = int(np.flatnonzero(modules.storage_ids == storage_id)[0])
    shape = storage.stored.shape if storage.stored else storage.example.shape
    return KINDS[modules.kind_ids[first]] is ModuleKind.EXPERTS and len(shape) == 3
