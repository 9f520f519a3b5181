"""Is a quantized checkpoint what its config says, and what will loaders make of it?

Takes facts, and a reader for the few numbers it looks into; gives a report. It opens nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from inspector.analysis.quant.chosen import Chosen
from inspector.analysis.quant.evidence import Each, Evidence, NumberReader, gather
from inspector.analysis.quant.lists import (
    Listed,
    check_list,
    covered_by,
    dead_entries,
    unlisted_but_unquantized,
)
from inspector.analysis.quant.loading import LoaderView, check_loaders, views_of
from inspector.analysis.quant.modules import Mask, Modules, modules_of
from inspector.analysis.quant.sample import Look, choose_looks
from inspector.analysis.quant.structure import Example, check_structure, examples_of
from inspector.analysis.quant.values import check_values
from inspector.config.quantization import QuantConfig
from inspector.errors import Problem, Severity, UsageError
from inspector.layout.weights import WeightBook

_UE8M0: Final = "ue8m0"


@dataclass(frozen=True, slots=True)
class Facts:
    """What headers and config say of a checkpoint: all but the numbers.

    `modules` are those that are `chosen`, `not_chosen` how many others there are.
    """

    claim: QuantConfig | None
    book: WeightBook
    modules: Modules
    examples: Sequence[Example]
    listed: Listed
    views: tuple[LoaderView, ...]
    findings: tuple[Problem, ...]
    chosen: Chosen
    not_chosen: int

    def looks(self, sample: int | None) -> list[Look]:
        """The weights to look into: `sample` of each family, None for all."""
        experts = self.chosen.experts
        return choose_looks(self.modules, self.examples, self.book, sample, experts=experts)


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit's answer; rows of modules are made as they are asked for."""

    facts: Facts
    evidence: Mapping[int, Evidence]
    left_out: int
    findings: tuple[Problem, ...] = field(default=())


def audit_facts(book: WeightBook, claim: QuantConfig | None, chosen: Chosen | None = None) -> Facts:
    """What can be told without reading a number, of the modules that are chosen, or of all.

    A list of modules that is malformed counts as absent, and nothing is said of loaders: each would
    do something else with it.

    Raises:
        UsageError: no module is chosen.
    """
    chosen = chosen or Chosen()
    every = modules_of(book.in_store)
    listed = covered_by(every, claim)
    unlisted = unlisted_but_unquantized(every, claim, listed)
    findings = list(dead_entries(every, claim, listed))
    modules = every
    if not chosen.is_all:
        members = chosen.members(every)
        if not len(members):
            raise UsageError(
                f"{chosen}: there is no such module",
                hint="list-tensors shows the layers and experts that there are",
            )
        modules, listed, unlisted = every.take(members), listed.take(members), unlisted[members]
    examples = examples_of(modules, book)
    orphans = chosen.rows(modules.catalog, book.in_store.pairing.orphans())
    findings += check_structure(modules, examples, orphans)
    views: list[LoaderView] = []
    if claim is not None and claim.dialect is not None:
        findings += check_list(modules, claim, listed, unlisted)
        if not claim.has_malformed_list:
            views = views_of(modules, claim)
        findings += check_loaders(modules, views, _blamed(listed, unlisted))
    left_out = len(every) - len(modules)
    found = tuple(findings)
    return Facts(claim, book, modules, examples, listed, tuple(views), found, chosen, left_out)


def audit(
    facts: Facts,
    looks: Sequence[Look],
    reader: NumberReader,
    *,
    left_out: int = 0,
    each: Each = map,
    tell: Callable[[int], None] = lambda _: None,
) -> Audit:
    """The answer, after looking into some weights."""
    evidence = gather(looks, reader, each, tell)
    values = check_values(facts.modules, evidence, declares_ue8m0=_declares_ue8m0(facts.claim))
    order = list(Severity)
    findings = sorted([*facts.findings, *values], key=lambda one: order.index(one.severity))
    return Audit(facts, MappingProxyType(evidence), left_out, tuple(findings))


def _blamed(listed: Listed, unlisted: Mask) -> Mask:
    """Modules that a finding on the list is about: loaders cannot agree on them."""
    mask = unlisted.copy()
    mask[list(listed.quantized_by)] = True
    return mask


def _declares_ue8m0(claim: QuantConfig | None) -> bool:
    return claim is not None and claim.scale_fmt == _UE8M0
