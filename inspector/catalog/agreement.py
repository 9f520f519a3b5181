"""Where a checkpoint's index, its headers and its files disagree: problems, not exceptions."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from inspector.catalog.table import Catalog
from inspector.errors import Place, Problem
from inspector.format.index import Index
from inspector.format.rules import problem


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


def check_index(catalog: Catalog, index: Index, files: Mapping[str, int]) -> list[Problem]:
    """What the index says against what the headers hold and which files there are.

    Args:
        catalog: of every shard that could be read.
        index: the parsed index.
        files: the `.safetensors` files that exist, with their sizes.
    """
    named = set(index.weight_map.values())
    found = _check_files(index, named, set(files))
    as_placed, elsewhere, unplaced = set(), {}, {}
    for row in catalog.rows(catalog.all_rows):
        placed = index.weight_map.get(row.name)
        if placed == row.shard:
            as_placed.add(row.name)
        elif placed is None:
            unplaced[row.name] = row.shard
        else:
            elsewhere[row.name] = row.shard
    readable = set(catalog.shards)
    for name, shard in index.weight_map.items():
        if shard in readable and name not in as_placed:
            found.append(
                problem(
                    "index_tensor_absent", Place(shard=shard, tensor=name),
                    "the index places a tensor in a shard that lacks it",
                    expected=f"in {shard}",
                    found=f"in {elsewhere[name]}" if name in elsewhere else "nowhere",
                )
            )  # fmt: skip
    found.extend(
        problem(
            "tensor_not_in_index", Place(shard=shard, tensor=name),
            "a shard holds a tensor that the index does not name",
            expected="an entry in the weight_map", found="none",
        )
        for name, shard in unplaced.items()
    )  # fmt: skip
    total = int(catalog.sizes(catalog.all_rows).sum())
    if index.total_size is not None and set(catalog.shards) == named and index.total_size != total:
        found.append(
            problem(
                "total_size_mismatch", Place(shard=index.file),
                "metadata.total_size is not the sum of the tensors",
                expected=total, found=index.total_size,
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
