"""A catalog that is kept is the same when it comes back."""

import dataclasses

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.catalog import Catalog, CatalogBuilder
from inspector.catalog.packing import pack_catalog, unpack_catalog
from inspector.format.header import parse_header
from tests.strategies import Shard, valid_shards


def catalog_of(shards: list[Shard]) -> Catalog:
    builder = CatalogBuilder()
    for number, shard in enumerate(shards):
        size = len(shard.content)
        builder.add(parse_header(shard.text, shard=f"{number}.safetensors", file_size=size))
    return builder.build()


@settings(max_examples=60)
@given(st.lists(valid_shards(), max_size=3))
def test_a_catalog_comes_back_as_it_was(shards: list[Shard]) -> None:
    before = catalog_of(shards)
    after = unpack_catalog(pack_catalog(before))
    rows = [list(one.rows(one.all_rows)) for one in (before, after)]
    assert rows[0] == rows[1]
    assert len(after) == sum(len(shard.tensors) for shard in shards)
    for field in dataclasses.fields(Catalog):
        one, other = getattr(before, field.name), getattr(after, field.name)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.tolist()) == (other.dtype, other.tolist())
        elif field.name != "names":
            assert one == other
    assert after.names.templates == before.names.templates
    assert all(after.find(row.name) == before.find(row.name) for row in rows[0])


def one_tensor(name: str) -> Catalog:
    text = msgspec.json.encode({name: {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}})
    header = parse_header(text, shard="a", file_size=9 + len(text))
    builder = CatalogBuilder()
    builder.add(header)
    return builder.build()


@pytest.mark.parametrize("length", [0, 1, 10, 40], ids=lambda length: f"{length} bytes")
def test_bytes_that_are_no_catalog_are_refused(length: int) -> None:
    content = pack_catalog(one_tensor("layers.3.weight"))
    for wrong in (content[:length], content[length + 1 :], b"\xc1" * length):
        with pytest.raises(ValueError, match=r"."):
            unpack_catalog(wrong)


@pytest.mark.parametrize("column", ["template_ids", "numbers", "shard_ids", "dtype_ids", "stops"])
def test_columns_of_another_length_are_refused(column: str) -> None:
    packed = msgspec.msgpack.decode(pack_catalog(one_tensor("layers.3.weight")))
    packed["columns"][column] += bytes(8)
    with pytest.raises(ValueError, match=r"."):
        unpack_catalog(msgspec.msgpack.encode(packed))


def test_a_missing_column_and_an_unknown_dtype_are_refused() -> None:
    packed = msgspec.msgpack.decode(pack_catalog(one_tensor("a")))
    for wrong in (
        packed | {"columns": {}},
        packed | {"dtypes": ["F1"]},
        packed | {"rows": 2},
        packed | {"shards": []},
    ):
        with pytest.raises(ValueError, match=r"."):
            unpack_catalog(msgspec.msgpack.encode(wrong))
