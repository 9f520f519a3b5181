import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import FormatError
from inspector.format.index import Index, examine_index, is_safe_shard, parse_index
from tests.strategies import texts

SAFE_NAMES = ["model.safetensors", "a/b.safetensors", "a.b-1_of 2", "\u4e2d.safetensors", "..a"]
UNSAFE_NAMES = [
    *["", ".", "..", "../a", "a/../b", "a/..", "/a", "//host/a", "~", "~user/a", "C:\\a", "a\\b"],
    *["file:///a", "https://host/a", "a?download=1", "a#b", "%2e%2e/a", "a\x00"],
]

shard_names = st.sampled_from(SAFE_NAMES)


def refusal_of(text: bytes) -> list[str]:
    with pytest.raises(FormatError) as refusal:
        parse_index(text, file="i")
    return [found.rule for found in refusal.value.problems]


@given(st.dictionaries(texts, shard_names), st.integers(0, 2**60), st.booleans(), st.booleans())
def test_an_index_gives_back_its_map_and_its_total(
    weight_map: dict[str, str],
    total: int,
    ascii_only: bool,  # noqa: FBT001
    indented: bool,  # noqa: FBT001
) -> None:
    document = {"metadata": {"total_size": total, "note": "x"}, "weight_map": weight_map}
    text = json.dumps(document, ensure_ascii=ascii_only, indent=2 if indented else None)
    assert parse_index(text.encode(), file="i") == Index("i", weight_map, total)


def test_shards_are_named_once_and_in_order() -> None:
    index = Index("i", {"a": "2", "b": "1", "c": "2"}, None)
    assert index.shards == ["1", "2"]


@pytest.mark.parametrize(
    ("metadata", "total"),
    [
        ('{"total_size": 12}', 12),
        ('{"total_size": 12.0}', 12),
        ('{"total_size": "12"}', None),
        ('{"total_size": true}', None),
        ('{"total_size": null}', None),
        ("{}", None),
        ("null", None),
    ],
)
def test_a_total_is_a_number_or_unknown(metadata: str, total: int | None) -> None:
    """`true` was a total of 1."""
    text = f'{{"weight_map": {{}}, "metadata": {metadata}}}'
    assert parse_index(text.encode(), file="i").total_size == total


def test_an_index_without_metadata_or_with_other_members_is_read() -> None:
    text = b'{"format": ["x"], "weight_map": {"a": "b"}}'
    assert parse_index(text, file="i") == Index("i", {"a": "b"}, None)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"weight_map": null}',
        b'{"weight_map": {"a": 1}}',
        b'{"weight_map": {}, "metadata": []}',
        b'{"weight_map": {"\xff": "b"}}',
        b'{"weight_map": {"\xed\xa0\x80": "b"}}',
        b'{"weight_map": {"\\ud800": "b"}}',
        b'{"weight_map": {}, "x": "\xff"}',
        b'{"weight_map": {}, "metadata": {"total_size": 1e999}}',
        b'{"weight_map": {}, "metadata": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"weight_map": {}, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=[
        *["empty", "array", "no map", "null", "number", "metadata array", "not UTF-8", "surrogate"],
        *["escaped surrogate", "not UTF-8 elsewhere", "over floats", "nested metadata", "nested"],
    ],
)
def test_what_is_no_index_is_refused(text: bytes) -> None:
    """Nesting without end was a RecursionError."""
    assert refusal_of(text) == ["index_not_json"]


@pytest.mark.parametrize(
    "text",
    [
        b'{"weight_map": {"a": "1", "a": "2"}}',
        b'{"weight_map": {"a": "1", "\\u0061": "1"}}',
        b'{"weight_map": {"a": "1"}, "weight_map": {"b": "1"}}',
        b'{"metadata": {"x": 1, "x": 2}, "weight_map": {}}',
        b'{"metadata": null, "metadata": {}, "weight_map": {}}',
    ],
    ids=["plain", "escaped", "map", "metadata", "null first"],
)
def test_a_key_that_occurs_twice_is_refused(text: bytes) -> None:
    """The last was taken in silence: a tensor was looked for in one of its two shards."""
    assert refusal_of(text) == ["duplicate_key"]


@pytest.mark.parametrize("name", SAFE_NAMES)
def test_a_name_inside_the_checkpoint_is_safe(name: str) -> None:
    assert is_safe_shard(name)


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_a_name_outside_the_checkpoint_is_refused(name: str) -> None:
    assert not is_safe_shard(name)
    assert refusal_of(json.dumps({"weight_map": {"a": name}}).encode()) == ["unsafe_shard_name"]


def test_every_unsafe_name_and_duplicate_is_reported() -> None:
    text = b'{"weight_map": {"a": "../1", "b": "/2", "c": "ok", "c": "ok"}}'
    assert refusal_of(text) == ["duplicate_key", "unsafe_shard_name", "unsafe_shard_name"]


def test_of_a_broken_index_the_rest_is_read() -> None:
    text = b'{"metadata": {"total_size": 3}, "weight_map": {"a": "../1", "b": "2", "b": "3"}}'
    index, problems = examine_index(text, file="i")
    assert index == Index("i", {"a": "../1", "b": "3"}, 3)
    assert [found.rule for found in problems] == ["duplicate_key", "unsafe_shard_name"]


def test_of_what_is_no_index_nothing_is_read() -> None:
    index, problems = examine_index(b'{"weight_map": ["a"]}', file="i")
    assert index is None
    assert [found.rule for found in problems] == ["index_not_json"]


@given(st.binary(max_size=30) | texts.map(lambda text: f'{{"weight_map":{text}}}'.encode()))
def test_any_bytes_are_refused_with_a_format_error_or_read(text: bytes) -> None:
    with contextlib.suppress(FormatError):
        assert isinstance(parse_index(text, file="i"), Index)
