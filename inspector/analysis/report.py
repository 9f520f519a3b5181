"""What every report carries: which checkpoint, at what cost, and what was found on the way."""

from typing import Final

import msgspec

from inspector.errors import Problem
from inspector.version import __version__


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint as a report names it; `files` counts the shards that were read."""

    location: str
    kind: str
    commit: str | None
    files: int


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer took: requests and bytes as counted at the wire, bytes taken from a cache."""

    requests: int
    bytes: int
    seconds: float
    cached_bytes: int = 0


NO_COST: Final = Cost(requests=0, bytes=0, seconds=0.0)
"""Of a document that is kept: each part of its run had a cost of its own."""


class Reads(msgspec.Struct, frozen=True, kw_only=True):
    """What reading something takes: requests and bytes."""

    requests: int
    bytes: int

    def __add__(self, other: "Reads") -> "Reads":
        return Reads(requests=self.requests + other.requests, bytes=self.bytes + other.bytes)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that every JSON document begins with."""

    schema: str
    tool_version: str = __version__
    model: Model
    cost: Cost
    findings: list[Problem]
