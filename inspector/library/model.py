"""`OpenCheckpoint`: a checkpoint that answers what the commands answer, as Python objects."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, Self

from inspector import checkpoint as below
from inspector.analysis.params.terms import Conventions
from inspector.analysis.quant.chosen import Chosen
from inspector.analysis.quant.sample import DEFAULT_SAMPLE
from inspector.analysis.report import Cost
from inspector.checkpoint.choosing import find_weights, naming_parts
from inspector.decode.device import CPU
from inspector.errors import UsageError
from inspector.layout.stored import value_counts
from inspector.layout.weights import Weight as StoredWeight
from inspector.library.asking import audit_report, check_report, dequant_report, params_report
from inspector.library.beside import Named, each_once, opened_beside
from inspector.library.comparing import Depth, compare_report
from inspector.library.matching import MatchOptions, similarity_report
from inspector.library.reports import (
    AuditReport,
    CheckReport,
    CompareReport,
    DequantReport,
    ParamsReport,
    SimilarityReport,
)
from inspector.library.spending import Spending
from inspector.library.tensors import TensorTable
from inspector.library.weight import Weight
from inspector.render.text import escape
from inspector.source.access import Access

Numbers = Iterable[int] | None
"""Layers or experts by number; None for all."""


class OpenCheckpoint:
    """A checkpoint that is open. Close it, or open it in a `with` statement.

    Headers are read when they are first needed, once; weights when their numbers are asked for.
    Reports are what the commands write with --json: each says what it has cost.
    """

    def __init__(self, checkpoint: below.Checkpoint, access: Access) -> None:
        self._checkpoint = checkpoint
        self._access = access

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections and file descriptors."""
        self._checkpoint.source.close()

    @property
    def location(self) -> str:
        """The checkpoint as a person would name it."""
        return self._checkpoint.source.location

    @property
    def commit(self) -> str | None:
        """The commit that every read names; None where there are no commits."""
        return self._checkpoint.source.commit

    @property
    def config(self) -> Mapping[str, Any] | None:
        """config.json as it is; None where there is none."""
        found = self._checkpoint.config
        return None if found is None else MappingProxyType(found.raw)

    @property
    def cost(self) -> Cost:
        """Requests and bytes read since it was opened."""
        return self._checkpoint.cost

    @property
    def tensors(self) -> TensorTable:
        """All tensors; reads the headers.

        Raises:
            SourceError: a header cannot be read.
            FormatError: a header or the index is malformed.
        """
        own = self._checkpoint
        values = value_counts(own.catalog, lambda: own.declared)
        return TensorTable(own.catalog, own.catalog.all_rows, values, own.model)

    def __getitem__(self, name: str) -> Weight:
        """The one weight that a name means: whole or a part of it, with or without `.weight`.

        Raises:
            NameNotFound: there is none; the nearest names are in the hint.
            UsageError: the name means several, as that of a module does.
        """
        found = self.weights(name)
        if len(found) > 1:
            shown = ", ".join(one.name for one in found[:3])
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise UsageError(
                f"{name!r} means {len(found)} weights: {shown}{more}",
                hint="give more of the name, or ask for all with .weights(...)",
            )
        return found[0]

    def weights(
        self, *targets: str, layers: Numbers = None, experts: Numbers = None
    ) -> list[Weight]:
        """The weights of modules, names or globs, each once; scales go with them.

        Over a network only the headers are read that names without wildcards need.

        Raises:
            NameNotFound: a target selects nothing.
            UsageError: a target without wildcards is in several places.
        """
        own, found = self._find(targets, layers, experts)
        return [Weight(one, own.reader) for one in found]

    def dequant(
        self, *targets: str, layers: Numbers = None, experts: Numbers = None
    ) -> DequantReport:
        """Statistics and histograms of weights, one pass over each: what `dequant` says."""
        spending = Spending([self._checkpoint.ledger])
        own, found = self._find(targets, layers, experts)
        return dequant_report(own, found, spending)

    def check(self) -> CheckReport:
        """Is it sound: every header, the index, the sizes. A broken file is a finding."""
        return check_report(self._checkpoint)

    def audit(
        self,
        *,
        sample: int | None = DEFAULT_SAMPLE,
        layers: Numbers = None,
        experts: Numbers = None,
    ) -> AuditReport:
        """Is it quantized as its config says, and what do loaders make of it?

        Args:
            sample: weights of each family whose scales and codes are looked into; 0 reads none,
                None all.
            layers: only modules in these.
            experts: only these experts of each layer.

        Raises:
            UsageError: no module is chosen.
        """
        chosen = Chosen(_set(layers), _set(experts))
        return audit_report(self._checkpoint, chosen, sample)

    def params(
        self,
        *others: "str | OpenCheckpoint",
        context: int | None = None,
        conventions: Conventions | None = None,
        config_only: bool = False,
    ) -> ParamsReport:
        """How many parameters, in total and activated: from the headers and by formula.

        Args:
            others: more checkpoints, to be counted beside this one.
            context: tokens for which the cache is computed; None for the longest there can be.
            conventions: what the totals include; None for what model cards count.
            config_only: count by formula alone; no header is read.
        """
        conventions = conventions or Conventions()
        with self._opened(_named(others)) as ones:
            return params_report(ones, conventions, context=context, config_only=config_only)

    def compare(
        self,
        other: "str | OpenCheckpoint",
        *,
        config_only: bool = False,
        weights: bool = True,
        full: bool = False,
        seed: int = 0,
        device: str = CPU,
    ) -> CompareReport:
        """How it differs from another: config, tokens, parameters, tensors, weights.

        Args:
            other: the reference: a name, or a checkpoint that is open.
            config_only: compare configs and small files alone.
            weights: whether rows of weights are read and compared.
            full: every row of every weight instead of a sample.
            seed: chooses the rows that are sampled.
            device: where weights are decoded and compared: `cpu`, or by torch on `cuda`, `cuda:1`.
                That takes `full`.

        Raises:
            UsageError: `device` is no name of one, or there is nothing for it to do.
            DeviceNotThere: torch is not installed, or it sees no such device.
            DecodeError: the device has too little memory.
        """
        depth = Depth(config_only=config_only, weights=weights, full=full, seed=seed, device=device)
        found = depth.opened_device()
        with self._opened(_named([other])) as (model, ref):
            return compare_report(model, ref, depth, found)

    def expert_similarity(
        self,
        ref: "str | OpenCheckpoint | Sequence[str | OpenCheckpoint]",
        *,
        layers: Numbers = None,
        experts: Numbers = None,
        seed: int = 0,
        layer_map: str | None = None,
        heat_map: int | None = None,
        verify: int | str | None = None,
    ) -> SimilarityReport:
        """Which experts descend from which of the reference's, with calibrated p-values.

        Args:
            ref: the reference: a name, or a checkpoint that is open; several, or a folder of them,
                are told apart in the answer.
            layers: only these; the family of hypotheses shrinks with them.
            experts: only these of each layer.
            seed: chooses the rows that are sampled. Do not choose among answers.
            layer_map: which layer of the reference each is compared with, as `--layer-map` says it.
            heat_map: the layer whose scores are kept; None for the first.
            verify: pairs of experts that are read whole, to say which neuron became which, in
                `pairs`: how many accepted ones, or which, as `--verify` says it.

        Raises:
            UsageError: `layer_map` means no pair of layers; this checkpoint is one of several;
                `verify` names no pair, or one of several references.
            BudgetExceeded: the first look, or the pairs, would read more than is allowed.
            LayoutError: no experts of a known naming, or none in common; no other reference to
                compare a pair with.
        """
        options = MatchOptions(
            _set(layers), _set(experts), seed, layer_map, heat_map,
            verify=None if verify is None else str(verify),
        )  # fmt: skip
        pairs = options.pairs()
        references = [ref] if isinstance(ref, str | OpenCheckpoint) else ref
        with self._opened(each_once(_named(references))) as (target, *others):
            return similarity_report(target, others, options, pairs)

    def __repr__(self) -> str:
        at = f"@{self.commit[:8]}" if self.commit else ""
        return f"<OpenCheckpoint {escape(self.location)}{at}>"

    def _repr_html_(self) -> str:
        return self.tensors._repr_html_()

    def _find(
        self, targets: Sequence[str], layers: Numbers, experts: Numbers
    ) -> tuple[below.Checkpoint, list[StoredWeight]]:
        parts = naming_parts(targets)
        own = self._checkpoint if parts is None else self._checkpoint.narrowed(parts)
        found = find_weights(own, targets, _set(layers), _set(experts))
        return own, own.reader.settle(found)

    def _opened(self, others: Sequence[Named]) -> AbstractContextManager[list[below.Checkpoint]]:
        """This checkpoint and others; those that are named are open for as long as it takes."""
        return opened_beside(self._checkpoint, others, self._access)


def _named(ones: Sequence[str | OpenCheckpoint]) -> list[Named]:
    return [one if isinstance(one, str) else one._checkpoint for one in ones]


def _set(numbers: Numbers) -> frozenset[int] | None:
    return None if numbers is None else frozenset(numbers)
