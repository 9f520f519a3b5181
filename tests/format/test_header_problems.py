"""What is said of headers that the reference accepts, and how much is said of the worst."""

import json
import tracemalloc

import pytest

from inspector.errors import Severity
from inspector.format.findings import MAX_FINDINGS, Findings
from inspector.format.header import check_header
from inspector.format.shard_report import ShardReport, report_header
from tests.hostile.build import tensor

PLAIN = json.dumps({"a": tensor(0, 4)}).encode()


def report(text: bytes, data_bytes: int = 4) -> ShardReport:
    return report_header(text, shard="a", file_size=8 + len(text) + data_bytes)


def rules(text: bytes, data_bytes: int = 4) -> list[str]:
    return [found.rule for found in report(text, data_bytes).problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PLAIN, []),
        (PLAIN + b"    ", []),
        (b" " + PLAIN, ["header_padding"]),
        (PLAIN + b"\n", ["header_padding"]),
        (PLAIN + b"\t   ", ["header_padding"]),
        (b"\n" + PLAIN + b"\n", ["header_padding"]),
        (PLAIN.replace(b'"a"', b'""'), ["empty_name"]),
        (PLAIN.replace(b'{"dtype"', b'{"note": 1, "dtype"'), ["unknown_field"]),
        (PLAIN.replace(b'{"a"', b'{"__metadata__": null, "a"'), ["metadata_null"]),
        (b" " + PLAIN.replace(b'"a"', b'""'), ["header_padding", "empty_name"]),
    ],
    ids=[
        *["plain", "spaces behind", "space before", "line end", "tab", "both ends"],
        *["no name", "one more field", "null", "two of them"],
    ],
)
def test_what_the_reference_accepts_and_others_may_not_is_a_warning(
    text: bytes, expected: list[str]
) -> None:
    assert rules(text) == expected
    assert [found.rule for found in check_header(text, shard="a")] == expected
    assert {found.severity for found in report(text).problems} <= {Severity.WARNING}
    header = report(text).header
    assert header is not None
    assert len(header.names) == report(text).tensors == 1


def test_a_field_that_every_tensor_has_too_many_is_one_finding() -> None:
    entries = {str(n): {**tensor(n, n + 1), "note": n} for n in range(100)}
    (found,) = report(json.dumps(entries).encode(), 100).problems
    assert found.rule == "unknown_field"
    assert "100 tensors" in found.message
    assert found.found == "'note'"


def test_a_field_of_a_wrong_name_is_missing_and_not_unknown_too() -> None:
    assert rules(PLAIN.replace(b"dtype", b"dtypes")) == ["malformed_entry"]


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, 4), (0, 4)), ((0, 4), (4, 8)), ((0, 8), (0, 4)), ((2, 6), (0, 8))],
    ids=["equal", "side by side", "first too long", "inside"],
)
def test_two_tensors_of_one_name_are_one_finding_wherever_they_lie(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    """Both were held against the other's bytes: an overlap or a hole came with the duplicate."""
    members = [f'"a":{json.dumps(tensor(*one))}' for one in (first, second)]
    text = f"{{{','.join(members)}}}".encode()
    assert rules(text, max(first[1], second[1]) if first[0] < second[0] else second[1]) == [
        "duplicate_key"
    ]


def test_a_size_that_no_file_has_is_one_finding() -> None:
    text = json.dumps({"a": tensor(0, 2**64 - 1, shape=[2**64 - 1])}).encode()
    assert rules(text) == ["shape_overflow"]


@pytest.mark.parametrize("start", [4, 100, 2**63], ids=["end", "behind", "far behind"])
def test_bytes_behind_the_end_of_a_file_are_no_hole(start: int) -> None:
    """A tensor there was reported twice: for the file that is too short and for a hole in it."""
    text = json.dumps({"a": tensor(0, 4), "b": tensor(start, start + 4)}).encode()
    assert rules(text, 4) == ["truncated"]


def test_a_hole_inside_a_truncated_file_is_a_hole() -> None:
    text = json.dumps({"a": tensor(0, 4), "b": tensor(6, 10)}).encode()
    assert rules(text, 8) == ["hole", "truncated"]


@pytest.mark.parametrize(
    ("entry", "count"),
    [
        (tensor(0, 9), 1),
        (tensor(0, 4, dtype="F31"), None),
        ({"dtype": "U8"}, None),
        (tensor(2**63, 2**63 + 4), None),
    ],
    ids=["truncated", "unknown dtype", "malformed", "past any file"],
)
def test_a_broken_header_says_how_many_tensors_it_names(
    entry: dict[str, object], count: int | None
) -> None:
    found = report(json.dumps({"a": entry}).encode())
    assert found.problems
    assert found.tensors == 1
    assert (found.header is None) == (count is None)


def test_of_a_header_that_is_no_json_nothing_is_known_but_its_length() -> None:
    found = report(b'{"a":')
    assert (found.header_bytes, found.tensors, found.header) == (5, None, None)


def test_the_header_of_a_tensor_named_twice_has_it_once() -> None:
    member = b'"a":' + json.dumps(tensor(0, 4)).encode()
    other = b'"a":' + json.dumps(tensor(0, 4, dtype="I8")).encode()
    found = report(b"{" + member + b"," + other + b"}")
    assert found.header is not None
    assert found.header.names == ["a"]
    assert found.tensors == 1


def test_findings_of_one_header_have_an_end_and_say_so() -> None:
    text = json.dumps(dict.fromkeys(map(str, range(MAX_FINDINGS + 5)))).encode()
    *kept, last = report(text, 0).problems
    assert {found.rule for found in kept} == {"malformed_entry"}
    assert (len(kept), last.rule) == (MAX_FINDINGS, "findings_left_out")


def test_as_many_findings_as_are_kept_are_all() -> None:
    text = json.dumps(dict.fromkeys(map(str, range(MAX_FINDINGS)))).encode()
    assert len(report(text, 0).problems) == MAX_FINDINGS
    assert not Findings().is_full


HUNGRY = {
    "lists": b'{"a":{"x":[' + b"[]," * 20_000 + b"[]]}}",
    "objects": b'{"a":{"x":[' + b"{}," * 20_000 + b"{}]}}",
    "surrogates": b'{"a":{"\\ud83d\\ude00":[' + b"[]," * 20_000 + b"[]]}}",
    "numbers": b'{"a":{"x":[' + b"300," * 16_000 + b"300]}}",
    "tensors": b" {"
    + b",".join(b'"%d":%s' % (n, json.dumps(tensor(0, 0)).encode()) for n in range(1_200))
    + b"}",
    "one name": b"{" + b",".join([b'"a":{}'] * 10_000) + b"}",
    "names": b"{" + b",".join(b'"%d":{}' % n for n in range(6_000)) + b"}",
}


@pytest.mark.parametrize("text", HUNGRY.values(), ids=HUNGRY)
def test_no_header_takes_more_than_thirty_times_its_length_besides_findings(text: bytes) -> None:
    """Values without content are the dearest; a second decoder held all of them again."""
    tracemalloc.start()
    try:
        findings = len(report(text).problems)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 30 * len(text) + 1_000 * findings
