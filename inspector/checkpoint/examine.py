"""Looking at every file of a checkpoint, whatever is wrong with the others.

Where `discover.py` finds the shards that answer a question, this finds all there are; the index is
always read, since it is one of the things that may be wrong.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from inspector.analysis.integrity import IndexReport, Integrity, check_integrity
from inspector.checkpoint.discover import SINGLE_NAME
from inspector.checkpoint.headers import report_failure, report_shards
from inspector.checkpoint.policy import ReadPolicy
from inspector.errors import ObjectNotFound, Place, SourceError
from inspector.format.index import (
    INDEX_NAME,
    INDEX_SUFFIX,
    MAX_INDEX_BYTES,
    examine_index,
    is_safe_shard,
)
from inspector.format.rules import problem
from inspector.format.shard_report import ShardReport
from inspector.source.base import Source, read_file
from inspector.source.pool import map_ordered

_SIZE_JOBS: Final = 16
"""Sizes that are asked for at a time, of files that no listing has."""


@dataclass(slots=True)
class _Found:
    """The files of a checkpoint: sizes of those to be read, what is known of those that cannot."""

    sizes: dict[str, int]
    indexes: list[IndexReport]
    failures: list[ShardReport] = field(default_factory=list)


def examine_files(
    source: Source, index_file: str | None, policy: ReadPolicy, *, one_file: bool = False
) -> Integrity:
    """Every file by itself, and headers, indexes and files against each other.

    Args:
        source: the files.
        index_file: the index that a person named, or None for all there are.
        policy: how to read.
        one_file: whether the source was asked for one of its files alone.

    Raises:
        ObjectNotFound: there is neither a shard nor an index.
        SourceError: no file could be read at all.
    """
    found = _find_files(source, index_file)
    reports = _all_but_nothing(_each_report(source, found, policy))
    return check_integrity(reports, found.indexes, one_file=one_file)


def index_sizes(source: Source, index_file: str | None) -> dict[str, int]:
    """The indexes that an examination reads, with their sizes."""
    listing = source.files()
    if source.kind == "http" and not listing:
        try:
            return {index_file or INDEX_NAME: source.size(index_file or INDEX_NAME)}
        except ObjectNotFound:
            return {}
    names = [index_file] if index_file else _indexes_in(listing)
    return {name: listing[name] for name in names if name in listing}


def _indexes_in(listing: Collection[str]) -> list[str]:
    return sorted(name for name in listing if "/" not in name and name.endswith(INDEX_SUFFIX))


def _each_report(source: Source, found: _Found, policy: ReadPolicy) -> Iterator[ShardReport]:
    yield from found.failures
    yield from report_shards(source, found.sizes, policy)


def _all_but_nothing(reports: Iterable[ShardReport]) -> Iterator[ShardReport]:
    """The reports. Raises the first failure where all are failures: then the source is at fault."""
    failure = None
    answered = False
    for report in reports:
        failure = failure or report.failure
        answered = answered or report.failure is None
        yield report
    if failure is not None and not answered:
        raise failure


def _find_files(source: Source, index_file: str | None) -> _Found:
    listing = dict(source.files())
    if source.kind == "http" and not listing:
        return _find_unlisted(source, index_file or INDEX_NAME)
    shards = (name for name in listing if "/" not in name and name.endswith(".safetensors"))
    sizes = {name: listing[name] for name in sorted(shards)}
    named = [index_file] if index_file else _indexes_in(listing)
    found = _Found(sizes, [_read_index(source, name) for name in named])
    if not sizes and not named:
        there = f"there are: {', '.join(sorted(listing)[:8])}" if listing else "it is empty"
        raise ObjectNotFound(f"{source.location}: no .safetensors file", hint=there)
    _add_named(source, found, listing)
    return found


def _find_unlisted(source: Source, index_file: str) -> _Found:
    """A web directory: its index says what is there, or it holds `model.safetensors`."""
    try:
        size = source.size(index_file)
    except ObjectNotFound as error:
        try:
            return _Found({SINGLE_NAME: source.size(SINGLE_NAME)}, [])
        except ObjectNotFound:
            raise ObjectNotFound(
                f"{source.location}: neither {index_file} nor {SINGLE_NAME}",
                hint="name the directory of a checkpoint, or one .safetensors file",
            ) from error
    found = _Found({}, [_read_index(source, index_file)])
    _add_named(source, found, {index_file: size})
    return found


def _read_index(source: Source, file: str) -> IndexReport:
    size = 0
    try:
        size = source.size(file)
        text = read_file(source, file, max_bytes=MAX_INDEX_BYTES)
    except SourceError as error:
        unread = problem(
            "unreadable_file", Place(shard=file), "the index cannot be read",
            expected="a file that can be read", found=error,
        )  # fmt: skip
        return IndexReport(file, size, None, (unread,))
    index, problems = examine_index(text, file=file)
    return IndexReport(file, size, index, tuple(problems))


def _add_named(source: Source, found: _Found, listing: Collection[str]) -> None:
    """Add the shards that an index names and no listing has: in folders, or on a web server."""
    names = {
        name
        for report in found.indexes
        if report.index is not None
        for name in report.index.shards
        if is_safe_shard(name) and name not in found.sizes
    }

    def size_of(name: str) -> int | SourceError:
        try:
            return source.size(name)
        except SourceError as error:
            return error

    ordered = sorted(names)
    for name, size in zip(ordered, map_ordered(size_of, ordered, jobs=_SIZE_JOBS), strict=True):
        if isinstance(size, int):
            found.sizes[name] = size
        elif not isinstance(size, ObjectNotFound):
            found.failures.append(report_failure(name, None, size))
