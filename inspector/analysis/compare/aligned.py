"""Tensors by what they are in the model, not by what their file calls them. Pure.

Names are aligned across the prefixes of wrappers (`model.`, `model.language_model.`), and experts
across layouts: one fused tensor a layer is the matrices it holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from inspector.analysis.params.parts import NUMBER, Apart, part_of
from inspector.catalog import Catalog
from inspector.catalog.names import Rows, Template
from inspector.config import ModelConfig
from inspector.errors import LayoutError
from inspector.layout.experts import ExpertKey
from inspector.layout.families import EXPERT_GRAMMARS, ExpertGrammar, Projection
from inspector.layout.names import Tower, module_path
from inspector.layout.weights import WeightBook

Label = tuple[str | None, ...]
"""The components of a name, None where a number stands."""

_WRAPPERS: Final = frozenset({"model", "language_model", "text_model", "transformer", "module"})
_VISION_WRAPPERS: Final = _WRAPPERS | {"visual", "vision_tower", "vision_model"}
_VISION: Final = "visual"
_WEIGHT_ENDINGS: Final = frozenset({"weight_packed"})
_CODES: Final = "qweight"
"""Last component of codes that stand below the weight's own name, with a scale beside them."""

_SCALES: Final = ("_scale_inv", "_scale", "_scale_2")


class Kind(NamedTuple):
    """What a tensor is: its shape as a module of its own, its dtype, that of its scales, layout."""

    shape: tuple[int, ...]
    dtype: str
    scale: str | None
    fused: bool


@dataclass(frozen=True, slots=True)
class Aligned:
    """Tensors of one label: the numbers of each, `[n, holes]`, and what each is.

    `rows` is `[n]`, the catalog's row that holds each. For experts, `projection` says which of
    their matrices these are, and `prefix` what stands before their layers in the file.
    """

    numbers: npt.NDArray[np.int64]
    kinds: tuple[Kind, ...]
    kind_ids: npt.NDArray[np.int64]
    rows: Rows
    prefix: str | None
    projection: Projection | None


def aligned(catalog: Catalog, config: ModelConfig | None) -> dict[Label, Aligned]:
    """All tensors but scales by label, in the catalog's order."""
    parts: dict[Label, list[Aligned]] = {}
    book = WeightBook(catalog, config)
    names = catalog.names
    labels = [template.fill([NUMBER] * template.holes) for template in names.templates]
    rows_of = {label: np.flatnonzero(names.template_ids == i) for i, label in enumerate(labels)}
    for index in dict.fromkeys(names.template_ids.tolist()):
        template, label = names.templates[index], labels[index]
        if part_of(template).apart is Apart.SCALES:
            continue
        scale = _scale_dtype(catalog, rows_of, label)
        rows = rows_of[label]
        grammar, prefix, projections = _expert(label, template)
        if grammar is not None and grammar.fused:
            for projection in projections:
                found = _fused(book, rows, prefix, projection, scale)
                parts.setdefault(_expert_label(projection), []).append(found)
        else:
            one = projections[0] if grammar else None
            key = _expert_label(one) if one else label_of(template)
            found = _plain(catalog, rows, template.holes, scale)
            parts.setdefault(key, []).append(replace(found, prefix=prefix, projection=one))
    return {label: _joined(found) for label, found in parts.items()}


def label_of(template: Template) -> Label:
    """The components of a template without the wrappers that a family puts before them."""
    words = list(template.components())
    is_vision = module_path(template).tower is Tower.VISION
    wrappers = _VISION_WRAPPERS if is_vision else _WRAPPERS
    while len(words) > 1 and words[0] in wrappers:
        words.pop(0)
    if words[-1] in _WEIGHT_ENDINGS:
        words[-1] = "weight"
    if words[-1] == _CODES and len(words) > 1:
        words.pop()
    return (_VISION, *words) if is_vision else tuple(words)


def _expert(
    label: str, template: Template
) -> tuple[ExpertGrammar | None, str, tuple[Projection, ...]]:
    for grammar in EXPERT_GRAMMARS:
        found = grammar.match(label)
        if found is not None and template.holes == (1 if grammar.fused else 2):
            prefix, projections = found
            if not set(prefix.split(".")) - _WRAPPERS - {""}:
                return grammar, prefix, projections
    return None, "", ()


def _expert_label(projection: Projection) -> Label:
    return ("layers", None, "mlp", "experts", None, str(projection), "weight")


def _plain(catalog: Catalog, rows: Rows, holes: int, scale: str | None) -> Aligned:
    """Stored tensors as they are."""
    pairs = np.stack([catalog.shape_ids[rows], catalog.dtype_ids[rows].astype(np.int32)], axis=1)
    distinct, kind_ids = np.unique(pairs, axis=0, return_inverse=True)
    kinds = tuple(
        Kind(catalog.shapes[shape], str(catalog.dtypes[dtype]), scale, fused=False)
        for shape, dtype in distinct.tolist()
    )
    numbers = catalog.names.numbers[rows][:, :holes].astype(np.int64)
    return Aligned(numbers, kinds, kind_ids.reshape(-1), rows, None, None)


def _fused(
    book: WeightBook, rows: Rows, prefix: str, projection: Projection, scale: str | None
) -> Aligned:
    """The matrices of one projection inside fused tensors: a row an expert of each layer."""
    kinds: dict[Kind, int] = {}
    numbers, kind_ids, held = [], [], []
    for row in rows.tolist():
        tensor = book.catalog.row(row)
        layer = int(book.catalog.names.numbers[row, 0])
        count = tensor.shape[0] if len(tensor.shape) == 3 else 1
        try:
            shape = book.experts.find(ExpertKey(layer, 0, projection, prefix)).shape
        except LayoutError:
            shape = tensor.shape[1:]
        kind = kinds.setdefault(Kind(shape, str(tensor.dtype), scale, fused=True), len(kinds))
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
    )


def _scale_dtype(catalog: Catalog, rows_of: dict[str, Rows], label: str) -> str | None:
    """The dtype of the scales that stand beside the tensors of a label, None without any."""
    for candidate in _scale_labels(label):
        rows = rows_of.get(candidate)
        if rows is not None and len(rows):
            return str(catalog.dtypes[catalog.dtype_ids[int(rows[0])]])
    return None


def _scale_labels(label: str) -> Iterator[str]:
    base = label.removesuffix("_packed")
    for ending in _SCALES:
        yield base + ending
    yield label.removesuffix(".weight").removesuffix(f".{_CODES}") + ".scale"
    yield label.removesuffix("_blocks") + "_scales"


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
