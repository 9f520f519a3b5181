"""Everything that is wrong with a header. Slow and complete, where `header.py` is fast.

Each rule cites what the reference reader does with it (safetensors 0.8.0, `tensor.rs`). What that
reader lets pass and is ambiguous is an error all the same: two tensors of one name, of which it
keeps the last.
"""

import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from inspector.errors import Place, Problem
from inspector.format import strict_json
from inspector.format.coverage import RawEntry, check_coverage, check_sizes
from inspector.format.doubts import ENTRY_FIELDS, doubts_about
from inspector.format.dtypes import DTYPE_BY_CODE
from inspector.format.findings import MAX_FINDINGS, Findings
from inspector.format.rules import problem
from inspector.format.strict_json import Pairs, kind_of

_PREFIX_BYTES: Final = 8
_MAX_SIZE: Final = 1 << 64


@dataclass(slots=True)
class Examined:
    """What could be read of a header, and what is wrong with it.

    `entries` are the tensors that could be read, by offset; `tensors` counts the names, None where
    not even those can be told; `is_whole` says that every tensor is among the entries.
    """

    metadata: dict[str, str] | None = None
    entries: list[RawEntry] = field(default_factory=list)
    problems: Findings = field(default_factory=Findings)
    tensors: int | None = None
    is_whole: bool = False


def examine(text: bytes, *, shard: str, file_size: int | None) -> Examined:
    """Read as much of a header as can be read, and report every problem."""
    result = Examined()
    pairs = _load(text, shard, result.problems)
    if pairs is None:
        return result
    result.problems.add_all(_duplicates(pairs, shard, ""))
    last = dict(pairs)
    if "__metadata__" in last:
        result.metadata = _metadata(last["__metadata__"], shard, result.problems)
    result.tensors = len(last) - ("__metadata__" in last)
    members = [(name, value) for name, value in pairs if name != "__metadata__"]
    read = [_entry(*member, shard, result.problems) for member in _while_room(members, result)]
    result.is_whole = len(read) == len(members) and None not in read
    placed = list(dict.fromkeys(entry for entry in read if entry is not None))
    result.entries = _by_offset(placed)
    sizes = Findings(islice(check_sizes(result.entries, shard=shard), MAX_FINDINGS))
    endless = {found.where.tensor for found in sizes if found.rule == "shape_overflow"}
    known = [entry for entry in placed if entry.name not in endless]
    coverage = _check_known(known, shard, _PREFIX_BYTES + len(text), file_size)
    # The bytes of an entry that cannot be read or believed are unknown, and so are holes.
    if endless or not result.is_whole or any(entry.start > entry.stop for entry in known):
        coverage = [found for found in coverage if found.rule not in ("hole", "trailing_bytes")]
    for more in (sizes, coverage, doubts_about(text, members, shard=shard)):
        result.problems.add_all(more)
    result.problems.say_if_full(shard)
    return result


def _while_room(
    members: Sequence[tuple[str, object]], result: Examined
) -> Iterator[tuple[str, object]]:
    for member in members:
        if result.problems.is_full:
            return
        yield member


def _check_known(
    entries: Sequence[RawEntry], shard: str, data_start: int, file_size: int | None
) -> list[Problem]:
    """Problems of coverage. Of tensors of one name, which are reported, the last may be meant."""

    def check(ones: Iterable[RawEntry]) -> list[Problem]:
        found = check_coverage(
            _by_offset(ones), shard=shard, data_start=data_start, file_size=file_size
        )
        return list(islice(found, MAX_FINDINGS + 1))

    found = check(entries)
    last = {entry.name: entry for entry in entries}
    if not found or len(last) == len(entries):
        return found
    return min(found, check(last.values()), key=len)


def _by_offset(entries: Iterable[RawEntry]) -> list[RawEntry]:
    return sorted(entries, key=lambda entry: (entry.start, entry.stop))


def _load(text: bytes, shard: str, problems: Findings) -> Pairs | None:
    """The header's members, or None and the reason why there are none to be had."""
    message, offset = "the header is not JSON", 0
    try:
        value = strict_json.load(text)
    except UnicodeDecodeError as error:
        where = Place(shard=shard, offset=_PREFIX_BYTES + error.start)
        found = f"byte 0x{text[error.start]:02x}"
        message = "the header is not UTF-8"
        problems.add(problem("header_not_utf8", where, message, expected="UTF-8", found=found))
        return None
    except strict_json.NotJson as error:
        offset, found = error.offset, error.reason
    else:
        if isinstance(value, Pairs) and _is_shallow(value):
            return value
        if isinstance(value, Pairs):
            message = "the header is nested deeper than the reference reader follows"
            found = f"more than {strict_json.MAX_DEPTH} levels"
        else:
            message = "the header is not a JSON object"
            found = f"a JSON {kind_of(value)}"
    where = Place(shard=shard, offset=_PREFIX_BYTES + offset)
    problems.add(problem("header_not_json", where, message, expected="a JSON object", found=found))
    return None


def _is_shallow(pairs: Pairs) -> bool:
    """Whether nothing lies too deep. Where there are only the usual fields, nothing does."""
    odd = [
        value
        for _, entry in pairs
        if isinstance(entry, list)
        for name, value in (entry if isinstance(entry, Pairs) else [("", entry)])
        if name not in ENTRY_FIELDS
    ]
    return not odd or strict_json.depth_of(odd) + 1 <= strict_json.MAX_DEPTH


def _duplicates(pairs: Pairs, shard: str, inside: str) -> Iterator[Problem]:
    if len(dict(pairs)) == len(pairs):
        return
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            message = f"the key {key!r} occurs more than once" + (
                f" in {inside!r}" if inside else ""
            )
            where = Place(shard=shard, tensor=inside or key)
            yield problem("duplicate_key", where, message, expected="one", found=count)


def _metadata(value: object, shard: str, problems: Findings) -> dict[str, str] | None:
    where = Place(shard=shard, tensor="__metadata__")

    def refuse(rule: str, found: str) -> None:
        message = "__metadata__ is not a map of strings to strings"
        problems.add(problem(rule, where, message, expected="strings", found=found))

    if value is None:
        refuse("metadata_null", "a JSON null")
        return None
    if not isinstance(value, Pairs):
        refuse("metadata_not_strings", f"a JSON {kind_of(value)}")
        return None
    problems.add_all(_duplicates(value, shard, "__metadata__"))
    wrong = [(key, item) for key, item in value if not isinstance(item, str)]
    if wrong:
        few = ", ".join(f"{reprlib.repr(key)}: {kind_of(item)}" for key, item in wrong[:3])
        refuse("metadata_not_strings", few)
        return None
    return dict(value)


def _entry(name: str, value: object, shard: str, problems: Findings) -> RawEntry | None:
    where = Place(shard=shard, tensor=name)

    def malformed(message: str, expected: str, found: object) -> None:
        problems.add(problem("malformed_entry", where, message, expected=expected, found=found))

    if not isinstance(value, Pairs):
        malformed("the entry is not an object", "an object", f"a JSON {kind_of(value)}")
        return None
    problems.add_all(_duplicates(value, shard, name))
    fields = dict(value)
    missing = [key for key in ENTRY_FIELDS if key not in fields]
    if missing:
        malformed("the entry lacks a field", ", ".join(ENTRY_FIELDS), f"no {', '.join(missing)}")
        return None
    dtype, shape, offsets = (fields[key] for key in ENTRY_FIELDS)
    if not isinstance(dtype, str):
        malformed("the dtype is not a string", "a string", f"a JSON {kind_of(dtype)}")
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
        message, seen = "the dtype is not one of the 22 codes", reprlib.repr(dtype)
        expected = "a safetensors dtype"
        problems.add(problem("unknown_dtype", where, message, expected=expected, found=seen))
    return RawEntry(name, dtype, tuple(shape), offsets[0], offsets[1])


def _is_sizes(value: object) -> bool:
    return isinstance(value, list) and all(
        type(item) is int and 0 <= item < _MAX_SIZE for item in value
    )
