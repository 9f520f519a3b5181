import json
import struct
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from inspector.errors import FormatError, Severity
from inspector.format.dtypes import Dtype
from inspector.format.fast_header import decode_clean
from inspector.format.header import (
    MAX_HEADER_BYTES,
    TensorEntry,
    check_header,
    header_from,
    header_span,
    parse_header,
)
from inspector.format.header_problems import examine
from inspector.format.spans import Span
from tests.hostile.build import tensor
from tests.strategies import Shard, Tensor, valid_shards

MANY = {f"t{number}": tensor(4 * number, 4 * number + 4) for number in range(5000)}


def rules_of(text: bytes, *, file_size: int | None = None) -> list[str]:
    return [found.rule for found in check_header(text, shard="a", file_size=file_size)]


def in_header(tensors: tuple[Tensor, ...], data_start: int) -> list[TensorEntry]:
    """The entries of drawn tensors, in the order of their bytes."""
    return [
        TensorEntry(t.name, t.dtype, t.shape, data_start + t.start, data_start + t.stop)
        for t in tensors
    ]


@given(st.integers(0, MAX_HEADER_BYTES))
def test_a_header_lies_after_its_length(length: int) -> None:
    assert header_span(struct.pack("<Q", length), shard="a") == Span(8, 8 + length)
    span = header_span(struct.pack("<Q", length) + b"{", shard="a", file_size=8 + length)
    assert span == Span(8, 8 + length)


@given(st.integers(MAX_HEADER_BYTES + 1, 2**64 - 1))
def test_a_header_longer_than_the_reference_accepts_is_refused_unread(length: int) -> None:
    with pytest.raises(FormatError, match="header_too_large"):
        header_span(struct.pack("<Q", length), shard="a")


@pytest.mark.parametrize("length", range(8))
def test_a_file_without_a_whole_length_is_truncated(length: int) -> None:
    with pytest.raises(FormatError, match="truncated"):
        header_span(bytes(length), shard="a", file_size=length)


@given(valid_shards())
def test_a_valid_header_gives_its_tensors_in_the_order_of_their_bytes(drawn: Shard) -> None:
    header = parse_header(drawn.text, shard="a", file_size=len(drawn.content))
    assert header.span == Span(8, 8 + len(drawn.text))
    assert header.metadata == drawn.metadata
    expected = in_header(drawn.tensors, header.span.stop)
    assert [entry.span for entry in header.entries] == [entry.span for entry in expected]
    assert Counter(header.entries) == Counter(expected)
    found = check_header(drawn.text, shard="a", file_size=len(drawn.content))
    assert [one for one in found if one.severity is Severity.ERROR] == []


@given(valid_shards())
def test_both_decoders_find_the_same(drawn: Shard) -> None:
    fast = decode_clean(drawn.text, shard="a", data_start=8 + len(drawn.text))
    examined = examine(drawn.text, shard="a", file_size=len(drawn.content))
    slow = header_from(examined, drawn.text, shard="a")
    assert fast in (None, slow)
    assert parse_header(drawn.text, shard="a", file_size=len(drawn.content)) == slow


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}], ids=["none", "empty", "pt"])
def test_what_the_reference_writes_takes_the_fast_decoder(metadata: dict[str, str] | None) -> None:
    names = ["a.0.b", "a.1.b", "\u00e9\u4e2d"]
    tensors: dict[str, npt.NDArray[np.generic]] = {
        "scalar": np.array(1, dtype=np.int64),
        **{name: np.zeros((0, 3), dtype=np.float32) for name in names},
    }
    content = save(tensors, metadata)
    span = header_span(content, shard="a")
    text = content[span.start : span.stop]
    header = decode_clean(text, shard="a", data_start=span.stop)
    assert header is not None
    assert {entry.name for entry in header.entries} == set(tensors)


def test_a_scalar_has_one_element_and_an_empty_tensor_none() -> None:
    assert TensorEntry("a", Dtype.F32, (), 8, 12).count == 1
    assert TensorEntry("a", Dtype.F32, (7, 0), 8, 8).count == 0


def test_all_problems_are_reported_at_once() -> None:
    text = json.dumps(
        {
            "__metadata__": {"a": 1},
            "b": tensor(0, 4, dtype="F31"),
            "c": tensor(2, 6),
            "d": tensor(8, 9, dtype="F32", shape=[1]),
        }
    ).encode()
    expected = ["metadata_not_strings", "unknown_dtype", "span_size_mismatch"]
    expected += ["overlap", "hole", "trailing_bytes"]
    assert rules_of(text, file_size=8 + len(text) + 10) == expected
    with pytest.raises(FormatError) as refusal:
        parse_header(text, shard="a", file_size=8 + len(text) + 10)
    assert [found.rule for found in refusal.value.problems] == expected


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ({"dtype": "U8", "shape": [-1], "data_offsets": [0, 4]}, "malformed_entry"),
        (tensor(4, 0, shape=[4]), "offsets_reversed"),
    ],
    ids=["malformed", "reversed"],
)
def test_a_tensor_whose_bytes_are_unknown_makes_no_holes(entry: object, rule: str) -> None:
    """Its bytes were reported a second time, as a hole or as trailing."""
    text = json.dumps({"a": entry, "b": tensor(4, 8), "c": tensor(10, 12)}).encode()
    assert rules_of(text, file_size=8 + len(text) + 14) == [rule]


def test_equal_entries_of_one_name_are_duplicates_and_no_overlap() -> None:
    member = b'"a":' + json.dumps(tensor(0, 4)).encode()
    assert rules_of(b"{" + member + b"," + member + b"}") == ["duplicate_key"]


def test_places_count_from_the_start_of_the_file() -> None:
    (found,) = check_header(b'{"\xc3\xa9":!}', shard="a")
    assert found.where.offset == 8 + 6
    (found,) = check_header(b'{"a\xff', shard="a")
    assert found.where.offset == 8 + 3
    text = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}'
    (found,) = check_header(text, shard="a")
    assert (found.expected, found.found) == (str(8 + len(text)), str(8 + len(text) + 1))


def test_without_a_file_size_the_end_of_the_data_is_not_judged() -> None:
    text = json.dumps({"a": tensor(0, 4)}).encode()
    assert parse_header(text, shard="a").entries[0].stop == 8 + len(text) + 4
    assert rules_of(text, file_size=8 + len(text) + 3) == ["truncated"]
    assert rules_of(text, file_size=8 + len(text) + 5) == ["trailing_bytes"]


def test_offsets_past_any_file_are_refused_even_where_its_size_is_unknown() -> None:
    """Each tensor was within 64 bits, their sum was not: the catalog's columns overflowed."""
    size, shape = 2**58, [2**29, 2**29]
    entries = {f"t{n}": tensor(n * size, n * size + size, shape=shape) for n in range(32)}
    text = json.dumps(entries).encode()
    with pytest.raises(FormatError, match="truncated"):
        parse_header(text, shard="a")


def test_a_key_that_occurs_often_is_one_problem() -> None:
    """It was one problem an occurrence, each found by counting all keys anew."""
    member = b'"a":' + json.dumps(tensor(0, 0)).encode()
    (found,) = check_header(b"{" + b",".join([member] * 5000) + b"}", shard="a")
    assert (found.rule, found.found) == ("duplicate_key", "5000")


@pytest.mark.parametrize(
    "shape",
    ["[" + "1.5," * 50_000 + "1]", "[" * 900 + "]" * 900, '"' + "x" * 50_000 + '"'],
    ids=["long", "deep", "text"],
)
def test_a_problem_quotes_no_more_than_a_line_of_a_hostile_value(shape: str) -> None:
    """The whole value was quoted: a message of 100 MB, or a RecursionError on the way."""
    text = f'{{"a":{{"dtype":"U8","shape":{shape},"data_offsets":[0,0]}}}}'.encode()
    (found,) = check_header(text, shard="a")
    assert found.rule == "malformed_entry"
    assert len(found.found) < 200


def test_a_header_of_many_tensors_is_the_same_however_it_is_ordered() -> None:
    forward = json.dumps(MANY).encode()
    backward = json.dumps(dict(reversed(MANY.items()))).encode()
    assert parse_header(forward, shard="a") == parse_header(backward, shard="a")
