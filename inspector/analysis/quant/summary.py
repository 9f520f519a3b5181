"""An audit in the words of its document: declared, observed, loaders, modules. Pure."""

from collections.abc import Iterator, Sequence

import numpy as np

from inspector.analysis.name_lists import names_summary
from inspector.analysis.quant.audit import Audit, Facts
from inspector.analysis.quant.evidence import Evidence, policies_by_format, total_of
from inspector.analysis.quant.loaders import VERSIONS, Verdict
from inspector.analysis.quant.loading import VERDICTS, LoaderView
from inspector.analysis.quant.modules import KINDS, Modules
from inspector.analysis.quant.report import (
    AuditDocument,
    ChosenFacts,
    Declared,
    Family,
    LoaderFacts,
    LoaderTable,
    LookedInto,
    ModuleRow,
    Numbers,
    Observed,
    SkipListFacts,
)
from inspector.analysis.quant.structure import Example
from inspector.analysis.report import Cost, Model
from inspector.decode.counts import is_integer
from inspector.errors import Problem
from inspector.layout.pairing import NOBODY
from inspector.layout.stored import Kind
from inspector.layout.weights import Weight
from inspector.stats.rounding import Rounding


def audit_document(
    found: Audit, model: Model, cost: Cost, problems: Sequence[Problem]
) -> AuditDocument:
    """The document of an audit but for its modules, which `module_rows` makes one by one."""
    return AuditDocument(
        schema="s1inspect/audit/1",
        model=model,
        cost=cost,
        findings=[*problems, *found.findings],
        chosen=chosen_of(found.facts),
        declared=declared_of(found.facts),
        observed=observed_of(found),
        loaders=loader_table(found.facts),
        modules=[],
    )


def declared_of(facts: Facts) -> Declared | None:
    """What the config claims; None where it claims nothing."""
    claim = facts.claim
    if claim is None:
        return None
    names = names_summary(claim.skip.entries)
    skip = SkipListFacts(
        entries=names.entries,
        unique=names.unique,
        patterns=names.patterns,
        key=claim.skip_key or "",
        covered=int(facts.listed.modules.sum()),
    )
    return Declared(
        where=claim.where,
        quant_method=claim.method,
        understood=claim.dialect is not None,
        fmt=claim.fmt,
        scale_fmt=claim.scale_fmt,
        activation_scheme=claim.activation_scheme,
        weight_block_size=claim.weight_block_size,
        modules_to_not_convert=skip if claim.skip_key is not None else None,
    )


def chosen_of(facts: Facts) -> ChosenFacts | None:
    """What was chosen; None where it is everything."""
    chosen = facts.chosen
    if chosen.is_all:
        return None
    return ChosenFacts(
        layers=None if chosen.layers is None else sorted(chosen.layers),
        experts=None if chosen.experts is None else sorted(chosen.experts),
        modules=len(facts.modules),
        of_modules=len(facts.modules) + facts.not_chosen,
    )


def observed_of(found: Audit) -> Observed:
    """What is stored, and what the numbers that were read say."""
    modules = found.facts.modules
    evidence = total_of(found.evidence.values())
    members = np.array(sorted(found.evidence), dtype=np.int64)
    alike = [
        total_of(found.evidence[member] for member in some.tolist())
        for _, some in modules.by_template(members)
    ]
    scales, codes = evidence.scales, evidence.codes
    families = [(_family(found.facts, at), at) for at in range(len(modules.storages))]
    quantized = [family for family, at in families if _is_quantized(modules, at)]
    by_scale: dict[str, int] = {}
    for family in quantized:
        if family.scale_dtype is not None:
            by_scale[family.scale_dtype] = by_scale.get(family.scale_dtype, 0) + family.modules
    return Observed(
        quantized_modules=int(modules.quantized.sum()),
        unquantized_modules=int((~modules.quantized).sum()),
        scale_dtype=by_scale,
        power_of_two_fraction=_fraction(scales.powers_of_two, scales.usable),
        rounding=_rounding(alike),
        looked_into=LookedInto(
            weights=evidence.weights,
            with_codes=evidence.weights_with_codes,
            bitmasks=evidence.bitmasks,
            left_out=found.left_out,
            axes_unknown=_axes_unknown(found.facts),
            scales=scales.values,
            blocks=codes.blocks,
        ),
        numbers=Numbers(
            not_finite=scales.not_finite,
            zero=scales.zeros,
            negative=scales.negative,
            powers_of_two=scales.powers_of_two,
            bfloat16_fraction=_fraction(scales.in_bfloat16, scales.usable),
            bfloat16_amax_fraction=_fraction(scales.from_bfloat16, scales.usable),
            zero_points=evidence.zero_points,
            zero_points_off=evidence.zero_points_off,
            constant_scales=evidence.constant_scales,
            dead_weights=evidence.dead_weights,
            zero_blocks=codes.zero_blocks,
            nan_codes=codes.nan,
            infinite_codes=codes.infinite,
            nan_codes_excused=codes.nan_excused,
            not_minimal=codes.not_minimal,
            minimum_undecided=codes.undecided,
        ),
        quantized=quantized,
        unquantized=[family for family, at in families if not _is_quantized(modules, at)],
    )


def _rounding(alike: Sequence[Evidence]) -> str | None:
    """The policy of each format whose codes were read, said once where it is one."""
    told = {}
    blocks = total_of(alike).by_format
    for kind, policies in policies_by_format(alike).items():
        if not blocks[kind].largest.any():
            continue
        policy = policies[0] if len(policies) == 1 else Rounding.UNDECIDED
        exact = "whole range" if is_integer(kind.coding) else f"amax/{kind.levels[-1]:g}"
        told[kind] = exact if policy is Rounding.EXACT else str(policy)
    if len(set(told.values())) <= 1:
        return next(iter(told.values()), None)
    return ", ".join(f"{kind.coding.number}: {policy}" for kind, policy in told.items())


def _axes_unknown(facts: Facts) -> int:
    """Modules that are quantized, and of which no example could be made."""
    unknown = [
        example is None and _is_quantized(facts.modules, at)
        for at, example in enumerate(facts.examples)
    ]
    return int(np.isin(facts.modules.storage_ids, np.flatnonzero(unknown)).sum())


def _fraction(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _is_quantized(modules: Modules, storage: int) -> bool:
    stored = modules.storages[storage].stored
    return stored is None or stored.coded is not None


def _family(facts: Facts, at: int) -> Family:
    modules, example = facts.modules, facts.examples[at]
    storage = modules.storages[at]
    members = np.flatnonzero(modules.storage_ids == at)
    (name, _), *_ = modules.families(members)
    is_coded = _is_quantized(modules, at)
    scale = int(modules.scales[members[0]]) if is_coded else NOBODY
    grid = example.scale if isinstance(example, Weight) else None
    return Family(
        name=name,
        kind=str(KINDS[modules.kind_ids[members[0]]]),
        modules=len(members),
        listed=int(facts.listed.modules[members].sum()),
        dtype=str(storage.example.dtype),
        shape=storage.stored.shape if storage.stored else storage.example.shape,
        scheme=_scheme(storage, example),
        scale_dtype=_scale_dtype(modules, scale),
        granularity=str(grid.granularity) if grid else None,
        block=grid.block if grid else None,
    )


def _scheme(storage: Kind, example: Example) -> str | None:
    if isinstance(example, Weight):
        return str(example.scheme) if example.scheme else None
    told = storage.stored.coded if storage.stored and not storage.is_decoded else None
    return str(told.scheme.name) if told else None


def loader_table(facts: Facts) -> LoaderTable:
    """What each loader takes as quantized."""
    modules = facts.modules
    _, unit_ids = modules.units
    found = {str(view.loader): _loader_facts(modules, view, unit_ids) for view in facts.views}
    return LoaderTable(**{name: found.get(name) for name in LoaderTable.__struct_fields__})


def _loader_facts(
    modules: Modules, view: LoaderView, unit_ids: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> LoaderFacts:
    verdicts = view.unit_verdicts[unit_ids]
    counts = np.bincount(verdicts, minlength=len(VERDICTS)).tolist()
    against = (verdicts == VERDICTS.index(Verdict.QUANTIZED)) != modules.quantized
    return LoaderFacts(
        version=VERSIONS[view.loader],
        refuses=view.refusal,
        against_stored=0 if view.refusal else int(against.sum()),
        **{
            str(verdict): 0 if view.refusal else count
            for verdict, count in zip(VERDICTS, counts, strict=True)
        },
    )


def module_rows(found: Audit) -> Iterator[ModuleRow]:
    """One row a module, in the catalog's order, made as it is asked for."""
    facts = found.facts
    modules, catalog = facts.modules, facts.modules.catalog
    _, unit_ids = modules.units
    verdicts = {
        str(view.loader): [str(VERDICTS[one]) for one in view.unit_verdicts[unit_ids].tolist()]
        for view in facts.views
    }
    scales = np.where(modules.quantized, modules.scales, NOBODY).tolist()
    tensors = zip(modules.names(), catalog.rows(modules.rows), strict=True)
    for member, (name, tensor) in enumerate(tensors):
        scale = scales[member]
        evidence = found.evidence.get(member) if modules.quantized[member] else None
        codes = evidence.codes if evidence and evidence.weights_with_codes else None
        yield ModuleRow(
            name=name,
            kind=str(KINDS[modules.kind_ids[member]]),
            dtype=str(tensor.dtype),
            shape=tensor.shape,
            quantized=bool(modules.quantized[member]),
            listed=bool(facts.listed.modules[member]),
            scale_dtype=_scale_dtype(modules, scale),
            scale_shape=None if scale == NOBODY else catalog.shapes[catalog.shape_ids[scale]],
            scales=evidence.scales.values if evidence else None,
            powers_of_two=evidence.scales.powers_of_two if evidence else None,
            zero_scales=evidence.scales.zeros if evidence else None,
            blocks=codes.blocks if codes else None,
            nan_codes=codes.nan if codes else None,
            **{
                loader: verdicts[loader][member] if loader in verdicts else None
                for loader in LoaderTable.__struct_fields__
            },
        )


def _scale_dtype(modules: Modules, scale: int) -> str | None:
    catalog = modules.catalog
    return None if scale == NOBODY else str(catalog.dtypes[catalog.dtype_ids[scale]])
