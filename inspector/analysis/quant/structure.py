"""Scales against weights by headers: missing, left over, of another shape, elsewhere. Pure."""

from collections.abc import Iterator, Sequence

import numpy as np

from inspector.analysis.listing import number_ranges
from inspector.analysis.quant.modules import Members, Modules
from inspector.analysis.quant.rules import finding
from inspector.catalog.names import Rows
from inspector.errors import LayoutError, Problem
from inspector.layout.endings import companion_of
from inspector.layout.experts import ExpertKey
from inspector.layout.pairing import NOBODY
from inspector.layout.scales import Matrix
from inspector.layout.stored import Kind, Stored
from inspector.layout.weights import Weight, WeightBook
from inspector.layout.windows import Window

Example = Weight | LayoutError | None
"""One weight of a storage: as it is decoded, or why it cannot be; None where it holds no codes."""


def examples_of(modules: Modules, book: WeightBook) -> list[Example]:
    """An example of each storage."""
    return [_example(storage, book) for storage in modules.storages]


def check_structure(
    modules: Modules, examples: Sequence[Example], orphans: Rows
) -> Iterator[Problem]:
    """Findings on scales that headers tell; `orphans` are rows of those without a weight."""
    for at, example in enumerate(examples):
        if isinstance(example, LayoutError):
            members = np.flatnonzero(modules.storage_ids == at)
            storage = modules.storages[at]
            if storage.is_decoded:
                yield _unfit(modules, storage, members, example)
            else:
                yield _not_decoded(modules, members, example)
    yield from _orphans(modules, orphans)
    yield from _elsewhere(modules)


def _example(storage: Kind, book: WeightBook) -> Example:
    if storage.stored is None:
        return storage.problem
    is_sparse = storage.stored.is_sparse
    if storage.stored.coded is None and not is_sparse:
        return None
    try:
        if len(storage.stored.shape) != 3 or is_sparse:
            return next(book.stored_weights(storage.rows[:1]))
        inside = [book.expert(key) for key in matrices_in(book, int(storage.rows[0]))[:2]]
    except LayoutError as error:
        return error
    return inside[0] if inside else _unfit_by_either_order(storage.stored, book, storage.rows)


def _unfit_by_either_order(stored: Stored, book: WeightBook, rows: Rows) -> LayoutError | None:
    """Why the scale of experts whose axes cannot be told does not fit, whichever the axes are."""
    pages, height, width = stored.shape
    misfit = None
    for transposed in (False, True) if book.experts.keys_in(int(rows[0])) else ():
        page = Window(0, pages, (height, width), (0, height), (0, width), transposed=transposed)
        try:
            book.in_store.grids(stored, Matrix(stored.name, page.shape, page))
        except LayoutError as error:
            misfit = error
        else:
            return None
    return misfit


def matrices_in(book: WeightBook, row: int) -> list[ExpertKey]:
    """The matrices of a fused tensor; none where its axes cannot be told apart."""
    keys = book.experts.keys_in(row)
    try:
        for key in keys[:2]:
            book.experts.find(key)
    except LayoutError:
        return []
    return keys


def _unfit(modules: Modules, storage: Kind, members: Members, misfit: LayoutError) -> Problem:
    (pattern, _), *_ = modules.families(members)
    if modules.sparse_misfit(int(members[0])):
        return finding(
            "code_places", pattern, str(misfit),
            expected="a bitmask, and what stands beside it, of as many rows and columns",
            found=f"another for {len(members):,}",
        )  # fmt: skip
    scale = modules.scales[members[0]]
    if scale == NOBODY:
        return finding(
            "missing_scale", pattern, f"{storage.example.dtype} codes without a scale",
            expected="a scale beside each weight", found=f"none for {len(members):,}",
        )  # fmt: skip
    tensor = modules.catalog.row(int(scale))
    return finding(
        "scale_shape", pattern, str(misfit),
        expected=f"scales that tile {list(storage.example.shape)}",
        found=f"{tensor.dtype} {list(tensor.shape)} x{len(members):,}",
    )  # fmt: skip


def _not_decoded(modules: Modules, members: Members, reason: LayoutError) -> Problem:
    (pattern, _), *_ = modules.families(members)
    return finding(
        "not_decoded", pattern, str(reason),
        expected="a scheme that is decoded", found=f"another for {len(members):,}",
    )  # fmt: skip


def _orphans(modules: Modules, rows: Rows) -> Iterator[Problem]:
    """One finding for the parts of a weight: a scale, a second one, a zero point."""
    names = modules.catalog.names
    ids = names.template_ids[rows]
    seen: set[tuple[str, ...]] = set()
    for template_id in np.unique(ids).tolist():
        template = names.templates[template_id]
        some = rows[ids == template_id]
        end = template.pieces[-1]
        of_module = min(
            (own for _, own, _ in companion_of(end)), key=len, default=end.rpartition(".")[0]
        )
        modules_of_some = tuple(
            name.removesuffix(end) + of_module for name in modules.catalog.texts(some)
        )
        if modules_of_some in seen:
            continue
        seen.add(modules_of_some)
        columns = names.numbers[some, : template.holes].T
        pattern = template.fill([number_ranges(np.unique(one).tolist()) for one in columns])
        yield finding(
            "orphan_scale", pattern, "a scale without a weight beside it",
            expected="a weight of the same module", found=f"none for {len(some):,}",
        )  # fmt: skip


def _elsewhere(modules: Modules) -> Iterator[Problem]:
    """One finding for all: whatever split the shards did it to all of them."""
    scales = modules.scales
    shards = modules.catalog.shard_ids
    members = np.flatnonzero(scales != NOBODY)
    apart = members[shards[modules.rows[members]] != shards[scales[members]]]
    if not len(apart):
        return
    (pattern, _), *more = modules.families(apart)
    others = f" and of {len(more):,} more families" if more else ""
    yield finding(
        "scale_in_other_shard", pattern, f"scales of these{others} lie in another shard",
        expected="in the shard of the weight", found=f"elsewhere for {len(apart):,}",
    )  # fmt: skip
