"""The document of `safetensors-metadata`: all headers of a sharded repository, built once."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HeaderDocument:
    """One index without its weight map, and the headers of its shards; plain and as gzip."""

    plain: bytes
    packed: bytes


class HeaderDocuments:
    """The documents of indexes, kept until the index or one of its shards changes.

    The headers are read and written anew, as a server does that builds an answer from them: the
    order of keys survives, spaces, needless escapes and all but the last of equal keys do not.
    """

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[tuple[Path, ...], tuple[int, ...], HeaderDocument]] = {}

    def of(self, index: Path) -> HeaderDocument:
        """The document of one index file, which lies beside its shards."""
        if index in self._kept:
            files, stamps, document = self._kept[index]
            if stamps == _stamps(files):
                return document
        parsed = json.loads(index.read_bytes())
        shards = sorted(set(parsed.pop("weight_map").values()))
        files = (index, *(index.parent / shard for shard in shards))
        stamps = _stamps(files)
        headers = ",".join(
            f"{_compact(shard)}:{_shard_header(index.parent / shard)}" for shard in shards
        )
        text = f'{{"index":{_compact(parsed)},"headers":{{{headers}}}}}'
        plain = text.encode("utf-8", "backslashreplace")  # a lone surrogate as JSON escapes it
        document = HeaderDocument(plain, zlib.compress(plain, wbits=31))
        self._kept[index] = files, stamps, document
        return document


def _stamps(files: Iterable[Path]) -> tuple[int, ...]:
    statuses = [path.stat() for path in files]
    return tuple(number for one in statuses for number in (one.st_size, one.st_mtime_ns))


def _shard_header(path: Path) -> str:
    with path.open("rb") as file:
        return _compact(json.loads(file.read(int.from_bytes(file.read(8), "little"))))


def _compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
