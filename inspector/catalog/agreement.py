"""Where a checkpoint's index, its headers and its files disagree: problems, not exceptions."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.catalog.table import Catalog
from inspector.errors import Place, Problem
from inspector.format.index import Index, is_safe_shard
from inspector.format.rules import problem

_CHUNK: Final = 8192
"""Names that are made at a time."""

_SERIES: Final = re.compile(r"(.+-)(\d{1,9})(-of-)(\d{1,9})(\.safetensors)")
"""`model-00001-of-000163.safetensors`: the two numbers need not be equally wide."""


def check_across_shards(catalog: Catalog) -> list[Problem]:
    """Tensors that more than one shard holds; equal names are neighbours in a catalog."""
    ids, numbers = catalog.names.template_ids, catalog.names.numbers
    same = (ids[1:] == ids[:-1]) & (numbers[1:] == numbers[:-1]).all(axis=1)
    found = []
    for second in (np.flatnonzero(same) + 1).tolist():
        first, again = catalog.row(second - 1), catalog.row(second)
        found.append(
            problem(
                "duplicate_tensor_across_shards", Place(shard=again.shard, tensor=again.name),
                "two shards hold a tensor of this name",
                expected=f"only in {first.shard}", found=f"in {again.shard} too",
            )
        )  # fmt: skip
    return found


def check_index(
    catalog: Catalog,
    index: Index,
    files: Collection[str],
    *,
    unsound: Collection[str] = (),
) -> list[Problem]:
    """What the index says against what the headers hold and which files there are.

    Args:
        catalog: of every shard that could be read.
        index: the parsed index.
        files: the `.safetensors` files that exist.
        unsound: shards whose tensors or sizes are in doubt; the total is then not judged.
    """
    all_named = set(index.weight_map.values())
    named = {name for name in all_named if is_safe_shard(name)}
    # A name that leaves the checkpoint may be meant for any file that no other name is of.
    found = _check_files(index, named, set(files) if named == all_named else named & set(files))
    as_placed = np.zeros(len(catalog), dtype=np.bool_)
    elsewhere, unplaced = {}, []
    for row, name, shard in _names_and_shards(catalog):
        placed = index.weight_map.get(name)
        if placed == shard:
            as_placed[row] = True
        elif placed is None:
            unplaced.append((name, shard))
        else:
            elsewhere[name] = shard
    absent = _check_placed(catalog, index, as_placed, elsewhere)
    found += absent
    found.extend(
        problem(
            "tensor_not_in_index", Place(shard=shard, tensor=name),
            "a shard holds a tensor that the index does not name",
            expected="an entry in the weight_map", found="none",
        )
        for name, shard in unplaced
    )  # fmt: skip
    if not absent and set(catalog.shards) == named and named.isdisjoint(unsound):
        found += _check_total(catalog, index, as_placed)
    return found


def _names_and_shards(catalog: Catalog) -> Iterator[tuple[int, str, str]]:
    """Row, name and shard of every tensor; less work than whole rows."""
    every = catalog.all_rows
    for begin in range(0, len(catalog), _CHUNK):
        rows = every[begin : begin + _CHUNK]
        shards = [catalog.shards[shard] for shard in catalog.shard_ids[rows].tolist()]
        yield from zip(rows.tolist(), catalog.names.texts(rows), shards, strict=True)


def _check_placed(
    catalog: Catalog, index: Index, as_placed: npt.NDArray[np.bool_], elsewhere: Mapping[str, str]
) -> list[Problem]:
    """Tensors that are not where the index places them; of shards that could not be read, none."""
    readable = set(catalog.shards)
    expected = sum(shard in readable for shard in index.weight_map.values())
    if expected == np.count_nonzero(as_placed):
        return []
    there = set(catalog.names.texts(np.flatnonzero(as_placed)))
    return [
        problem(
            "index_tensor_absent", Place(shard=shard, tensor=name),
            "the index places a tensor in a shard that lacks it",
            expected=f"in {shard}",
            found=f"in {elsewhere[name]}" if name in elsewhere else "nowhere",
        )
        for name, shard in index.weight_map.items()
        if shard in readable and name not in there
    ]  # fmt: skip


def _check_total(catalog: Catalog, index: Index, as_placed: npt.NDArray[np.bool_]) -> list[Problem]:
    """A total that is neither the sum of all tensors nor that of those the index knows.

    The second is right too where a shard has more: that is a finding by itself.
    """
    sizes = catalog.sizes(catalog.all_rows)
    total, placed = int(sizes.sum()), int(sizes[as_placed].sum())
    if index.total_size in (None, total, placed):
        return []
    return [
        problem(
            "total_size_mismatch", Place(shard=index.file),
            "metadata.total_size is not the sum of the tensors",
            expected=total, found=index.total_size,
        )
    ]  # fmt: skip


def check_series(files: Collection[str]) -> list[Problem]:
    """Shards that the names of others count and that are not there; all there is without an index.

    Names are a habit and no rule: with an index, they are not looked at.
    """
    series: dict[tuple[str, int], dict[int, str]] = {}
    for file in sorted(files):
        match = _SERIES.fullmatch(file)
        if match:
            series.setdefault((match[1], int(match[4])), {})[int(match[2])] = file
    found = []
    for (_, count), there in series.items():
        if len(there) >= count:
            continue
        first = 0 if 0 in there else 1
        gap = next(number for number in range(first, first + count) if number not in there)
        match = _SERIES.fullmatch(next(iter(there.values())))
        if match is not None:
            absent = f"{match[1]}{gap:0{len(match[2])}}{match[3]}{match[4]}{match[5]}"
            found.append(
                problem(
                    "incomplete_series", Place(shard=absent),
                    "the names of the files count more of them",
                    expected=f"{count:,} files", found=f"{len(there):,}",
                )
            )  # fmt: skip
    return found


def _check_files(index: Index, named: set[str], present: set[str]) -> list[Problem]:
    counts = Counter(index.weight_map.values())
    found = [
        problem(
            "missing_shard", Place(shard=shard), f"the index places {counts[shard]} tensors here",
            expected="the file", found="no such file",
        )
        for shard in sorted(named - present)
    ]  # fmt: skip
    found.extend(
        problem(
            "shard_not_in_index", Place(shard=shard), "no tensor of the index is in this file",
            expected="a shard named by the index", found="not named",
        )
        for shard in sorted(present - named)
    )  # fmt: skip
    return found
