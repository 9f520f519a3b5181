"""`open_checkpoint`: a checkpoint that answers what the commands answer, as Python objects."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, Self

from inspector import checkpoint as below
from inspector.analysis.compare.report import Weighed, compare_document, compare_sides
from inspector.analysis.integrity import check_document
from inspector.analysis.params.report import params_document
from inspector.analysis.params.terms import Conventions
from inspector.analysis.quant.audit import audit_facts
from inspector.analysis.quant.chosen import Chosen
from inspector.analysis.quant.sample import DEFAULT_SAMPLE
from inspector.analysis.quant.summary import audit_document, module_rows
from inspector.analysis.report import Cost, Model
from inspector.analysis.values import Looks, dequant_document, examine_weight
from inspector.checkpoint.auditing import allowance_of, audit_checkpoint
from inspector.checkpoint.choosing import find_weights, naming_parts
from inspector.checkpoint.comparison import WeightComparison, sides_of
from inspector.checkpoint.counting import params_of
from inspector.checkpoint.matching import ask_experts
from inspector.checkpoint.policy import DEFAULT_JOBS, Progress, ReadPolicy, no_progress
from inspector.checkpoint.reproduce import reproducible
from inspector.errors import UsageError
from inspector.layout.stored import value_counts
from inspector.layout.weights import Weight as StoredWeight
from inspector.library.reports import (
    AuditReport,
    CheckReport,
    CompareReport,
    DequantReport,
    ParamsReport,
    SimilarityReport,
    report_of,
)
from inspector.library.spending import Spending
from inspector.library.tensors import TensorTable
from inspector.library.weight import Weight
from inspector.render.text import escape
from inspector.source.access import Access
from inspector.source.environment import is_offline
from inspector.source.patience import Patience
from inspector.source.resolve import checkpoints_in
from inspector.source.shelf import open_shelf

_LOG: Final = logging.getLogger("inspector")

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
        spending = self._spending()
        own, found = self._find(targets, layers, experts)
        looks = Looks(norms=True)
        seen = [examine_weight(one, own.reader, (0, one.rows), looks=looks) for one in found]
        document = dequant_document(seen, None, own.model, spending.cost, own.problems)
        return report_of(document, DequantReport)

    def check(self) -> CheckReport:
        """Is it sound: every header, the index, the sizes. A broken file is a finding."""
        spending = self._spending()
        found = self._checkpoint.examine()
        source = self._checkpoint.source
        model = Model(
            location=source.location, kind=source.kind, commit=source.commit, files=len(found.files)
        )
        return report_of(check_document(found, model, spending.cost), CheckReport)

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
        spending, own = self._spending(), self._checkpoint
        own.take_shapes()
        facts = audit_facts(own.weights, own.claim, Chosen(_set(layers), _set(experts)))
        found = audit_checkpoint(own, facts, facts.looks(sample), allowed=allowance_of(own))
        document = audit_document(found, own.model, spending.cost, own.problems)
        return report_of(document, AuditReport, modules=list(module_rows(found)))

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
        with self._opened(others) as ones:
            spending = _spending_of(ones)
            found = [
                params_of(one, conventions, context=context, config_only=config_only)
                for one in ones
            ]
            problems = [problem for one in ones for problem in one.problems]
            document = params_document(found, conventions, spending.cost, problems)
        return report_of(document, ParamsReport)

    def compare(
        self,
        other: "str | OpenCheckpoint",
        *,
        config_only: bool = False,
        weights: bool = True,
        full: bool = False,
        seed: int = 0,
    ) -> CompareReport:
        """How it differs from another: config, tokens, parameters, tensors, weights.

        Args:
            other: the reference: a name, or a checkpoint that is open.
            config_only: compare configs and small files alone.
            weights: whether rows of weights are read and compared.
            full: every row of every weight instead of a sample.
            seed: chooses the rows that are sampled.
        """
        with self._opened([other]) as (model, ref):
            spending = _spending_of([model, ref])
            sides = sides_of(model, ref, config_only=config_only)
            weighed = Weighed()
            if weights and not config_only:
                weighed = WeightComparison((model, ref), sides, full=full, seed=seed).read()
            found = compare_sides(*sides, weighed, Conventions())
            models = sides[0].model, sides[1].model
            problems = [*model.problems, *ref.problems]
            document = compare_document(found, models, spending.cost, problems)
        return report_of(document, CompareReport)

    def expert_similarity(
        self,
        ref: "str | OpenCheckpoint | Sequence[str | OpenCheckpoint]",
        *,
        layers: Numbers = None,
        experts: Numbers = None,
        seed: int = 0,
        layer_map: str | None = None,
        heat_map: int | None = None,
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

        Raises:
            UsageError: `layer_map` means no pair of layers; this checkpoint is one of several.
            BudgetExceeded: the first look would read more than is allowed.
            LayoutError: no experts of a known naming, or none in common.
        """
        with self._opened(_references(ref)) as (target, *others):
            spending = _spending_of([target, *others])
            asked = ask_experts(
                target, others, layers=_set(layers), experts=_set(experts), seed=seed,
                layer_map=layer_map, drawn_layer=heat_map,
            )  # fmt: skip
            asked.check_first_cost()
            asked = asked.after([one.read() for one in asked.hidden])
            document = asked.answered(target.policy.progress).document(spending.cost)
            document = reproducible(document, asked.checkpoints, asked.request, layer_map=layer_map)
        return report_of(document, SimilarityReport)

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

    def _spending(self) -> Spending:
        return _spending_of([self._checkpoint])

    @contextmanager
    def _opened(self, others: Sequence["str | OpenCheckpoint"]) -> Iterator[list[below.Checkpoint]]:
        """This checkpoint and others; those that are named are open for as long as it takes."""
        own, ones = self._checkpoint, []
        try:
            for other in others:
                if isinstance(other, OpenCheckpoint):
                    ones.append((other._checkpoint, False))
                else:
                    opened = below.open_checkpoint(
                        other, policy=own.policy, ledger=own.ledger, access=self._access
                    )
                    ones.append((opened, True))
            yield [own, *(one for one, _ in ones)]
        finally:
            for one, is_ours in ones:
                if is_ours:
                    one.source.close()


def open_checkpoint(
    location: str,
    *,
    revision: str | None = None,
    jobs: int = DEFAULT_JOBS,
    max_bytes: int | None = None,
    offline: bool | None = None,
    cache: bool = True,
    progress: Progress = no_progress,
) -> OpenCheckpoint:
    """Open what a person would type for a checkpoint: a path, `org/name[@rev]`, a URL, an alias.

    No header is read yet. Token, endpoint, proxies and caches are those of huggingface_hub's
    environment variables.

    Args:
        location: as `--model` takes it.
        revision: a branch, tag or commit of the Hub's.
        jobs: reads at a time over a network.
        max_bytes: raise `BudgetExceeded` before a read that would go past this; None for no limit.
        offline: ask no server; None for what HF_HUB_OFFLINE says.
        cache: use the cache of headers that the commands share.
        progress: told what is done, how many, of how many.

    Raises:
        UsageError: `location` means nothing.
        SourceError: it is not there, or may not be read.

    >>> with open_checkpoint("sample_shards/qwen3-mini") as model:
    ...     weight = model["layers.0.mlp.experts.3.up_proj"]
    ...     weight.rows(0, 8).shape
    (8, 256)
    """
    access = Access(
        offline=is_offline() if offline is None else offline,
        patience=Patience(say=_LOG.warning),
        shelf=open_shelf() if cache else None,
    )
    policy = ReadPolicy(jobs, max_bytes, progress)
    opened = below.open_checkpoint(location, revision=revision, policy=policy, access=access)
    return OpenCheckpoint(opened, access)


def _spending_of(checkpoints: Sequence[below.Checkpoint]) -> Spending:
    return Spending([one.ledger for one in checkpoints])


def _references(
    ref: str | OpenCheckpoint | Sequence[str | OpenCheckpoint],
) -> list[str | OpenCheckpoint]:
    """The references that are meant, each once; a folder of checkpoints means all in it.

    Raises:
        UsageError: none is named.
    """
    named = [ref] if isinstance(ref, str | OpenCheckpoint) else ref
    distinct: dict[str | OpenCheckpoint, None] = {}
    for one in named:
        distinct |= dict.fromkeys(checkpoints_in(one) if isinstance(one, str) else [one])
    if not distinct:
        raise UsageError("no reference is named")
    return list(distinct)


def _set(numbers: Numbers) -> frozenset[int] | None:
    return None if numbers is None else frozenset(numbers)
