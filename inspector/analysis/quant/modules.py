"""The modules of a checkpoint as columns: what each is, and whether it is stored quantized.

A module is what holds a weight: `M` for `M.weight`, and a fused tensor of experts under its own
name. 145,532 modules of one model are some forty templates: what can be asked once a template is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.listing import number_ranges
from inspector.catalog import Catalog
from inspector.catalog.names import NameColumns, Rows, Template
from inspector.errors import LayoutError
from inspector.format.dtypes import Dtype
from inspector.layout.endings import Form
from inspector.layout.modules import QUANTIZABLE, ModuleKind, loaded_as, module_kind
from inspector.layout.sparse import why_unfit
from inspector.layout.stored import Kind, StoredWeights

Mask = npt.NDArray[np.bool_]
Members = npt.NDArray[np.int64]
"""Positions in the columns of `Modules`."""

_WEIGHT: Final = ".weight"
_NO_NUMBERS: Final = frozenset({Dtype.U8, Dtype.I8, Dtype.I32, Dtype.F4})
"""Dtypes that no layer computes with: its weights in one of them are packed codes."""

KINDS: Final = tuple(ModuleKind)


@dataclass(frozen=True)
class Modules:
    """Columns `[n]`, one entry a module, in the catalog's order.

    `rows` are of the catalog; `kind_ids` index `KINDS`; `storage_ids` index `storages`, the ways
    in which weights are stored; `quantized` says whether codes are stored.
    """

    weights: StoredWeights
    storages: tuple[Kind, ...]
    rows: Rows
    kind_ids: npt.NDArray[np.int8]
    storage_ids: npt.NDArray[np.int32]
    quantized: Mask

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def catalog(self) -> Catalog:
        return self.weights.catalog

    def names(self, *, chunk: int = 8192) -> Iterator[str]:
        """The names of the modules, in their order, made as they are needed."""
        catalog = self.catalog.names
        templates = tuple(map(_module_of, self.weights.pairing.weight_templates))
        columns = NameColumns(templates, catalog.template_ids, catalog.numbers)
        for start in range(0, len(self), chunk):
            yield from columns.texts(self.rows[start : start + chunk])

    @cached_property
    def units(self) -> tuple[list[tuple[str, ModuleKind]], npt.NDArray[np.int64]]:
        """The modules that loaders decide on, by name and kind, and which of them each is in."""
        found: dict[str, int] = {}
        kinds: list[ModuleKind] = []
        ids = np.empty(len(self), dtype=np.int64)
        for member, (name, kind) in enumerate(
            zip(self.names(), self.kind_ids.tolist(), strict=True)
        ):
            is_expert = KINDS[kind] is ModuleKind.EXPERTS
            unit = loaded_as(name) if is_expert else name
            ids[member] = at = found.setdefault(unit, len(found))
            if at == len(kinds):
                kinds.append(KINDS[kind])
        return list(zip(found, kinds, strict=True)), ids

    def of_kinds(self, kinds: frozenset[ModuleKind]) -> Mask:
        """Which modules are of these kinds."""
        return np.isin(self.kind_ids, [at for at, kind in enumerate(KINDS) if kind in kinds])

    def take(self, members: Members) -> "Modules":
        """Some of the modules, in their order, as columns of their own."""
        kept, storage_ids = np.unique(self.storage_ids[members], return_inverse=True)
        rows = self.rows[members]
        storages = []
        for at, storage_id in enumerate(kept.tolist()):
            storage, own = self.storages[storage_id], rows[storage_ids == at]
            if len(own) < len(storage.rows):
                kind = KINDS[self.kind_ids[members[storage_ids == at][0]]]
                storage = _of_module(self.weights.kind(own), kind)
            storages.append(storage)
        return Modules(
            weights=self.weights,
            storages=tuple(storages),
            rows=rows,
            kind_ids=self.kind_ids[members],
            storage_ids=storage_ids.astype(np.int32),
            quantized=self.quantized[members],
        )

    def sparse_misfit(self, member: int) -> bool:
        """Whether a module stores what is not zero, and its bitmask is not that of it."""
        row, pairing = int(self.rows[member]), self.weights.pairing
        if pairing.form(row) is not Form.SPARSE:
            return False
        parts = {part: self.catalog.row(at) for part, at in pairing.parts_of(row).items()}
        return why_unfit(self.catalog.row(row), parts) is not None

    @property
    def scales(self) -> Rows:
        """The row of the scale beside each module's weight, or `NOBODY`."""
        return self.weights.pairing.scales[self.rows]

    def by_template(self, members: Members) -> Iterator[tuple[Template, Members]]:
        """Some modules by the template of their weights' own names, in the order they come."""
        templates = self.weights.pairing.weight_templates
        ids = self.catalog.names.template_ids[self.rows[members]]
        _, first = np.unique(ids, return_index=True)
        for at in np.sort(first).tolist():
            yield templates[int(ids[at])], members[ids == ids[at]]

    def families(self, members: Members) -> Iterator[tuple[str, Members]]:
        """Some modules by family: a pattern with ranges for numbers, and which they are."""
        for template, some in self.by_template(members):
            yield self.pattern(some, _module_of(template)), some

    def pattern(self, members: Members, template: Template) -> str:
        """The names of modules of one template as one pattern."""
        columns = self.catalog.names.numbers[self.rows[members], : template.holes].T
        return template.fill([number_ranges(np.unique(column).tolist()) for column in columns])


def modules_of(weights: StoredWeights) -> Modules:
    """The modules of a checkpoint."""
    storages: list[Kind] = []
    rows, kind_ids, storage_ids, quantized = [], [], [], []
    names = weights.catalog.names
    for storage in weights.kinds():
        template = weights.pairing.weight_templates[int(names.template_ids[storage.rows[0]])]
        shape = storage.stored.shape if storage.stored else storage.example.shape
        kind = module_kind(template, len(shape))
        if not template.pieces[-1].endswith(_WEIGHT) and (
            kind is not ModuleKind.EXPERTS or len(shape) < 3
        ):
            continue
        storage = _of_module(storage, kind)
        is_coded = storage.stored is None or storage.stored.coded is not None
        rows.append(storage.rows)
        kind_ids.append(np.full(len(storage.rows), KINDS.index(kind), dtype=np.int8))
        storage_ids.append(np.full(len(storage.rows), len(storages), dtype=np.int32))
        quantized.append(np.full(len(storage.rows), is_coded, dtype=np.bool_))
        storages.append(storage)
    every = np.concatenate([np.empty(0, dtype=np.int64), *rows])
    order = np.argsort(every, kind="stable")
    return Modules(
        weights=weights,
        storages=tuple(storages),
        rows=every[order],
        kind_ids=np.concatenate([np.empty(0, dtype=np.int8), *kind_ids])[order],
        storage_ids=np.concatenate([np.empty(0, dtype=np.int32), *storage_ids])[order],
        quantized=np.concatenate([np.empty(0, dtype=np.bool_), *quantized])[order],
    )


def _of_module(storage: Kind, kind: ModuleKind) -> Kind:
    """The same, but that a layer's bytes without a scale are codes that lost it."""
    is_plain = storage.stored is not None and storage.stored.coded is None
    if not is_plain or kind not in QUANTIZABLE or storage.example.dtype not in _NO_NUMBERS:
        return storage
    example = storage.example
    lost = LayoutError(f"{example.name}: {example.dtype} codes without a scale")
    return replace(storage, stored=None, problem=lost)


def other_names(modules: Modules) -> set[str]:
    """Names that may be meant though they are no module's: of parameters, of modules' parents."""
    catalog = modules.catalog
    beside = np.setdiff1d(catalog.all_rows, modules.rows)
    is_weight = modules.weights.pairing.is_weight()
    parameters = set(catalog.texts(beside[is_weight[beside]]))
    found = set(parameters)
    for name in chain(parameters, modules.names()):
        above = name.rpartition(".")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition(".")[0]
    return found


def _module_of(template: Template) -> Template:
    """The template of the module that holds a weight."""
    *before, last = template.pieces
    return Template((*before, last.removesuffix(_WEIGHT)))
