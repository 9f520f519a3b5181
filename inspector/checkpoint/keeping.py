"""What is kept of a checkpoint between runs, and when it may be believed.

At a commit nothing changes: a kept catalog needs no question. Elsewhere it is believed where every
file has the size and the stamp (ETag, time of writing) that it had.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from inspector.catalog import Catalog
from inspector.catalog.packing import pack_catalog, unpack_catalog
from inspector.checkpoint.discover import REMOTE_KINDS
from inspector.errors import ObjectNotFound, OutputError, Problem
from inspector.source.access import Access
from inspector.source.base import Ledger, Source
from inspector.source.pool import map_ordered
from inspector.source.shelf import Label

_WORTH_KEEPING: Final = 20_000
"""Tensors from which on a local catalog is kept: fewer are parsed in a twentieth of a second."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the headers say: the tensors, the `.safetensors` files with sizes, what is wrong.

    `index_file` is the index that was read for it, if one was.
    """

    catalog: Catalog
    files: Mapping[str, int]
    problems: list[Problem]
    index_file: str | None


class _Stamp(msgspec.Struct, frozen=True, array_like=True):
    size: int
    stamp: str


class _Kept(msgspec.Struct, frozen=True):
    catalog: bytes
    files: dict[str, int]
    problems: list[Problem]
    index_file: str | None
    stamps: dict[str, _Stamp]
    is_listed: bool


class Keeper:
    """Keeps the facts of one source on the shelf that `access` has, if it has one."""

    def __init__(
        self, source: Source, access: Access, ledger: Ledger, *, index_file: str | None, jobs: int
    ) -> None:
        self._source = source
        self._access = access
        self._ledger = ledger
        self._jobs = jobs
        self._is_pinned = source.kind in REMOTE_KINDS and source.commit is not None
        self._label = None
        if access.shelf is not None and source.subject is not None:
            self._label = Label(
                kind="catalog",
                subject=source.subject,
                version=f"{source.commit if self._is_pinned else ''}/{index_file or ''}",
            )

    def recall(self) -> Facts | None:
        """The facts, where they were kept and are as they were."""
        if self._label is None or self._access.shelf is None:
            return None
        content = self._access.shelf.load(self._label)
        if content is None:
            return None
        try:
            kept = msgspec.msgpack.decode(content, type=_Kept)
            facts = Facts(unpack_catalog(kept.catalog), kept.files, kept.problems, kept.index_file)
        except (msgspec.MsgspecError, ValueError):
            return None
        if not self._is_current(kept):
            return None
        self._ledger.add_cached(len(content))
        return facts

    def keep(self, facts: Facts) -> None:
        """Put the facts on the shelf. A shelf that cannot be written is mentioned, once."""
        if self._label is None or self._access.shelf is None:
            return
        if self._source.kind not in REMOTE_KINDS and len(facts.catalog) < _WORTH_KEEPING:
            return
        stamps = {} if self._is_pinned else self._stamps_of(self._stamped(facts))
        if stamps is None:
            return
        try:
            kept = _Kept(
                catalog=pack_catalog(facts.catalog),
                files=dict(facts.files),
                problems=facts.problems,
                index_file=facts.index_file,
                stamps=stamps,
                is_listed=bool(self._source.files()),
            )
            self._access.shelf.save(self._label, msgspec.msgpack.encode(kept))
        except UnicodeEncodeError:
            return
        except OutputError as error:
            self._access.say_once(f"not kept for the next time: {error}")

    def _stamped(self, facts: Facts) -> list[str]:
        """The files whose change would change the facts: shards and index."""
        listed = self._source.files()
        indexes = [name for name in listed if name.endswith(".index.json")]
        named = [facts.index_file] if facts.index_file else []
        return sorted({*facts.files, *indexes, *named})

    def _stamps_of(self, paths: list[str]) -> dict[str, _Stamp] | None:
        """Size and stamp of each file; None where one has no stamp or was written just now."""

        def stamp_of(path: str) -> _Stamp | None:
            try:
                size, stamp = self._source.size(path), self._source.stamp(path)
            except ObjectNotFound:
                return None
            return None if stamp is None else _Stamp(size, stamp)

        found = dict(zip(paths, map_ordered(stamp_of, paths, jobs=self._jobs), strict=True))
        complete = {path: stamp for path, stamp in found.items() if stamp is not None}
        return complete if len(complete) == len(found) else None

    def _is_current(self, kept: _Kept) -> bool:
        if self._is_pinned:
            return True
        if self._access.offline and self._source.kind in REMOTE_KINDS:
            self._access.patience.say(f"{self._source.location}: offline, as it was when last read")
            return True
        if kept.is_listed:
            listed = {
                name: size
                for name, size in self._source.files().items()
                if name.endswith(".safetensors") and "/" not in name
            }
            if any(kept.files.get(name) != size for name, size in listed.items()):
                return False
        return self._stamps_of(list(kept.stamps)) == kept.stamps
