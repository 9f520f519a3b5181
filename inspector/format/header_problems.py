"""Everything that is wrong with a header. Slow and complete, where `header.py` is fast.

Each rule cites what the reference reader does with it (safetensors 0.8.0, `tensor.rs`); the one
difference is on purpose: duplicate keys, which its README forbids and its parser lets pass.
"""

import json
import reprlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from inspector.errors import Place, Problem
from inspector.format.dtypes import DTYPE_BY_CODE
from inspector.format.rules import problem

MAX_FILE_BYTES: Final = (1 << 63) - 1
"""No file is longer: file systems and HTTP clients count in signed 64-bit integers."""

_PREFIX_BYTES: Final = 8
_MAX_SIZE: Final = 1 << 64
_ENTRY_FIELDS: Final = ("dtype", "shape", "data_offsets")


@dataclass(frozen=True, slots=True)
class RawEntry:
    """A tensor as the header states it; `start` and `stop` count from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(slots=True)
class Examined:
    """What could be read of a header, `entries` by offset, and what is wrong with it."""

    metadata: dict[str, str] | None = None
    entries: list[RawEntry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that a key that occurs twice is seen."""


def examine(text: bytes, *, shard: str, file_size: int | None) -> Examined:
    """Read as much of a header as can be read, and report every problem."""
    result = Examined()
    pairs = _load(text, shard, result.problems)
    if pairs is None:
        return result
    _report_duplicates(pairs, shard, "", result.problems)
    last = dict(pairs)
    if last.get("__metadata__") is not None:
        result.metadata = _metadata(last["__metadata__"], shard, result.problems)
    entries = [
        _entry(name, value, shard, result.problems)
        for name, value in pairs
        if name != "__metadata__"
    ]
    placed = dict.fromkeys(entry for entry in entries if entry is not None)
    result.entries = sorted(placed, key=lambda entry: (entry.start, entry.stop))
    _check_sizes(result.entries, shard, result.problems)
    data_start = _PREFIX_BYTES + len(text)
    # The bytes of an entry that cannot be read are unknown, and so are holes.
    coverage = _check_coverage(result.entries, data_start, shard, file_size)
    if None in entries or any(entry.start > entry.stop for entry in placed):
        coverage = [found for found in coverage if found.rule not in ("hole", "trailing_bytes")]
    result.problems += coverage
    return result


def _load(text: bytes, shard: str, problems: list[Problem]) -> _Pairs | None:
    try:
        characters = text.decode("utf-8")
    except UnicodeDecodeError as error:
        where = Place(shard=shard, offset=_PREFIX_BYTES + error.start)
        found = f"byte 0x{text[error.start]:02x}"
        message = "the header is not UTF-8"
        problems.append(problem("header_not_utf8", where, message, expected="UTF-8", found=found))
        return None
    try:
        value = json.loads(
            characters,
            object_pairs_hook=_Pairs,
            parse_int=_integer,
            parse_constant=_refuse_constant,
        )
        msgspec.json.decode(text)  # json lets lone surrogates and 1e999 pass
    except (ValueError, RecursionError) as error:
        position = error.pos if isinstance(error, json.JSONDecodeError) else 0
        offset = _PREFIX_BYTES + len(characters[:position].encode("utf-8"))
        where = Place(shard=shard, offset=offset)
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        message = "the header is not JSON"
        problems.append(
            problem("header_not_json", where, message, expected="a JSON object", found=reason)
        )
        return None
    if not isinstance(value, _Pairs):
        where = Place(shard=shard, offset=_PREFIX_BYTES)
        found = f"a JSON {_json_kind(value)}"
        message = "the header is not a JSON object"
        problems.append(
            problem("header_not_json", where, message, expected="a JSON object", found=found)
        )
        return None
    return value


def _integer(word: str) -> int | float:
    """A JSON integer as the reference reads it: `-0` is a float to it, so no size."""
    return -0.0 if word == "-0" else int(word)


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _json_kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    kinds = {_Pairs: "object", list: "array", str: "string", int: "number", float: "number"}
    return kinds[type(value)]


def _report_duplicates(pairs: _Pairs, shard: str, inside: str, problems: list[Problem]) -> None:
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            message = f"the key {key!r} occurs more than once" + (
                f" in {inside!r}" if inside else ""
            )
            where = Place(shard=shard, tensor=inside or key)
            problems.append(problem("duplicate_key", where, message, expected="one", found=count))


def _metadata(value: object, shard: str, problems: list[Problem]) -> dict[str, str] | None:
    where = Place(shard=shard, tensor="__metadata__")
    message = "__metadata__ is not a map of strings to strings"
    expected = "strings"
    if not isinstance(value, _Pairs):
        found = f"a JSON {_json_kind(value)}"
        problems.append(
            problem("metadata_not_strings", where, message, expected=expected, found=found)
        )
        return None
    _report_duplicates(value, shard, "__metadata__", problems)
    wrong = [key for key, item in value if not isinstance(item, str)]
    if wrong:
        kinds = {key: _json_kind(item) for key, item in value}
        found = ", ".join(f"{key!r}: {kinds[key]}" for key in wrong[:3])
        problems.append(
            problem("metadata_not_strings", where, message, expected=expected, found=found)
        )
        return None
    return dict(value)


def _entry(name: str, value: object, shard: str, problems: list[Problem]) -> RawEntry | None:
    where = Place(shard=shard, tensor=name)

    def malformed(message: str, expected: str, found: object) -> None:
        problems.append(problem("malformed_entry", where, message, expected=expected, found=found))

    if not isinstance(value, _Pairs):
        malformed("the entry is not an object", "an object", f"a JSON {_json_kind(value)}")
        return None
    _report_duplicates(value, shard, name, problems)
    fields = dict(value)
    missing = [key for key in _ENTRY_FIELDS if key not in fields]
    if missing:
        malformed("the entry lacks a field", ", ".join(_ENTRY_FIELDS), f"no {', '.join(missing)}")
        return None
    dtype, shape, offsets = (fields[key] for key in _ENTRY_FIELDS)
    if not isinstance(dtype, str):
        malformed("the dtype is not a string", "a string", f"a JSON {_json_kind(dtype)}")
        return None
    if not _is_sizes(shape):
        malformed(
            "the shape is not a list of sizes", "integers from 0 to 2^64 - 1", reprlib.repr(shape)
        )
        return None
    if not _is_sizes(offsets) or len(offsets) != 2:
        malformed("data_offsets is not a pair of sizes", "two integers", reprlib.repr(offsets))
        return None
    if dtype not in DTYPE_BY_CODE:
        message = "the dtype is not one of the 22 codes"
        expected = "a safetensors dtype"
        problems.append(
            problem("unknown_dtype", where, message, expected=expected, found=reprlib.repr(dtype))
        )
    return RawEntry(name, dtype, tuple(shape), offsets[0], offsets[1])


def _is_sizes(value: object) -> bool:
    return isinstance(value, list) and all(
        type(item) is int and 0 <= item < _MAX_SIZE for item in value
    )


def _check_sizes(entries: list[RawEntry], shard: str, problems: list[Problem]) -> None:
    for entry in entries:
        where = Place(shard=shard, tensor=entry.name)
        if entry.dtype not in DTYPE_BY_CODE:
            continue
        bits = _size_in_bits(entry)
        if bits is None:
            message = f"{list(entry.shape)} {entry.dtype} does not fit in 64 bits"
            problems.append(
                problem("shape_overflow", where, message, expected="< 2^64 bits", found="more")
            )
        elif bits % 8:
            message = f"{list(entry.shape)} {entry.dtype} does not end on a byte boundary"
            problems.append(
                problem(
                    "sub_byte_misaligned", where, message,
                    expected="a multiple of 8 bits", found=bits,
                )
            )  # fmt: skip
        elif entry.start <= entry.stop and entry.stop - entry.start != bits // 8:
            message = f"{list(entry.shape)} {entry.dtype} needs another number of bytes"
            problems.append(
                problem(
                    "span_size_mismatch", where, message,
                    expected=bits // 8, found=entry.stop - entry.start,
                )
            )  # fmt: skip


def _size_in_bits(entry: RawEntry) -> int | None:
    """Bits of a tensor; None where a 64-bit multiplication on the way would overflow."""
    count = 1
    for dimension in (*entry.shape, DTYPE_BY_CODE[entry.dtype].bits):
        count *= dimension
        if count >= _MAX_SIZE:
            return None
    return count


def _check_coverage(
    entries: list[RawEntry],
    data_start: int,
    shard: str,
    file_size: int | None,
) -> list[Problem]:
    problems = []
    cursor = 0
    for entry in entries:
        where = Place(shard=shard, tensor=entry.name, offset=data_start + entry.start)
        if entry.start > entry.stop:
            message = "the tensor ends before it starts"
            problems.append(
                problem(
                    "offsets_reversed", where, message,
                    expected=f"a stop of at least {entry.start}", found=entry.stop,
                )
            )  # fmt: skip
            continue
        if entry.start > cursor:
            message = f"{entry.start - cursor} bytes before the tensor belong to none"
            problems.append(
                problem("hole", where, message, expected=data_start + cursor, found=where.offset)
            )
        elif entry.start < cursor:
            message = f"the tensor shares {min(cursor, entry.stop) - entry.start} bytes with others"
            problems.append(
                problem("overlap", where, message, expected=data_start + cursor, found=where.offset)
            )
        cursor = max(cursor, entry.stop)
    stop = data_start + cursor
    if file_size is None:
        file_size = min(stop, MAX_FILE_BYTES)
    where = Place(shard=shard, offset=min(stop, file_size))
    if stop > file_size:
        message = "the file ends before the last tensor"
        problems.append(problem("truncated", where, message, expected=stop, found=file_size))
    elif stop < file_size:
        message = f"{file_size - stop} bytes follow the last tensor"
        problems.append(problem("trailing_bytes", where, message, expected=stop, found=file_size))
    return problems
