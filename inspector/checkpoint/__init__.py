"""`open_checkpoint`: a source, its catalog and its layout as one object that reads weights.

Everything above asks it for facts and arrays; nothing above it opens anything.
"""

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Self

from inspector.analysis.report import Cost, Model
from inspector.catalog import Catalog, CatalogBuilder
from inspector.catalog.agreement import check_across_shards, check_index
from inspector.checkpoint.discover import REMOTE_KINDS, find_shards
from inspector.checkpoint.headers import read_headers
from inspector.checkpoint.policy import ReadPolicy
from inspector.checkpoint.reader import Reader
from inspector.config import CONFIG_NAME, MAX_CONFIG_BYTES, ModelConfig, parse_config
from inspector.errors import ObjectNotFound, Problem
from inspector.layout.weights import WeightBook
from inspector.source.base import Ledger, Source, read_file
from inspector.source.resolve import open_source, parse_location
from inspector.source.wrappers import Budget

__all__ = ["Checkpoint", "ReadPolicy", "open_checkpoint"]


class Checkpoint:
    """A checkpoint that is open. Headers are read when the catalog is first asked for."""

    def __init__(
        self, source: Source, ledger: Ledger, policy: ReadPolicy, *, index_file: str | None = None
    ) -> None:
        self.source = source
        self.ledger = ledger
        self.policy = policy
        self.problems: list[Problem] = []
        self.reader = Reader(source, policy)
        self.stored_bytes = 0
        self._index_file = index_file
        self._naming: tuple[str, ...] = ()
        self._started = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    @property
    def is_remote(self) -> bool:
        return self.source.kind in REMOTE_KINDS

    @property
    def model(self) -> Model:
        """The checkpoint as a report names it."""
        source = self.source
        return Model(
            location=source.location,
            kind=source.kind,
            commit=source.commit,
            files=len(self.catalog.shards),
        )

    @property
    def cost(self) -> Cost:
        """What has been read since this was opened; checkpoints that share a ledger share it."""
        return Cost(
            requests=self.ledger.requests,
            bytes=self.ledger.bytes,
            seconds=round(time.perf_counter() - self._started, 3),
        )

    @cached_property
    def config(self) -> ModelConfig | None:
        """The config.json beside the weights, or None where there is none."""
        try:
            text = read_file(self.source, CONFIG_NAME, max_bytes=MAX_CONFIG_BYTES)
        except ObjectNotFound:
            return None
        return parse_config(text, file=f"{self.source.location}/{CONFIG_NAME}")

    def only_naming(self, parts: Sequence[str]) -> None:
        """Let the catalog be of the shards that hold such names, where that can be told at once.

        To be called before the catalog is asked for. Every tensor with such a part in its name is
        in the catalog all the same; the agreement of the index with the headers is not checked.
        """
        self._naming = tuple(parts)

    @cached_property
    def catalog(self) -> Catalog:
        """Every tensor of every shard. Disagreements go to `problems`.

        Raises:
            SourceError: a shard cannot be read, or there is none.
            FormatError: a header or the index is malformed.
        """
        shards = find_shards(self.source, self._index_file, naming=self._naming)
        self.stored_bytes = sum(shards.files.values())
        builder = CatalogBuilder()
        for header in read_headers(self.source, shards.names, self.policy):
            builder.add(header)
        catalog = builder.build()
        self.problems += check_across_shards(catalog)
        if shards.index is not None:
            self.problems += check_index(catalog, shards.index, shards.files)
        return catalog

    @cached_property
    def weights(self) -> WeightBook:
        """The checkpoint's weights by name."""
        return WeightBook(self.catalog, self.config)


def open_checkpoint(
    location: str,
    *,
    revision: str | None = None,
    policy: ReadPolicy | None = None,
    ledger: Ledger | None = None,
) -> Checkpoint:
    """Open what a person would type for a checkpoint: a path, `org/name[@rev]`, a URL, an alias.

    Raises:
        UsageError: `location` means nothing.
        SourceError: it is not there, or may not be read.
    """
    policy = policy or ReadPolicy()
    ledger = ledger or Ledger()
    parsed = parse_location(location, revision=revision)
    source = open_source(parsed, ledger)
    if policy.max_bytes is not None:
        source = Budget(source, policy.max_bytes)
    return Checkpoint(source, ledger, policy, index_file=parsed.index)
