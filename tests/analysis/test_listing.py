import re
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.analysis.listing import (
    Grouping,
    Listing,
    buckets,
    collapse,
    in_layers_and_experts,
    list_tensors,
    number_ranges,
)
from inspector.catalog import Catalog, TensorRow
from inspector.catalog.names import Rows
from inspector.checkpoint import open_checkpoint
from inspector.config import ModelConfig
from inspector.layout.declared import Declared, declared_by
from inspector.layout.select import select
from inspector.layout.stored import value_counts
from tests.analysis.params.counting import catalog_of, config_of
from tests.strategies_arrays import SAMPLES, memory_checkpoint

MODELS = ["s1-pro-mini", "qwen3-mini", "qwen3-vl-mini", "s1-pro-mini-e8m0"]


@pytest.fixture(scope="module", params=MODELS)
def catalog(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    with open_checkpoint(str(SAMPLES / str(request.param))) as checkpoint:
        yield checkpoint.catalog


def rows_of(catalog: Catalog) -> list[TensorRow]:
    return list(catalog.rows(catalog.all_rows))


def listed(catalog: Catalog, rows: Rows, config: ModelConfig | None = None) -> Listing:
    return list_tensors(
        catalog,
        rows,
        value_counts(catalog, lambda: declared_by(config.quantization if config else None)),
    )


def whole(catalog: Catalog) -> Listing:
    return listed(catalog, catalog.all_rows)


def is_scale(row: TensorRow) -> bool:
    return row.name.endswith("_scale_inv")


def layer_of(row: TensorRow) -> str:
    found = re.search(r"\.(?:layers|blocks)\.(\d+)\.", row.name)
    if found is None:
        return "(no layer)"
    return f"{'vision' if 'visual' in row.name else 'language'} {found[1]}"


def module_of(row: TensorRow) -> str:
    label = re.sub(r"(?<=\.)\d+(?=\.)", "#", row.name)
    return label.rpartition(".")[0] or "(top)"


KEYS: dict[Grouping, Callable[[TensorRow], str]] = {
    Grouping.DTYPE: lambda row: str(row.dtype),
    Grouping.SHARD: lambda row: row.shard,
    Grouping.LAYER: layer_of,
    Grouping.MODULE: module_of,
}


def natural(key: str) -> tuple[bool, list[tuple[bool, int, str]]]:
    """Numbers by value and before words; what has no layer comes last."""
    parts = re.split(r"[. ]", key)
    return key.startswith("("), [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts
    ]


def test_totals_are_sums_over_rows(catalog: Catalog) -> None:
    rows = rows_of(catalog)
    found = whole(catalog).totals
    assert rows
    assert (found.tensors, found.bytes) == (len(rows), sum(row.bytes for row in rows))
    assert found.parameters == sum(row.count for row in rows if not is_scale(row))
    for dtype, total in found.by_dtype.items():
        here = [row for row in rows if row.dtype == dtype]
        assert (total.tensors, total.count, total.bytes) == (
            len(here), sum(row.count for row in here), sum(row.bytes for row in here),
        )  # fmt: skip
    assert sum(total.tensors for total in found.by_dtype.values()) == len(rows)
    sizes = [total.bytes for total in found.by_dtype.values()]
    assert sizes == sorted(sizes, reverse=True)


def test_totals_are_of_the_rows_selected(catalog: Catalog) -> None:
    chosen = catalog.all_rows[1::3]
    rows = [row for index, row in enumerate(rows_of(catalog)) if index % 3 == 1]
    found = listed(catalog, chosen).totals
    assert (found.tensors, found.bytes) == (len(rows), sum(row.bytes for row in rows))


def test_totals_of_nothing_are_zero(catalog: Catalog) -> None:
    found = listed(catalog, catalog.all_rows[:0])
    assert (found.totals.tensors, found.totals.parameters, found.totals.by_dtype) == (0, 0, {})
    assert collapse(found) == []
    assert all(buckets(found, by) == [] for by in Grouping)


@pytest.mark.parametrize("by", Grouping)
def test_buckets_are_sums_over_rows(catalog: Catalog, by: Grouping) -> None:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows_of(catalog):
        one = sums[KEYS[by](row)]
        one[0] += 1
        one[1] += 0 if is_scale(row) else row.count
        one[2] += row.bytes
    found = buckets(whole(catalog), by)
    assert {one.key: [one.tensors, one.parameters, one.bytes] for one in found} == sums


@pytest.mark.parametrize("by", [Grouping.LAYER, Grouping.MODULE, Grouping.SHARD])
def test_buckets_are_in_natural_order(catalog: Catalog, by: Grouping) -> None:
    keys = [one.key for one in buckets(whole(catalog), by)]
    assert keys == sorted(keys, key=natural)


def test_groups_hold_every_row_once(catalog: Catalog) -> None:
    alike: dict[tuple[str, str, tuple[int, ...]], list[TensorRow]] = defaultdict(list)
    for row in rows_of(catalog):
        label = re.sub(r"(?<![^.])\d+(?![^.])", "#", row.name)
        alike[label, str(row.dtype), row.shape].append(row)
    found = collapse(whole(catalog))
    assert len(found) == len(alike)
    for group, rows in zip(found, alike.values(), strict=True):
        assert (group.dtype, group.shape) == (str(rows[0].dtype), rows[0].shape)
        assert (group.tensors, group.count, group.bytes) == (
            len(rows), sum(row.count for row in rows), sum(row.bytes for row in rows),
        )  # fmt: skip


def test_the_name_of_a_group_selects_its_tensors(catalog: Catalog) -> None:
    rows = rows_of(catalog)
    for group in collapse(whole(catalog)):
        found = [rows[row] for row in select(catalog.names, group.name)]
        same = [r for r in found if (str(r.dtype), r.shape) == (group.dtype, group.shape)]
        assert len(same) == group.tensors


def test_missing_tensors_of_a_group_are_counted() -> None:
    tensors = {
        f"layers.{layer}.experts.{expert}.w": np.zeros(2, np.float32)
        for layer in range(3)
        for expert in (0, 1, 2, 7)
        if (layer, expert) != (1, 2)
    }
    checkpoint, _ = memory_checkpoint(tensors)
    (group,) = collapse(whole(checkpoint.catalog))
    assert group.name == "layers.{0..2}.experts.{0..2,7}.w"
    assert (group.tensors, group.expected) == (11, 12)


@given(st.sets(st.integers(0, 40), min_size=1))
def test_ranges_of_numbers_are_read_back(numbers: set[int]) -> None:
    names = {f"layers.{number}.w": np.zeros(1, np.float32) for number in range(41)}
    catalog = memory_checkpoint(names)[0].catalog
    pattern = f"layers.{number_ranges(sorted(numbers))}.w"
    found = {
        int(name.split(".")[1]) for name in catalog.names.texts(select(catalog.names, pattern))
    }
    assert found == numbers


@pytest.mark.parametrize("layers", [None, {0}, {1, 5}])
@pytest.mark.parametrize("experts", [None, {0, 3}, {99}])
def test_layers_and_experts_are_those_of_the_language_model(
    catalog: Catalog, layers: set[int] | None, experts: set[int] | None
) -> None:
    def is_wanted(row: TensorRow) -> bool:
        layer = layer_of(row)
        expert = re.search(r"\.experts\.(\d+)\.", row.name)
        if layers is not None and layer not in {f"language {number}" for number in layers}:
            return False
        return experts is None or (expert is not None and int(expert[1]) in experts)

    found = in_layers_and_experts(
        catalog,
        catalog.all_rows,
        None if layers is None else frozenset(layers),
        None if experts is None else frozenset(experts),
    )
    assert [row.name for row in catalog.rows(found)] == [
        row.name for row in rows_of(catalog) if is_wanted(row)
    ]


PACKED = {
    "MXFP4": [("{}.weight", "I8", [64, 32]), ("{}.scale", "F8_E8M0", [64, 2])],
    "NVFP4": [
        ("{}.weight", "U8", [64, 32]), ("{}.weight_scale", "F8_E4M3", [64, 4]),
        ("{}.weight_scale_2", "F32", []),
    ],
    "integers": [
        ("{}.weight_packed", "I32", [64, 8]), ("{}.weight_scale", "BF16", [64, 2]),
        ("{}.weight_shape", "I64", [2]),
    ],
    "GPTQ": [
        ("{}.qweight", "I32", [8, 64]), ("{}.qzeros", "I32", [1, 8]), ("{}.scales", "F16", [1, 64]),
        ("{}.g_idx", "I32", [64]),
    ],
    "AWQ": [
        ("{}.qweight", "I32", [64, 8]), ("{}.qzeros", "I32", [1, 8]), ("{}.scales", "F16", [1, 64]),
    ],
    "FP8": [("{}.weight", "F8_E4M3", [64, 64]), ("{}.weight_scale_inv", "F32", [1, 1])],
    "INT8": [("{}.weight", "I8", [64, 64]), ("{}.weight_scale", "F32", [64, 1])],
}  # fmt: skip
OF_GROUPS = {"config_groups": {"0": {"weights": {"num_bits": 4, "group_size": 32}}}}


@pytest.mark.parametrize("scheme", PACKED)
def test_parameters_are_the_numbers_of_packed_weights_and_counts_are_as_stored(scheme: str) -> None:
    """Two matrices of 64 x 64, and a norm and a buffer of integers beside them."""
    modules = [f"layers.{layer}.q_proj" for layer in range(2)]
    tensors: list[tuple[str, str, list[int]]] = [
        (name.format(module), dtype, shape)
        for module in modules
        for name, dtype, shape in PACKED[scheme]
    ]
    tensors += [("norm.weight", "BF16", [64]), ("buffer.ids", "I32", [3])]
    catalog = catalog_of(tensors)
    listing = listed(catalog, catalog.all_rows, config_of({"quantization_config": OF_GROUPS}))
    assert listing.totals.parameters == 2 * 64 * 64 + 64 + 3
    stored = {"norm.weight": 64, "buffer.ids": 3}
    assert {row.name: row.count for row in rows_of(catalog) if row.name in stored} == stored
    assert sum(total.count for total in listing.totals.by_dtype.values()) == sum(
        row.count for row in rows_of(catalog)
    )
    layers = {one.key: one.parameters for one in buckets(listing, Grouping.LAYER)}
    assert layers == {"language 0": 64 * 64, "language 1": 64 * 64, "(no layer)": 67}


def test_a_config_is_asked_only_where_words_are_stored() -> None:
    def never() -> Declared:
        raise AssertionError

    fp4 = catalog_of([("w.weight", "U8", [4, 16]), ("w.weight_scale", "U8", [4, 1])])
    assert value_counts(fp4, never).tolist() == [128, 4]


def test_codes_that_no_scheme_has_count_as_they_are_stored() -> None:
    catalog = catalog_of([("w.weight_packed", "I32", [4, 2]), ("w.qweight", "I32", [4, 2])])
    assert value_counts(catalog, Declared).tolist() == [8, 8]
