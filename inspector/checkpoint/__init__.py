"""`open_checkpoint`: a source, its catalog and its layout as one object that reads weights.

Everything above asks it for facts and arrays; nothing above it opens anything.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Self

from inspector.analysis.integrity import Integrity
from inspector.analysis.plan import PlannedReads
from inspector.analysis.report import Cost, Model
from inspector.catalog import Catalog, CatalogBuilder
from inspector.catalog.agreement import check_across_shards, check_index
from inspector.checkpoint.configs import Configs
from inspector.checkpoint.discover import REMOTE_KINDS, find_shards
from inspector.checkpoint.examine import examine_files, index_sizes
from inspector.checkpoint.keeping import Facts, Keeper
from inspector.checkpoint.locate import Locator
from inspector.checkpoint.one_request import may_be_given, read_all_headers
from inspector.checkpoint.planning import plan_config, plan_headers, plan_indexes
from inspector.checkpoint.policy import ReadPolicy
from inspector.checkpoint.reader import Reader
from inspector.config import MAX_CONFIG_BYTES, ModelConfig
from inspector.config.quantization import QuantConfig
from inspector.errors import BudgetExceeded, LayoutError, Problem
from inspector.layout.bitsandbytes import parse_state
from inspector.layout.declared import Declared
from inspector.layout.stored import holds_words
from inspector.layout.weights import WeightBook
from inspector.source.access import Access
from inspector.source.base import Ledger, Source, read_file
from inspector.source.pinned import pinned_name
from inspector.source.resolve import Location, open_source, parse_location
from inspector.source.wrappers import Budget

__all__ = ["Access", "Checkpoint", "ReadPolicy", "open_checkpoint"]


class Checkpoint:
    """A checkpoint that is open. Headers are read when the catalog is first asked for."""

    def __init__(
        self,
        source: Source,
        ledger: Ledger,
        policy: ReadPolicy,
        *,
        index_file: str | None = None,
        one_file: bool = False,
        access: Access | None = None,
        location: Location | None = None,
    ) -> None:
        self.source = source
        self._location = location
        self.ledger = ledger
        self.policy = policy
        self.problems: list[Problem] = []
        self.reader = Reader(source, policy)
        self._configs = Configs(source, self.problems)
        self.stored_bytes = 0
        self._index_file = index_file
        self._one_file = one_file
        self._access = access or Access()
        self._keeper = Keeper(source, self._access, ledger, index_file=index_file, jobs=policy.jobs)
        self._file_count: int | None = None
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
            files=len(self.catalog.shards) if self._file_count is None else self._file_count,
        )

    @property
    def pinned_name(self) -> str:
        """What to type so that the same bytes are read again, its commit with it."""
        if self._location is None:
            return self.source.location
        return pinned_name(self._location, self.source)

    @property
    def cost(self) -> Cost:
        """What has been read since this was opened; checkpoints that share a ledger share it."""
        return Cost(
            requests=self.ledger.requests,
            bytes=self.ledger.bytes,
            seconds=round(time.perf_counter() - self._started, 3),
            cached_bytes=self.ledger.cached_bytes,
        )

    @property
    def config(self) -> ModelConfig | None:
        """The config.json beside the weights, or None where there is none.

        Raises:
            ConfigError: it is no JSON object.
        """
        return self._configs.config

    def small_files(self, names: Sequence[str]) -> tuple[Mapping[str, int], Mapping[str, bytes]]:
        """The sizes of all files that the source lists, and the content of those named, if there.

        One too large to be what its name says is left out.
        """
        sizes = dict(self.source.files())
        return sizes, {
            name: read_file(self.source, name, max_bytes=MAX_CONFIG_BYTES)
            for name in names
            if sizes.get(name, MAX_CONFIG_BYTES + 1) <= MAX_CONFIG_BYTES
        }

    @property
    def claim(self) -> QuantConfig | None:
        """What is claimed of the quantization, in config.json or beside it; None where nothing is.

        A file that cannot be read counts as absent, which is one of `problems`.
        """
        return self._configs.claim

    @property
    def declared(self) -> Declared:
        """What the config declares of blocks and bits; a config that is malformed, what it can."""
        return self._configs.stated[1]

    def only_naming(self, parts: Sequence[str]) -> None:
        """Let the catalog be of the shards that hold such names, where that can be told at once.

        To be called before the catalog is asked for. The agreement of the index with the headers is
        not checked. With an index, every tensor with such a part in its name is in the catalog all
        the same; without, over a network, each module is as `Locator` finds it.
        """
        self._naming = tuple(parts)

    def narrowed(self, parts: Sequence[str]) -> "Checkpoint":
        """The same checkpoint, whose catalog is as after `only_naming`; its own is left whole.

        It is this one where the whole catalog is at hand. Both share source and ledger.
        """
        if "catalog" in vars(self) or self._recalled is not None:
            return self
        other = Checkpoint(
            self.source,
            self.ledger,
            self.policy,
            index_file=self._index_file,
            one_file=self._one_file,
            access=self._access,
            location=self._location,
        )
        other.only_naming(parts)
        return other

    @cached_property
    def catalog(self) -> Catalog:
        """Every tensor of every shard. Disagreements go to `problems`.

        Raises:
            SourceError: a shard cannot be read, or there is none.
            FormatError: a header or the index is malformed.
        """
        facts = self._recalled or self._read_facts()
        self.stored_bytes = sum(facts.files.values())
        self.problems += facts.problems
        return facts.catalog

    @cached_property
    def _recalled(self) -> Facts | None:
        return self._keeper.recall()

    def planned_catalog(self) -> list[PlannedReads]:
        """What asking for the catalog takes: of headers nothing, where they are kept."""
        if self._recalled is not None:
            return [self.planned_so_far("finding that the kept headers are current")]
        shards = find_shards(self.source, self._index_file)
        self.stored_bytes = sum(shards.files.values())
        self._file_count = len(shards.names)
        planned = [self.planned_so_far("finding the shards")]
        if may_be_given(self.source, shards.names):
            what = "trying to get all headers at once"
            planned.append(PlannedReads(what=what, requests=1, bytes=0, is_estimate=True))
        return [*planned, plan_headers(self.source, shards, jobs=self.policy.jobs)]

    def planned_listing(self) -> list[PlannedReads]:
        """What it takes to list all tensors: the catalog, and a config that tells widths.

        Whether one is needed is in the headers: on disk they are read for the plan.
        """
        if self.is_remote and self._recalled is None:
            return [*self.planned_catalog(), *plan_config(self.source)]
        found = self.planned_catalog() if self.is_remote else []
        needed = holds_words(self.catalog)
        found = found or [self.planned_so_far("headers")]
        return [*found, *(plan_config(self.source) if needed else [])]

    def planned_so_far(self, what: str) -> PlannedReads:
        """What a plan has read to here, which the command would have to read too."""
        return PlannedReads(what=what, requests=self.ledger.requests, bytes=self.ledger.bytes)

    def planned_examination(self) -> list[PlannedReads]:
        """What `examine` would read: every header, and every index."""
        self.source.files()
        planned = [self.planned_so_far("finding the files")]
        shards = find_shards(self.source, self._index_file)
        indexes = index_sizes(self.source, self._index_file)
        self.stored_bytes = sum(shards.files.values()) + sum(indexes.values())
        self._file_count = len(shards.names)
        headers = plan_headers(self.source, shards, jobs=self.policy.jobs)
        return [*planned, headers, *plan_indexes(indexes)]

    def _read_facts(self) -> Facts:
        """What the headers say; kept for the next time where it is of all shards."""
        shards = find_shards(self.source, self._index_file, naming=self._naming)
        locator = Locator(self.source, shards.names, jobs=self.policy.jobs)
        if self._naming and self.is_remote and shards.is_whole and locator.is_worth_it:
            found = locator.find(self._naming)
            if found is not None:
                return Facts(found, shards.files, [])
        builder = CatalogBuilder()
        unread = dict.fromkeys(shards.names)
        known = locator.headers
        try:
            for header in read_all_headers(self.source, shards.names, self.policy, known):
                builder.add(header)
                del unread[header.shard]
        except BudgetExceeded as error:
            raise _naming_unread(error, list(unread), len(shards.names)) from error
        catalog = builder.build()
        problems = check_across_shards(catalog)
        if shards.index is not None:
            problems += check_index(catalog, shards.index, shards.files)
        facts = Facts(catalog, shards.files, problems)
        self._keeper.keep(facts, shards)
        return facts

    def examine(self) -> Integrity:
        """What is wrong with any file, and between them; a broken one stops nothing.

        Raises:
            SourceError: there is no file, or none can be read.
        """
        found = examine_files(self.source, self._index_file, self.policy, one_file=self._one_file)
        self.stored_bytes = found.bytes_with_indexes
        return found

    @cached_property
    def weights(self) -> WeightBook:
        """The checkpoint's weights by name."""
        config, declared = self._configs.stated
        return WeightBook(self.catalog, config, declared)

    def take_shapes(self) -> None:
        """Give weights whose shape is in no header the one that is stored beside one of their kind.

        Some hundred bytes a kind: what looks weights up by their shape asks for it first. One whose
        state cannot be told, or is not its own, stays without.

        Raises:
            SourceError: it cannot be read.
        """
        stored = self.weights.in_store
        for kind, tensor in list(stored.without_shape()):
            content = self.source.read(tensor.shard, tensor.span)
            with suppress(LayoutError):
                stored.take_for(kind.rows, parse_state(content, name=tensor.name))


def _naming_unread(error: BudgetExceeded, unread: Sequence[str], count: int) -> BudgetExceeded:
    """The error, saying also which headers are missing."""
    more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
    done = count - len(unread)
    return BudgetExceeded(
        f"{error}; {done} of {count} headers were read, missing: {unread[0]}{more}", hint=error.hint
    )


def open_checkpoint(
    location: str,
    *,
    revision: str | None = None,
    policy: ReadPolicy | None = None,
    ledger: Ledger | None = None,
    access: Access | None = None,
) -> Checkpoint:
    """Open what a person would type for a checkpoint: a path, `org/name[@rev]`, a URL, an alias.

    Raises:
        UsageError: `location` means nothing.
        SourceError: it is not there, or may not be read.
    """
    policy = policy or ReadPolicy()
    ledger = ledger or Ledger()
    parsed = parse_location(location, revision=revision)
    source = open_source(parsed, ledger, access)
    if policy.max_bytes is not None:
        source = Budget(source, policy.max_bytes, ledger)
    return Checkpoint(
        source,
        ledger,
        policy,
        index_file=parsed.index,
        one_file=parsed.shard is not None,
        access=access,
        location=parsed,
    )
