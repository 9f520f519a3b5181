import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.catalog import Catalog, CatalogBuilder, TensorRow
from inspector.format.dtypes import Dtype
from inspector.format.header import Header, TensorEntry
from inspector.format.spans import Span
from tests.strategies import dotted_names

entries = st.builds(
    lambda name, dtype, shape, start, size: TensorEntry(name, dtype, shape, start, start + size),
    st.sampled_from(["l.2.w", "l.10.w", "l.02.w", "a"]) | dotted_names,
    st.sampled_from(Dtype),
    st.lists(st.integers(0, 3), max_size=2).map(tuple),
    st.integers(8, 2**62),
    st.integers(0, 2**40),
)


@st.composite
def checkpoints(draw: st.DrawFn) -> list[Header]:
    """Headers of a few shards; names often occur in several."""
    tensors = st.lists(entries, max_size=5, unique_by=lambda entry: entry.name)
    return [
        header_of(f"{number}.safetensors", *draw(tensors))
        for number in range(draw(st.integers(0, 4)))
    ]


def header_of(shard: str, *entries: TensorEntry) -> Header:
    return Header.of(shard, Span(8, 16), None, entries)


def catalog_of(headers: list[Header]) -> Catalog:
    builder = CatalogBuilder()
    for header in headers:
        builder.add(header)
    return builder.build()


def rows_of(catalog: Catalog) -> list[TensorRow]:
    return list(catalog.rows(catalog.all_rows))


def row_of(entry: TensorEntry, shard: str) -> TensorRow:
    count, size = math.prod(entry.shape), entry.stop - entry.start
    return TensorRow(
        entry.name, entry.dtype, entry.shape, count, size, shard, entry.start, entry.stop
    )


@given(checkpoints())
def test_rows_are_the_entries_of_all_headers(headers: list[Header]) -> None:
    catalog = catalog_of(headers)
    expected = [row_of(entry, header.shard) for header in headers for entry in header.entries]
    assert len(catalog) == len(expected)
    assert sorted(rows_of(catalog), key=repr) == sorted(expected, key=repr)
    assert catalog.shards == tuple(header.shard for header in headers)


@given(checkpoints(), st.data())
def test_the_order_of_headers_does_not_matter(headers: list[Header], data: st.DataObject) -> None:
    """Equal names stood in the order their shards happened to arrive in."""
    shuffled = data.draw(st.permutations(headers))
    first, second = catalog_of(headers), catalog_of(shuffled)
    assert rows_of(first) == rows_of(second)
    assert first.shards == second.shards


@given(checkpoints())
def test_every_tensor_is_found_by_its_name(headers: list[Header]) -> None:
    catalog = catalog_of(headers)
    for header in headers:
        for entry in header.entries:
            holders = [h.shard for h in headers if entry.name in {e.name for e in h.entries}]
            found = catalog.find(entry.name)
            assert found is not None
            assert (found.name, found.shard) == (entry.name, holders[0])
    assert catalog.find("no such name") is None


@given(checkpoints())
def test_columns_agree_with_rows(headers: list[Header]) -> None:
    catalog = catalog_of(headers)
    rows = rows_of(catalog)
    assert catalog.counts(catalog.all_rows).tolist() == [row.count for row in rows]
    assert catalog.sizes(catalog.all_rows).tolist() == [row.bytes for row in rows]
    masks = catalog.dtype_masks()
    for dtype in Dtype:
        mask = masks.get(dtype, np.zeros(len(catalog), dtype=np.bool_))
        assert mask.tolist() == [row.dtype is dtype for row in rows]
    assert [catalog.row(number) for number in range(len(rows))] == rows


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_rows_come_in_the_order_asked_for_whatever_the_chunk(chunk: int) -> None:
    stored = [TensorEntry(f"t.{n}", Dtype.U8, (1,), 16 + n, 17 + n) for n in range(5)]
    catalog = catalog_of([header_of("a", *stored)])
    wanted = np.array([4, 0, 0, 2, 3])
    names = [row.name for row in catalog.rows(wanted, chunk=chunk)]
    assert names == ["t.4", "t.0", "t.0", "t.2", "t.3"]


def test_names_are_in_natural_order_across_shards() -> None:
    first = header_of("2", TensorEntry("l.10", Dtype.U8, (1,), 16, 17))
    second = header_of("1", TensorEntry("l.9", Dtype.U8, (1,), 16, 17))
    assert [row.name for row in rows_of(catalog_of([first, second]))] == ["l.9", "l.10"]


def test_a_shard_without_tensors_is_still_a_shard() -> None:
    catalog = catalog_of([header_of("b"), header_of("a")])
    assert catalog.shards == ("a", "b")
    assert rows_of(catalog) == []


def test_a_checkpoint_without_shards_is_an_empty_table() -> None:
    catalog = catalog_of([])
    assert len(catalog) == 0
    assert catalog.shards == ()
    assert catalog.counts(catalog.all_rows).tolist() == []


def test_the_largest_file_and_shape_that_a_header_may_state_fit() -> None:
    last = 2**63 - 1
    huge = TensorEntry("a", Dtype.F4, (2**61, 1), last - 2**60, last)
    empty = TensorEntry("b", Dtype.F64, (0, 2**64 - 1), last, last)
    catalog = catalog_of([header_of("a", huge, empty)])
    assert rows_of(catalog) == [row_of(huge, "a"), row_of(empty, "a")]
    assert catalog.counts(catalog.all_rows).tolist() == [2**61, 0]
    assert catalog.row(0).span == huge.span
