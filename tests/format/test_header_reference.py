"""Our parser accepts and refuses what safetensors does; where it does not, the reason is here."""

import struct
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError

from fuzz.judge import DIFFERENCES, judge
from fuzz.mutate import mutated_file
from inspector.errors import FormatError
from tests.format.reference import Stored, read_with_ours, read_with_reference
from tests.hostile.build import shard
from tests.hostile.examine import errors_of_shard
from tests.strategies import Shard, texts, valid_shards

U8 = b'"dtype":"U8","shape":[4],"data_offsets":[0,4]'
F32 = b'"dtype":"F32","shape":[],"data_offsets":[0,4]'


def of_four_bytes(text: bytes) -> bytes:
    return shard(text, bytes(4))


def entry(fields: bytes, data: bytes = bytes(4)) -> bytes:
    """A file of one tensor."""
    return shard(b'{"a":{' + fields + b"}}", data)


def sized(dtype: str, shape: str, start: int, stop: int) -> bytes:
    text = f'"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{stop}]'
    return text.encode()


REFUSED: dict[str, tuple[str, bytes]] = {
    "an empty file": ("truncated", b""),
    "seven bytes": ("truncated", bytes(7)),
    "a length over the limit": ("header_too_large", struct.pack("<Q", 100_000_001) + b"{}"),
    "a length of 2^64 - 1": ("header_too_large", b"\xff" * 8 + b"{}"),
    "a header past the end": ("header_length_past_end", struct.pack("<Q", 3) + b"{}"),
    "bad UTF-8": ("header_not_utf8", entry(F32 + b',"x":"\xff"')),
    "an encoded surrogate": ("header_not_utf8", of_four_bytes(b'{"\xed\xa0\x80":{' + F32 + b"}}")),
    "an encoded surrogate in the metadata": (
        "header_not_utf8",
        of_four_bytes(b'{"__metadata__":{"a":"\xed\xa0\x80"},"a":{' + F32 + b"}}"),
    ),
    "an escaped lone surrogate": ("header_not_json", of_four_bytes(b'{"\\ud800":{' + F32 + b"}}")),
    "a lone surrogate out of sight": ("header_not_json", entry(F32 + b',"x":["\\udc00"]')),
    "no header": ("header_not_json", struct.pack("<Q", 0)),
    "only a space": ("header_not_json", shard(b" ")),
    "a header that breaks off": ("header_not_json", of_four_bytes(b'{"a":{' + F32)),
    "an array": ("header_not_json", of_four_bytes(b'[["a",{' + F32 + b"}]]")),
    "a number": ("header_not_json", shard(b"1")),
    "a trailing NUL": ("header_not_json", of_four_bytes(b'{"a":{' + F32 + b"}}\x00")),
    "a trailing form feed": ("header_not_json", of_four_bytes(b'{"a":{' + F32 + b"}}\x0c")),
    "a byte order mark": ("header_not_json", of_four_bytes(b'\xef\xbb\xbf{"a":{' + F32 + b"}}")),
    "UTF-16": ("header_not_json", shard("{}".encode("utf-16-le"))),
    "a control character": ("header_not_json", entry(F32 + b',"x":"\x01"')),
    "NaN": ("header_not_json", entry(F32 + b',"x":NaN')),
    "a number over every float": ("header_not_json", entry(F32 + b',"x":1e999')),
    "a leading zero": ("header_not_json", entry(F32.replace(b"[0,", b"[00,"))),
    "an unknown field of 128 levels": (
        "header_not_json",
        entry(F32 + b',"x":' + b"[" * 126 + b"]" * 126),
    ),
    "an unknown field of 310 digits": ("header_not_json", entry(F32 + b',"x":' + b"9" * 310)),
    "a negative number of 310 digits": ("header_not_json", entry(F32 + b',"x":-' + b"9" * 310)),
    "nesting without end": ("header_not_json", entry(F32 + b',"x":' + b"[" * 100_000)),
    "metadata that is a number": ("metadata_not_strings", shard(b'{"__metadata__":{"a":1}}')),
    "metadata that is null": ("metadata_not_strings", shard(b'{"__metadata__":{"a":null}}')),
    "metadata that is nested": ("metadata_not_strings", shard(b'{"__metadata__":{"a":{}}}')),
    "metadata in a list": ("metadata_not_strings", shard(b'{"__metadata__":[]}')),
    "metadata like a tensor": (
        "metadata_not_strings",
        of_four_bytes(b'{"a":{' + F32 + b'},"__metadata__":{' + sized("U8", "[0]", 4, 4) + b"}}"),
    ),
    "metadata twice": ("duplicate_key", shard(b'{"__metadata__":null,"__metadata__":{}}')),
    "a field twice": ("duplicate_key", entry(F32 + b',"dtype":"F32"')),
    "an unknown dtype": ("unknown_dtype", entry(sized("F33", "[]", 0, 4))),
    "a lower case dtype": ("unknown_dtype", entry(sized("f32", "[]", 0, 4))),
    "a dtype that is a number": ("malformed_entry", entry(F32.replace(b'"F32"', b"32"))),
    "a negative dimension": ("malformed_entry", entry(sized("F32", "[-1]", 0, 4))),
    "minus zero as a dimension": ("malformed_entry", entry(sized("U8", "[-0]", 0, 0), b"")),
    "minus zero as an offset": ("malformed_entry", entry(F32.replace(b"[0,", b"[-0,"))),
    "a float dimension": ("malformed_entry", entry(sized("F32", "[1.0]", 0, 4))),
    "an exponent as a dimension": ("malformed_entry", entry(sized("F32", "[1e0]", 0, 4))),
    "a string dimension": ("malformed_entry", entry(sized("F32", '["1"]', 0, 4))),
    "true as a dimension": ("malformed_entry", entry(sized("F32", "[true]", 0, 4))),
    "a dimension of 2^64": ("malformed_entry", entry(sized("F32", f"[{2**64},0]", 0, 4))),
    "a shape of null": ("malformed_entry", entry(sized("F32", "null", 0, 4))),
    "no dtype": ("malformed_entry", entry(b'"shape":[],"data_offsets":[0,4]')),
    "no shape": ("malformed_entry", entry(b'"dtype":"F32","data_offsets":[0,4]')),
    "no offsets": ("malformed_entry", shard(b'{"a":{"dtype":"F32","shape":[0]}}')),
    "a shape that is only mentioned": (
        "malformed_entry",
        entry(b'"dtype":"F32","data_offsets":[0,4],"x":"shape"'),
    ),
    "one offset": ("malformed_entry", entry(F32.replace(b"[0,4]", b"[4]"))),
    "three offsets": ("malformed_entry", entry(F32.replace(b"[0,4]", b"[0,4,4]"))),
    "an offset of 2^64": ("malformed_entry", entry(F32.replace(b",4]", f",{2**64}]".encode()))),
    "an entry of null": ("malformed_entry", shard(b'{"a":null}')),
    "an entry that is a number": ("malformed_entry", shard(b'{"a":1}')),
    "a first tensor that is not first": ("hole", entry(sized("U8", "[3]", 1, 4))),
    "a shape of too few bytes": ("span_size_mismatch", entry(sized("U8", "[3]", 0, 4))),
    "a zero dimension with bytes": ("span_size_mismatch", entry(sized("U8", "[4,0]", 0, 4))),
    "a product over 64 bits": ("shape_overflow", entry(sized("U8", f"[{2**63},2]", 0, 4))),
    "bits over 64 bits": ("shape_overflow", entry(sized("F32", f"[{2**61}]", 0, 4))),
    "an overflow before a zero": (
        "shape_overflow",
        entry(sized("U8", f"[{2**32},{2**32},0]", 0, 0), b""),
    ),
    "an overflow of small dimensions before a zero": (
        "shape_overflow",
        entry(sized("U8", f"[{2**30},{2**30},{2**30},0]", 0, 0), b""),
    ),
    "a byte too many": ("trailing_bytes", entry(F32, bytes(5))),
    "a byte too few": ("truncated", entry(F32, bytes(3))),
    "data without a tensor": ("trailing_bytes", of_four_bytes(b"{}")),
    "half a byte": ("sub_byte_misaligned", entry(sized("F4", "[7]", 0, 4))),
    "reversed offsets": (
        "offsets_reversed",
        of_four_bytes(b'{"a":{' + sized("U8", "[4]", 4, 0) + b'},"b":{' + U8 + b"}}"),
    ),
    "a hole": (
        "hole",
        of_four_bytes(
            b'{"a":{' + sized("U8", "[1]", 0, 1) + b'},"b":{' + sized("U8", "[2]", 2, 4) + b"}}"
        ),
    ),
    "an overlap": (
        "overlap",
        of_four_bytes(
            b'{"a":{' + sized("U8", "[3]", 0, 3) + b'},"b":{' + sized("U8", "[2]", 2, 4) + b"}}"
        ),
    ),
    "two tensors on the same bytes": (
        "overlap",
        of_four_bytes(b'{"a":{' + U8 + b'},"b":{' + U8 + b"}}"),
    ),
    "an empty tensor inside another": (
        "overlap",
        of_four_bytes(b'{"a":{' + U8 + b'},"b":{' + sized("U8", "[0]", 2, 2) + b"}}"),
    ),
}
"""What safetensors 0.8.0 refuses, and our rule for it."""

ACCEPTED: dict[str, bytes] = {
    "a plain tensor": entry(F32),
    "no tensors": shard(b"{}"),
    "only metadata": shard(b'{"__metadata__":{"format":"pt"}}'),
    "empty metadata": shard(b'{"__metadata__":{}}'),
    "metadata of null": of_four_bytes(b'{"__metadata__":null,"a":{' + F32 + b"}}"),
    "metadata last": of_four_bytes(b'{"a":{' + F32 + b'},"__metadata__":{"x":"}"}}'),
    "metadata by escapes": of_four_bytes(b'{"\\u005f_metadata__":{"x":"y"},"a":{' + F32 + b"}}"),
    "a leading space": of_four_bytes(b' {"a":{' + F32 + b"}}"),
    "trailing white space": of_four_bytes(b'{"a":{' + F32 + b"}}\n\t\r  "),
    "an unknown field": entry(F32 + b',"x":{"y":[1.5,-0,1E-400,null,true,"\\ud83d\\ude00"]}'),
    "an unknown field that is too large": entry(F32 + b',"x":' + b"9" * 300),
    "an unknown field of 309 digits": entry(F32 + b',"x":1' + b"0" * 308),
    "an unknown field of 127 levels": entry(F32 + b',"x":' + b"[" * 125 + b"]" * 125),
    "a surrogate behind a backslash": entry(F32 + b',"x":"\\\\ud800"'),
    "an empty name": of_four_bytes(b'{"":{' + F32 + b"}}"),
    "a name of NUL and quotes": of_four_bytes(b'{"\\u0000\\"\\\\":{' + F32 + b"}}"),
    "a name like a field": of_four_bytes(b'{"data_offsets":{' + F32 + b"}}"),
    "a name with a minus zero": of_four_bytes(b'{"a-0":{' + F32 + b"}}"),
    "DEL in a name": of_four_bytes(b'{"\x7f":{' + F32 + b"}}"),
    "fields in another order": entry(b'"data_offsets":[0,4],"shape":[],"dtype":"F32"'),
    "header order against offset order": of_four_bytes(
        b'{"a":{' + sized("U8", "[1]", 3, 4) + b'},"b":{' + sized("U8", "[3]", 0, 3) + b"}}"
    ),
    "a tensor off its alignment": shard(
        b'{"a":{' + sized("U8", "[1]", 0, 1) + b'},"b":{' + sized("F32", "[]", 1, 5) + b"}}",
        bytes(5),
    ),
    "empty tensors anywhere": of_four_bytes(
        b'{"a":{' + sized("U8", "[0]", 0, 0) + b'},"b":{' + U8 + b'},"c":{'
        + sized("F64", "[3,0]", 4, 4) + b'},"d":{' + sized("F4", "[0,1]", 4, 4) + b"}}"
    ),
    "a zero before an overflow": entry(sized("U8", f"[0,{2**63},{2**63}]", 0, 0), b""),
    "two tensors in three bytes of six bits": entry(sized("F6_E2M3", "[4]", 0, 3), bytes(3)),
}  # fmt: skip
"""What safetensors 0.8.0 accepts, however doubtful."""


DIFFERENT: dict[str, tuple[str, bytes]] = {
    "a tensor twice": (
        "duplicate_key",
        of_four_bytes(b'{"a":{' + F32 + b'},"a":{' + F32 + b"}}"),
    ),
    "a tensor twice, in two places": (
        "duplicate_key",
        shard(b'{"a":{' + sized("U8", "[4]", 0, 4) + b'},"a":{' + F32 + b"}}", bytes(4)),
    ),
    "a metadata key twice": ("duplicate_key", shard(b'{"__metadata__":{"a":"1","a":"2"}}')),
    "an unknown field twice": ("duplicate_key", entry(F32 + b',"x":1,"x":2')),
    "an entry as an array": ("malformed_entry", of_four_bytes(b'{"a":["F32",[],[0,4]]}')),
    "a dtype as an object": ("malformed_entry", entry(F32.replace(b'"F32"', b'{"F32":null}'))),
}
"""What safetensors 0.8.0 accepts and we refuse, with our rule; `fuzz.judge` says why."""


@pytest.mark.parametrize(("rule", "content"), REFUSED.values(), ids=REFUSED)
def test_what_the_reference_refuses_breaks_one_rule(rule: str, content: bytes) -> None:
    with pytest.raises(SafetensorError):
        read_with_reference(content)
    with pytest.raises(FormatError):
        read_with_ours(content)
    assert [found.rule for found in errors_of_shard(content, shard="a")] == [rule]


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED)
def test_what_the_reference_accepts_is_read_to_the_same_tensors(content: bytes) -> None:
    assert read_with_ours(content) == read_with_reference(content)


@pytest.mark.parametrize(("rule", "content"), DIFFERENT.values(), ids=DIFFERENT)
def test_the_known_differences_are_as_described(rule: str, content: bytes) -> None:
    read_with_reference(content)
    problems = errors_of_shard(content, shard="a")
    assert [found.rule for found in problems] == [rule]
    assert any(difference.explains(problems[0]) for difference in DIFFERENCES)


def test_every_known_difference_has_an_example() -> None:
    found = [errors_of_shard(content, shard="a")[0] for _, content in DIFFERENT.values()]
    assert all(any(difference.explains(one) for one in found) for difference in DIFFERENCES)


@given(valid_shards())
def test_any_valid_file_is_read_to_the_same_tensors(drawn: Shard) -> None:
    assert read_with_ours(drawn.content) == read_with_reference(drawn.content)


VALUES = [
    *["null", "true", "0", "-0", "1", "4", "8", "1.0", "4e0", "-1", "01", "NaN", "1e999", "[]"],
    *["[0]", "[1]", "[4]", "[0,4]", "[4,4]", "[4,0]", "[0,4,4]", "[[0,4]]", "[2,2]", "{}", '"F32"'],
    *['"U8"', '"F4"', '"f32"', '"4"', '""', '"\\ud800"', '"\\ud83d\\ude00"', '{"U8":null}'],
    *['["U8",[4],[0,4]]', '{"a":"b"}', '{"a":"b","a":"c"}', '{"a":1}', '"\x01"', "[" * 130],
    *[str(2**63), str(2**64 - 1), str(2**64), f"[{2**32},{2**32}]", f"[0,{2**64 - 1}]", "9" * 400],
]
NAMES = ['"a"', '"b"', '""', '"__metadata__"', '"dtype"', '"shape"', '"data_offsets"', '"\\u0061"']
PLACES = [(0, 4), (2, 4), (4, 8), (4, 0)]


@st.composite
def objects(draw: st.DrawFn, members: list[tuple[str, str]]) -> str:
    """An object of these members with a few dropped, doubled, renamed or given another value."""
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        if not members:
            break
        at = draw(st.integers(0, len(members) - 1))
        name, value = members[at]
        members = [
            *members[:at],
            *draw(
                st.sampled_from(
                    [
                        [],
                        [(name, value)] * 2,
                        [(draw(st.sampled_from(NAMES)), value)],
                        [(name, draw(st.sampled_from(VALUES)))],
                        [(name, value), (draw(st.sampled_from(NAMES)), value)],
                    ]
                )
            ),
            *members[at + 1 :],
        ]
    space = draw(st.sampled_from(["", "", "", "", " ", " ", "\n", "\x0c"]))
    return "{" + f",{space}".join(f"{name}:{value}" for name, value in members) + "}"


@st.composite
def files_of_odd_json(draw: st.DrawFn) -> bytes:
    """A header of a few tensors, most of them sound, and data that often fits."""
    members, end = [], 0
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)):
        next_ones = [(end, end), (end, end + 4)]
        start, stop = draw(st.sampled_from(next_ones * 5 + PLACES))
        end = max(end, stop)
        fields = [
            ('"dtype"', draw(st.sampled_from(['"U8"', '"BOOL"', '"I8"', '"F32"']))),
            ('"shape"', f"[{abs(stop - start)}]"),
            ('"data_offsets"', f"[{start},{stop}]"),
        ]
        whole = st.sampled_from([f'["U8",[{stop - start}],[{start},{stop}]]', '{"a":"b"}'])
        members.append((name, draw(objects(draw(st.permutations(fields))) | whole)))
    text = draw(objects(members))
    return shard(text.encode(), bytes(draw(st.sampled_from([end, end, end, 4]))))


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A valid file with bytes changed, lost or added, its length prefix mended or not."""
    drawn = draw(valid_shards())
    content = drawn.text if draw(st.booleans()) else drawn.content
    for _ in range(draw(st.integers(1, 3))):
        at, width = draw(st.integers(0, len(content)) | st.just(8)), draw(st.integers(0, 4))
        pieces = [st.binary(max_size=2), texts.map(str.encode)]
        marks = st.sampled_from([b"0", b"9", b"-", b".", b'"', b"{", b"}", b",", b" ", b"\\", b""])
        content = content[:at] + draw(st.one_of(marks, *pieces)) + content[at + width :]
    return shard(content, drawn.data) if content[:1] in b"{ " else content


def stored_or_refusal(content: bytes) -> Stored | SafetensorError:
    try:
        return read_with_reference(content)
    except SafetensorError as error:
        return error


@settings(max_examples=300)
@given(files_of_odd_json() | damaged_files())
def test_a_malformed_file_is_refused_as_by_the_reference(content: bytes) -> None:
    assert judge(content).complaint is None


@settings(max_examples=2_000)
@given(st.randoms(use_true_random=False))
def test_a_mutated_file_is_refused_as_by_the_reference(random: Random) -> None:
    """The files of `python -m fuzz.headers`, of which 1,000,000 were judged."""
    assert judge(mutated_file(random)).complaint is None


@given(st.binary(max_size=40))
def test_any_bytes_are_refused_with_a_format_error_or_read_alike(content: bytes) -> None:
    theirs = stored_or_refusal(content)
    if isinstance(theirs, SafetensorError):
        with pytest.raises(FormatError):
            read_with_ours(content)
    else:
        assert read_with_ours(content) == theirs
