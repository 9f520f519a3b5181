"""What is kept of a checkpoint between runs, and when it may be believed.

At a commit nothing changes: a kept catalog needs no question. Elsewhere it is believed where every
file that it rests on has the size and the stamp (ETag, times of writing) that it had, and those
that were not there still are not.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from inspector.catalog import Catalog
from inspector.catalog.packing import pack_catalog, unpack_catalog
from inspector.checkpoint.discover import REMOTE_KINDS, Shards, watched_files
from inspector.errors import ObjectNotFound, Problem
from inspector.source.access import Access
from inspector.source.base import Ledger, Source
from inspector.source.pool import map_ordered
from inspector.source.shelf import Label

_WORTH_KEEPING: Final = 20_000
"""Tensors from which on a local catalog is kept: fewer are parsed in a twentieth of a second."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the headers say: the tensors, the `.safetensors` files with sizes, what is wrong."""

    catalog: Catalog
    files: Mapping[str, int]
    problems: list[Problem]


class _Stamp(msgspec.Struct, frozen=True, array_like=True):
    """Size and stamp of a file; both are None where there was no such file."""

    size: int | None
    stamp: str | None


class _Kept(msgspec.Struct, frozen=True):
    catalog: bytes
    files: dict[str, int]
    problems: list[Problem]
    stamps: dict[str, _Stamp]


_ABSENT: Final = _Stamp(None, None)


class Keeper:
    """Keeps the facts of one source on the shelf that `access` has, if it has one."""

    def __init__(
        self, source: Source, access: Access, ledger: Ledger, *, index_file: str | None, jobs: int
    ) -> None:
        self._source = source
        self._access = access
        self._ledger = ledger
        self._index_file = index_file
        self._jobs = jobs
        self._is_remote = source.kind in REMOTE_KINDS
        self._is_pinned = self._is_remote and source.commit is not None
        self._label = None
        if access.shelf is not None and source.subject is not None:
            self._label = Label(
                kind="catalog",
                subject=source.subject,
                version=f"{source.commit if self._is_pinned else ''}/{index_file or ''}",
            )

    def recall(self) -> Facts | None:
        """The facts, where they were kept and are as they were."""
        entry = None if self._label is None else self._access.recall(self._label)
        if entry is None:
            return None
        try:
            kept = msgspec.msgpack.decode(entry.content, type=_Kept)
            facts = Facts(unpack_catalog(kept.catalog), kept.files, kept.problems)
        except (msgspec.MsgspecError, ValueError):
            return None
        if self._access.offline and self._is_remote:
            self._access.say_offline(self._source.location, "the kept headers", entry.saved_at)
        elif not self._is_pinned and not self._is_current(kept):
            return None
        self._ledger.add_cached(len(entry.content))
        return facts

    def keep(self, facts: Facts, shards: Shards) -> None:
        """Put the facts of all shards on the shelf."""
        if self._label is None or not shards.is_whole:
            return
        if not self._is_remote and len(facts.catalog) < _WORTH_KEEPING:
            return
        stamps = {} if self._is_pinned else self._stamps_of(self._watched | shards.all_named)
        if stamps is None:
            return
        try:
            kept = _Kept(
                catalog=pack_catalog(facts.catalog),
                files=dict(facts.files),
                problems=facts.problems,
                stamps=stamps,
            )
            content = msgspec.msgpack.encode(kept)
        except UnicodeEncodeError:
            return
        self._access.keep(self._label, content)

    @property
    def _watched(self) -> set[str]:
        return watched_files(self._source, self._index_file)

    def _stamps_of(self, paths: Collection[str]) -> dict[str, _Stamp] | None:
        """Size and stamp of each file; None where one has no stamp or was written just now."""

        def stamp_of(path: str) -> _Stamp | None:
            try:
                size, stamp = self._source.size(path), self._source.stamp(path)
            except ObjectNotFound:
                return _ABSENT
            return None if stamp is None else _Stamp(size, stamp)

        ordered = sorted(paths)
        found = zip(ordered, map_ordered(stamp_of, ordered, jobs=self._jobs), strict=True)
        stamps: dict[str, _Stamp] = {}
        for path, stamp in found:
            if stamp is None:
                return None
            stamps[path] = stamp
        return stamps

    def _is_current(self, kept: _Kept) -> bool:
        return self._watched <= kept.stamps.keys() and (
            self._stamps_of(kept.stamps.keys()) == kept.stamps
        )
