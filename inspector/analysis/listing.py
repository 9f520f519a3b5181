"""What is in a checkpoint: totals, collapsed groups, sums by dtype, layer, module or shard."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from inspector.analysis.report import Document
from inspector.catalog import Catalog, TensorRow
from inspector.catalog.names import Rows
from inspector.layout.names import ModulePath, Role, Tower, module_path

Values = npt.NDArray[np.int64]
"""`[n]`: how many numbers each tensor of a catalog holds."""


class DtypeTotal(msgspec.Struct, frozen=True):
    """Tensors, elements and bytes of one dtype."""

    tensors: int
    count: int
    bytes: int


class Totals(msgspec.Struct, frozen=True):
    """Totals of a selection.

    `parameters` counts numbers, packed ones one by one, and leaves out scales; `by_dtype` counts
    elements as they are stored and leaves out nothing.
    """

    tensors: int
    parameters: int
    bytes: int
    by_dtype: dict[str, DtypeTotal]


class ListingDocument(Document, frozen=True, kw_only=True):
    """`s1inspect list-tensors --json`."""

    totals: Totals
    tensors: list[TensorRow]


class Group(msgspec.Struct, frozen=True):
    """Tensors alike but for their numbers: one line for many.

    `name` has ranges for numbers; `tensors` of `expected` are there, fewer where some are missing.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    tensors: int
    expected: int
    count: int
    bytes: int


class Bucket(msgspec.Struct, frozen=True):
    """Totals of the tensors that share a layer, a module, a shard or a dtype."""

    key: str
    tensors: int
    parameters: int
    bytes: int


class Grouping(StrEnum):
    """What `buckets` groups by."""

    DTYPE = "dtype"
    LAYER = "layer"
    MODULE = "module"
    SHARD = "shard"


@dataclass(frozen=True, slots=True)
class Listing:
    """A selection of a catalog's rows, in the order they are to be shown.

    `values` is of all the catalog's rows: how many numbers each tensor holds.
    """

    catalog: Catalog
    rows: Rows
    values: Values
    totals: Totals


def list_tensors(catalog: Catalog, rows: Rows, values: Values) -> Listing:
    """The listing of some rows of a catalog."""
    return Listing(catalog, rows, values, totals(catalog, rows, values))


def totals(catalog: Catalog, rows: Rows, values: Values) -> Totals:
    """Totals of some rows."""
    counts, sizes = catalog.counts(rows), catalog.sizes(rows)
    dtypes = catalog.dtype_ids[rows]
    by_dtype = {}
    for index, dtype in enumerate(catalog.dtypes):
        here = dtypes == index
        if here.any():
            by_dtype[str(dtype)] = DtypeTotal(
                int(here.sum()), int(counts[here].sum()), int(sizes[here].sum())
            )
    parameters = int(values[rows[~_is_scale(catalog)[rows]]].sum())
    ordered = dict(sorted(by_dtype.items(), key=lambda item: -item[1].bytes))
    return Totals(len(rows), parameters, int(sizes.sum()), ordered)


def collapse(listing: Listing) -> list[Group]:
    """Tensors with the same letters, dtype and shape as one group each, in natural order."""
    catalog, rows = listing.catalog, listing.rows
    names = catalog.names
    key = (
        names.template_ids[rows].astype(np.int64) * len(catalog.shapes) + catalog.shape_ids[rows]
    ) * len(catalog.dtypes) + catalog.dtype_ids[rows]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    counts, sizes = catalog.counts(rows), catalog.sizes(rows)
    groups = []
    for group in np.argsort(first, kind="stable").tolist():
        members = np.flatnonzero(inverse == group)
        row = int(rows[members[0]])
        template = names.templates[names.template_ids[row]]
        columns = names.numbers[rows[members]][:, : template.holes].T
        values = [np.unique(column) for column in columns]
        labels = [number_ranges(column.tolist()) for column in values]
        groups.append(
            Group(
                name=template.fill(labels),
                dtype=str(catalog.dtypes[catalog.dtype_ids[row]]),
                shape=catalog.shapes[catalog.shape_ids[row]],
                tensors=len(members),
                expected=int(np.prod([len(column) for column in values], dtype=np.int64)),
                count=int(counts[members].sum()),
                bytes=int(sizes[members].sum()),
            )
        )
    return groups


def number_ranges(numbers: list[int]) -> str:
    """Sorted numbers as a pattern that `select` reads back.

    >>> number_ranges([3]), number_ranges([0, 1, 2]), number_ranges([0, 1, 2, 7])
    ('3', '{0..2}', '{0..2,7}')
    """
    if len(numbers) == 1:
        return str(numbers[0])
    breaks = [i for i, (one, two) in enumerate(pairwise(numbers), 1) if two != one + 1]
    runs = [numbers[a:b] for a, b in pairwise([0, *breaks, len(numbers)])]
    words = [str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs]
    return f"{{{','.join(words)}}}"


def buckets(listing: Listing, by: Grouping) -> list[Bucket]:
    """Totals by dtype, layer, module or shard; layers and modules in natural order."""
    keys, labels = _BUCKET_KEYS[by](listing)
    catalog, rows = listing.catalog, listing.rows
    values, sizes = listing.values[rows], catalog.sizes(rows)
    weights = ~_is_scale(catalog)[rows]
    size = len(labels)
    tensors = np.bincount(keys, minlength=size)
    parameters = _sums(keys, values * weights, size)
    stored = _sums(keys, sizes, size)
    return [
        Bucket(label, int(tensors[i]), int(parameters[i]), int(stored[i]))
        for i, label in enumerate(labels)
        if tensors[i]
    ]


Keys = tuple[npt.NDArray[np.int64], list[str]]


def _by_dtype(listing: Listing) -> Keys:
    catalog = listing.catalog
    return catalog.dtype_ids[listing.rows].astype(np.int64), [
        str(dtype) for dtype in catalog.dtypes
    ]


def _by_shard(listing: Listing) -> Keys:
    return listing.catalog.shard_ids[listing.rows].astype(np.int64), list(listing.catalog.shards)


def _by_layer(listing: Listing) -> Keys:
    names = listing.catalog.names
    ids = names.template_ids[listing.rows]
    keys = np.zeros(len(listing.rows), dtype=np.int64)
    labels: dict[tuple[str, int], int] = {("(no layer)", 0): 0}
    for template_id, path in enumerate(_paths(listing.catalog)):
        here = np.flatnonzero(ids == template_id)
        if path.layer_hole is None or not len(here):
            continue
        layers = names.numbers[listing.rows[here], path.layer_hole]
        for layer in np.unique(layers).tolist():
            number = labels.setdefault((str(path.tower), layer), len(labels))
            keys[here[layers == layer]] = number
    order = sorted(labels, key=lambda label: (label[0] == "(no layer)", label))
    position = np.empty(len(labels), dtype=np.int64)
    for index, label in enumerate(order):
        position[labels[label]] = index
    texts = [tower if tower == "(no layer)" else f"{tower} {layer}" for tower, layer in order]
    return position[keys], texts


def _by_module(listing: Listing) -> Keys:
    names = listing.catalog.names
    first_row = np.full(len(names.templates), len(names), dtype=np.int64)
    np.minimum.at(first_row, names.template_ids, np.arange(len(names)))
    modules: dict[str, int] = {}
    of_template = np.empty(len(names.templates), dtype=np.int64)
    for template_id in np.argsort(first_row, kind="stable").tolist():
        template = names.templates[template_id]
        module = template.fill(["#"] * template.holes).rpartition(".")[0] or "(top)"
        of_template[template_id] = modules.setdefault(module, len(modules))
    return of_template[names.template_ids[listing.rows]], list(modules)


_BUCKET_KEYS: Final = MappingProxyType[Grouping, Callable[[Listing], Keys]](
    {
        Grouping.DTYPE: _by_dtype,
        Grouping.LAYER: _by_layer,
        Grouping.MODULE: _by_module,
        Grouping.SHARD: _by_shard,
    }
)


def in_layers_and_experts(
    catalog: Catalog, rows: Rows, layers: frozenset[int] | None, experts: frozenset[int] | None
) -> Rows:
    """The rows of the language model's `layers`, and of these the named `experts`."""
    if layers is None and experts is None:
        return rows
    names = catalog.names
    keep = np.zeros(len(catalog), dtype=np.bool_)
    for template_id, path in enumerate(_paths(catalog)):
        here = np.flatnonzero(names.template_ids == template_id)
        mask = np.ones(len(here), dtype=np.bool_)
        if layers is not None:
            if path.layer_hole is None or path.tower is not Tower.LANGUAGE:
                continue
            mask &= np.isin(names.numbers[here, path.layer_hole], list(layers))
        if experts is not None:
            if path.expert_hole is None:
                continue
            mask &= np.isin(names.numbers[here, path.expert_hole], list(experts))
        keep[here[mask]] = True
    return rows[keep[rows]]


def _paths(catalog: Catalog) -> list[ModulePath]:
    return [module_path(template) for template in catalog.names.templates]


def _is_scale(catalog: Catalog) -> npt.NDArray[np.bool_]:
    of_template = np.array([path.role is Role.SCALE for path in _paths(catalog)], dtype=np.bool_)
    return of_template[catalog.names.template_ids]


def _sums(
    keys: npt.NDArray[np.int64], values: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.int64]:
    """Exact sums by key: integers, never through float."""
    result = np.zeros(size, dtype=np.int64)
    np.add.at(result, keys, values)
    return result
