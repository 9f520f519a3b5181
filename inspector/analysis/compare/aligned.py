"""Tensors by what they are in the model, not by what their file calls them. Pure.

Names are aligned across the prefixes of wrappers (`model.`, `model.language_model.`), and experts
across layouts: one fused tensor a layer is the matrices it holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from inspector.analysis.params.parts import NUMBER, Apart, part_of
from inspector.catalog.names import Rows, Template
from inspector.errors import LayoutError
from inspector.layout.experts import ExpertKey
from inspector.layout.families import EXPERT_GRAMMARS, ExpertGrammar, Projection
from inspector.layout.names import Tower, module_path
from inspector.layout.pairing import NOBODY
from inspector.layout.weights import WeightBook

Label = tuple[str | None, ...]
"""The components of a name, None where a number stands."""

_WRAPPERS: Final = frozenset({"model", "language_model", "text_model", "transformer", "module"})
_VISION_WRAPPERS: Final = _WRAPPERS | {"visual", "vision_tower", "vision_model"}
_VISION: Final = "visual"


class Kind(NamedTuple):
    """What a tensor is: the shape of its values as a module's, its dtype, its scale's, layout."""

    shape: tuple[int, ...]
    dtype: str
    scale: str | None
    fused: bool


@dataclass(frozen=True, slots=True)
class Aligned:
    """Tensors of one label: the numbers of each, `[n, holes]`, and what each is.

    `rows` is `[n]`, the catalog's row that holds each. For experts, `projection` says which of
    their matrices these are, or their biases, and `prefix` what stands before their layers in the
    file.
    """

    numbers: npt.NDArray[np.int64]
    kinds: tuple[Kind, ...]
    kind_ids: npt.NDArray[np.int64]
    rows: Rows
    prefix: str | None
    projection: Projection | None
    is_bias: bool = False


def aligned(book: WeightBook) -> dict[Label, Aligned]:
    """All tensors but scales by label, in the catalog's order."""
    return aligned_in(book, lambda label: True)


def aligned_in(book: WeightBook, is_wanted: Callable[[Label], bool]) -> dict[Label, Aligned]:
    """The same of the labels that are wanted; that of an expert names its projection."""
    parts: dict[Label, list[Aligned]] = {}
    names, columns = book.catalog.names, _Columns(book)
    for index in dict.fromkeys(names.template_ids.tolist()):
        if part_of(names.templates[index]).apart is Apart.SCALES:
            continue
        template = columns.book.in_store.pairing.weight_templates[index]
        grammar, prefix, projections = _expert(template)
        own = [_expert_label(one) for one in projections] or [label_of(template)]
        if not any(is_wanted(label) for label in own):
            continue
        rows = np.flatnonzero(names.template_ids == index)
        if grammar is not None and grammar.fused:
            for projection in projections:
                found = _fused(columns, rows, prefix, projection, is_bias=grammar.bias)
                key = _expert_label(projection, is_bias=grammar.bias)
                parts.setdefault(key, []).append(found)
        else:
            one = projections[0] if grammar else None
            key = _expert_label(one) if one else label_of(template)
            found = _plain(columns, rows, template.holes)
            parts.setdefault(key, []).append(replace(found, prefix=prefix, projection=one))
    return {label: _joined(found) for label, found in parts.items()}


class _Columns:
    """What is told of the tensors of a checkpoint by row: the shapes of their values, scales."""

    def __init__(self, book: WeightBook) -> None:
        self.book = book
        self.catalog = book.catalog
        self._values = book.in_store.shapes()
        self._scales = book.in_store.pairing.scales

    def stored(self, rows: Rows) -> npt.NDArray[np.int64]:
        """`[n, 3]`: for some rows a number for the shape, for the dtype, for that of the scale."""
        scales, dtypes = self._scales[rows], self.catalog.dtype_ids.astype(np.int64)
        beside = np.where(scales == NOBODY, NOBODY, dtypes[scales])
        return np.stack([self._values.ids[rows], dtypes[rows], beside], axis=1)

    def kind(self, shape: int, dtype: int, scale: int) -> Kind:
        """What such numbers stand for, as a tensor of its own."""
        dtypes = self.catalog.dtypes
        beside = None if scale == NOBODY else str(dtypes[scale])
        return Kind(self._values.shapes[shape], str(dtypes[dtype]), beside, fused=False)


def label_of(template: Template) -> Label:
    """The components of a template without the wrappers that a family puts before them."""
    words = list(template.components())
    is_vision = module_path(template).tower is Tower.VISION
    wrappers = _VISION_WRAPPERS if is_vision else _WRAPPERS
    while len(words) > 1 and words[0] in wrappers:
        words.pop(0)
    return (_VISION, *words) if is_vision else tuple(words)


def _expert(template: Template) -> tuple[ExpertGrammar | None, str, tuple[Projection, ...]]:
    label = template.fill([NUMBER] * template.holes)
    for grammar in EXPERT_GRAMMARS:
        found = grammar.match(label)
        if found is not None and template.holes == (1 if grammar.fused else 2):
            prefix, projections = found
            if not set(prefix.split(".")) - _WRAPPERS - {""}:
                return grammar, prefix, projections
    return None, "", ()


def _expert_label(projection: Projection, *, is_bias: bool = False) -> Label:
    kind = "bias" if is_bias else "weight"
    return ("layers", None, "mlp", "experts", None, str(projection), kind)


def _plain(columns: _Columns, rows: Rows, holes: int) -> Aligned:
    """Tensors that are a module's each."""
    distinct, kind_ids = np.unique(columns.stored(rows), axis=0, return_inverse=True)
    kinds = tuple(columns.kind(*one) for one in distinct.tolist())
    numbers = columns.catalog.names.numbers[rows][:, :holes].astype(np.int64)
    return Aligned(numbers, kinds, kind_ids.reshape(-1), rows, None, None)


def _fused(
    columns: _Columns, rows: Rows, prefix: str, projection: Projection, *, is_bias: bool
) -> Aligned:
    """The matrices of one projection inside fused tensors: a row an expert of each layer."""
    kinds: dict[Kind, int] = {}
    numbers, kind_ids, held = [], [], []
    axes = 2 if is_bias else 3
    layers = columns.catalog.names.numbers[rows, 0].tolist()
    for row, layer, stored in zip(
        rows.tolist(), layers, columns.stored(rows).tolist(), strict=True
    ):
        whole = columns.kind(*stored)
        count = whole.shape[0] if len(whole.shape) == axes else 1
        try:
            key = ExpertKey(layer, 0, projection, prefix, is_bias)
            shape = columns.book.experts.find(key).shape
        except LayoutError:
            shape = whole.shape[1:]
        kind = kinds.setdefault(whole._replace(shape=shape, fused=True), len(kinds))
        numbers.append(np.stack([np.full(count, layer), np.arange(count)], axis=1))
        kind_ids.append(np.full(count, kind))
        held.append(np.full(count, row))
    return Aligned(
        np.concatenate(numbers),
        tuple(kinds),
        np.concatenate(kind_ids),
        np.concatenate(held),
        prefix,
        projection,
        is_bias,
    )


def _joined(found: list[Aligned]) -> Aligned:
    if len(found) == 1:
        return found[0]
    kinds: dict[Kind, int] = {}
    ids = []
    for one in found:
        mapping = np.array([kinds.setdefault(kind, len(kinds)) for kind in one.kinds])
        ids.append(mapping[one.kind_ids])
    return replace(
        found[0],
        numbers=np.concatenate([one.numbers for one in found]),
        kinds=tuple(kinds),
        kind_ids=np.concatenate(ids),
        rows=np.concatenate([one.rows for one in found]),
    )
