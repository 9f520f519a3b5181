"""Headers at the limits, over a network: how many reads, how many bytes, none of them twice."""

import json
import struct
from collections import Counter

import pytest

from inspector.checkpoint import ReadPolicy
from inspector.checkpoint.headers import HEADER_SLACK, PILOT_READ, read_headers
from inspector.errors import FormatError
from inspector.format.header import MAX_HEADER_BYTES
from inspector.source.base import MemorySource
from tests.hostile.build import shard, tensor


def header_of(length: int) -> bytes:
    """A file that is a header of so many bytes: a note and spaces."""
    text = json.dumps({"__metadata__": {"format": "pt"}}).encode().ljust(length)
    return struct.pack("<Q", length) + text


def remote(files: dict[str, bytes]) -> MemorySource:
    source = MemorySource(files)
    source.kind = "hub"
    return source


@pytest.mark.parametrize("length", range(99_990, 100_011))
def test_headers_around_100_000_bytes_take_one_read(length: int) -> None:
    """huggingface_hub reads 100,000 bytes first: headers around that were once cut."""
    source = remote({f"{number}.safetensors": header_of(length) for number in range(3)})
    headers = list(read_headers(source, sorted(source.files()), ReadPolicy()))
    assert [header.span.stop for header in headers] == [8 + length] * 3
    assert len(source.reads) == 3


@pytest.mark.parametrize("length", [25_000_000, MAX_HEADER_BYTES])
def test_a_long_header_takes_two_reads_that_do_not_overlap(length: int) -> None:
    source = remote({"a.safetensors": header_of(length)})
    (header,) = read_headers(source, ["a.safetensors"], ReadPolicy())
    assert header.span.stop == 8 + length
    assert [(span.start, span.stop) for _, span in source.reads] == [
        (0, PILOT_READ), (PILOT_READ, 8 + length)
    ]  # fmt: skip


def test_a_header_one_byte_over_the_limit_is_refused_by_the_first_read() -> None:
    content = struct.pack("<Q", MAX_HEADER_BYTES + 1) + bytes(MAX_HEADER_BYTES + 1)
    source = remote({"a.safetensors": content})
    with pytest.raises(FormatError, match="over the limit"):
        list(read_headers(source, ["a.safetensors"], ReadPolicy()))
    assert [(span.start, span.stop) for _, span in source.reads] == [(0, PILOT_READ)]


def test_a_longer_header_than_guessed_costs_one_read_and_reads_nothing_twice() -> None:
    """The largest file has a short header, by which the first reads of the others are sized."""
    pilot = shard({"a": tensor(0, 500_000)}, bytes(500_000))
    files = {f"{number}.safetensors": header_of(500 + 200 * number) for number in range(9)}
    source = remote({"pilot.safetensors": pilot, **files})
    list(read_headers(source, sorted(source.files()), ReadPolicy()))
    reads = Counter(name for name, _ in source.reads)
    seen = dict.fromkeys(source.files(), 0)
    for name, span in source.reads:
        assert span.start == seen[name]
        seen[name] = span.stop
    guess = int(len(pilot[:-500_000]) * HEADER_SLACK) + 1024
    long = {name for name, content in files.items() if len(content) > guess}
    assert len(long) == 6
    assert {name for name, count in reads.items() if count == 2} == long
    assert max(reads.values()) == 2
