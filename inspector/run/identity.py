"""What the results of a run depend on, so that those of two runs are never mixed."""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from inspector.errors import UsageError
from inspector.source.base import Source
from inspector.version import __version__

SCHEMA: Final = "s1inspect/run/1"

_KINDS: Final = (".safetensors", ".json")
"""Files that an answer may rest on: weights, indexes, configs."""

Scalar = str | int | float | bool | None


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint; `version` is its commit, or a digest of its files' sizes and stamps."""

    location: str
    version: str


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs of one identity give the same results, byte for byte."""

    schema: str = SCHEMA
    tool_version: str = __version__
    command: str
    inputs: dict[str, Input]
    parameters: dict[str, Scalar | list[int | str]]

    def difference(self, other: "Identity") -> str | None:
        """The first thing in which two identities differ, with both values; None for equals."""
        mine, its = (msgspec.to_builtins(one) for one in (self, other))
        for name in ("schema", "tool_version", "command"):
            if mine[name] != its[name]:
                return f"{name} {its[name]!r} there, {mine[name]!r} now"
        for group in ("inputs", "parameters"):
            for name in sorted({*mine[group], *its[group]}):
                here, there = (one[group].get(name) for one in (mine, its))
                if here != there:
                    return f"{name} {_said(there)} there, {_said(here)} now"
        return None


def input_of(source: Source, shards: Iterable[str] = ()) -> Input:
    """A checkpoint as an identity names it.

    Where there is no commit, files are told apart by sizes and what the source has as stamps.

    Args:
        source: the checkpoint.
        shards: files of it that are read; a web server has no listing that would name them.

    Raises:
        UsageError: a file has no stamp, so that a change of it could not be noticed.
    """
    if source.commit is not None:
        return Input(location=source.location, version=source.commit)
    names = sorted({*(name for name in source.files() if name.endswith(_KINDS)), *shards})
    stamps = [(name, source.size(name), source.stamp(name)) for name in names]
    for name, _, stamp in stamps:
        if stamp is None:
            raise UsageError(
                f"{source.location}/{name}: has no ETag, or was written just now: a change of it "
                "could not be noticed",
                hint="wait a moment, or run without --out",
            )
    digest = hashlib.blake2b(msgspec.json.encode(stamps), digest_size=16).hexdigest()
    return Input(location=source.location, version=digest)


def _said(value: object) -> str:
    if isinstance(value, dict):
        return f"{value['location']} at {value['version'][:12]}"
    return repr(value)
