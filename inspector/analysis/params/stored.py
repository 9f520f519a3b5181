"""Parameters as the headers store them: logical numbers, scales and buffers apart. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from inspector.analysis.params.architecture import Architecture
from inspector.analysis.params.parts import NUMBER, Apart, Part, part_of
from inspector.analysis.params.terms import (
    Component,
    ComponentCount,
    Conventions,
    Counts,
    counted,
)
from inspector.catalog import Catalog
from inspector.config import ModelConfig
from inspector.layout.declared import declared_by
from inspector.layout.stored import value_counts


class ApartCount(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored and is no parameter: scales, or buffers."""

    kind: str
    tensors: int
    elements: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the headers hold.

    `by_module` has the numbers of each component by module label, for naming differences.
    """

    rows: tuple[ComponentCount, ...]
    apart: tuple[ApartCount, ...]
    by_module: Mapping[Component, Mapping[str, int]]

    def counts(self, conventions: Conventions) -> Counts:
        """The sums by component."""
        return counted(self.rows, conventions)


@dataclass(slots=True)
class _Sums:
    parameters: dict[Component, int] = field(default_factory=lambda: defaultdict(int))
    bytes: dict[Component, int] = field(default_factory=lambda: defaultdict(int))
    modules: dict[Component, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    apart: dict[Apart, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))


def stored_in(catalog: Catalog, config: ModelConfig | None, model: Architecture | None) -> Stored:
    """The parameters of a catalog by component; `model` says what a token activates of them."""
    names, sums = catalog.names, _Sums()
    labels = [template.fill([NUMBER] * template.holes) for template in names.templates]
    layers = model.text.layers if model and model.text.mtp_modules else None
    values = value_counts(catalog, lambda: declared_by(config.quantization if config else None))
    sizes = catalog.sizes(catalog.all_rows)
    order = np.argsort(names.template_ids, kind="stable")
    edges = np.searchsorted(names.template_ids[order], np.arange(len(labels) + 1))
    for index, (template, label) in enumerate(zip(names.templates, labels, strict=True)):
        part = part_of(template)
        rows = order[edges[index] : edges[index + 1]]
        beyond = _beyond(part, names.numbers[rows], layers)
        for component, some in ((part.component, rows[~beyond]), (Component.MTP, rows[beyond])):
            found = len(some), int(values[some].sum()), int(sizes[some].sum())
            _add(sums, part.apart, component, label, found)
    return Stored(
        rows=tuple(_row(sums, component, model) for component in Component),
        apart=tuple(
            ApartCount(kind=kind, tensors=n[0], elements=n[1], bytes=n[2])
            for kind, n in sums.apart.items()
            if n[0]
        ),
        by_module=sums.modules,
    )


def _beyond(part: Part, numbers: np.ndarray, layers: int | None) -> np.ndarray:
    """Which rows are of a layer past the model's last: the modules for further tokens."""
    if layers is None or part.layer_hole is None:
        return np.zeros(len(numbers), dtype=np.bool_)
    past: np.ndarray = numbers[:, part.layer_hole] >= layers
    return past


def _add(
    sums: _Sums, apart: Apart | None, component: Component, label: str, found: tuple[int, int, int]
) -> None:
    tensors, elements, size = found
    if apart is not None:
        for position, number in enumerate((tensors, elements, size)):
            sums.apart[apart][position] += number
        return
    sums.parameters[component] += elements
    sums.bytes[component] += size
    if elements:
        sums.modules[component][label] += elements


def _row(sums: _Sums, component: Component, model: Architecture | None) -> ComponentCount:
    parameters = sums.parameters[component]
    experts = model.text.experts if model else None
    activated = parameters
    if component is Component.EXPERTS and experts:
        activated = parameters * min(experts.per_token, experts.count) // experts.count
    return ComponentCount(
        component=component.value,
        parameters=parameters,
        activated=activated,
        bytes=sums.bytes[component],
    )
