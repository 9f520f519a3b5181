"""`params` as a report: formula and headers side by side, their differences, memory. Pure."""

from collections.abc import Sequence

import msgspec

from inspector.analysis.params.architecture import Architecture, architecture_of
from inspector.analysis.params.differences import Difference, differences
from inspector.analysis.params.formula import Formula, formula_of
from inspector.analysis.params.memory import (
    CacheMemory,
    WeightMemory,
    cache_memory,
    weight_memory,
)
from inspector.analysis.params.stored import ApartCount, Stored, stored_in
from inspector.analysis.params.terms import Conventions, Counts
from inspector.analysis.report import Cost, Document, Model
from inspector.catalog import Catalog
from inspector.config import ModelConfig
from inspector.errors import ConfigError, Problem


class ModelParams(msgspec.Struct, frozen=True, kw_only=True):
    """One model's parameters. `formula` is None without a config, `stored` without weights.

    `apart` is what is stored and counted nowhere; `activated_share` is activated / total, of what
    is stored where that is known; `notes` say what the figures leave out.
    """

    model: Model
    stored: Counts | None
    formula: Counts | None
    activated_share: float | None
    apart: list[ApartCount]
    differences: list[Difference]
    weight_memory: list[WeightMemory]
    cache_memory: list[CacheMemory]
    notes: list[str]


class ParamsDocument(Document, frozen=True, kw_only=True):
    """`s1inspect params --json`: the model's own figures, then those of the others."""

    stored: Counts | None
    formula: Counts | None
    activated_share: float | None
    conventions: Conventions
    apart: list[ApartCount]
    differences: list[Difference]
    weight_memory: list[WeightMemory]
    cache_memory: list[CacheMemory]
    notes: list[str]
    others: list[ModelParams]


def params_document(
    found: Sequence[ModelParams], conventions: Conventions, cost: Cost, problems: Sequence[Problem]
) -> ParamsDocument:
    """The document of the parameters of some models, of the first and then of the others."""
    first, *others = found
    fields = {name: getattr(first, name) for name in ModelParams.__struct_fields__}
    return ParamsDocument(
        schema="s1inspect/params/1",
        cost=cost,
        findings=list(problems),
        conventions=conventions,
        others=others,
        **fields,
    )


def models_in(document: ParamsDocument) -> list[ModelParams]:
    """The models of a document, the one that it is of first."""
    names = ModelParams.__struct_fields__
    own = ModelParams(**{name: getattr(document, name) for name in names})
    return [own, *document.others]


def model_params(
    model: Model,
    config: ModelConfig | None,
    catalog: Catalog | None,
    conventions: Conventions,
    *,
    context: int | None = None,
) -> ModelParams:
    """The parameters of one model, by formula and as stored, as far as each can be told.

    Args:
        model: what the report calls it.
        config: its config.json, or None.
        catalog: its tensors, or None where there are no weights.
        conventions: what the totals include.
        context: tokens for which the cache is computed; None for the longest the config allows.

    Raises:
        ConfigError: there are no weights, and the config does not say enough.
    """
    architecture, notes = _architecture(config, needed=catalog is None)
    formula = formula_of(architecture, _layer_kinds(config)) if architecture and config else None
    stored = None if catalog is None else stored_in(catalog, config, architecture)
    by_formula = formula.counts(conventions) if formula else None
    as_stored = stored.counts(conventions) if stored else None
    best = as_stored or by_formula
    length = context or (_longest(config) if config else None)
    return ModelParams(
        model=model,
        stored=as_stored,
        formula=by_formula,
        activated_share=best.activated / best.total if best and best.total else None,
        apart=list(stored.apart) if stored else [],
        differences=differences(formula, stored) if formula and stored else [],
        weight_memory=weight_memory(best) if best else [],
        cache_memory=cache_memory(architecture.text, length) if architecture and length else [],
        notes=notes + _notes(formula, stored, best, conventions),
    )


def _architecture(
    config: ModelConfig | None, *, needed: bool
) -> tuple[Architecture | None, list[str]]:
    """The architecture, or None and why: an error only where nothing else can be counted."""
    if config is None:
        return None, []
    try:
        return architecture_of(config), []
    except ConfigError as error:
        if needed:
            raise
        return None, [f"no formula: {error}"]


def _notes(
    formula: Formula | None, stored: Stored | None, best: Counts | None, conventions: Conventions
) -> list[str]:
    notes = [f"formula incomplete: {what}" for what in formula.missing] if formula else []
    mtp = best.of("mtp") if best else None
    if mtp and not conventions.total.mtp:
        notes.append(
            f"left out of the total: mtp, {mtp.parameters:,} parameters that predict further tokens"
        )
    if formula and stored and not stored.counts(conventions).of("mtp"):
        declared = formula.counts(conventions).of("mtp")
        if declared:
            notes.append(
                f"mtp: the config declares {declared.parameters:,} parameters, none are stored"
            )
    return notes


def _layer_kinds(config: ModelConfig) -> Sequence[str]:
    text = config.raw.get("text_config")
    kinds = (text if isinstance(text, dict) else config.raw).get("layer_types")
    return [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []


def _longest(config: ModelConfig) -> int | None:
    text = config.raw.get("text_config")
    longest = (text if isinstance(text, dict) else config.raw).get("max_position_embeddings")
    return longest if type(longest) is int and 0 < longest < 2**40 else None
