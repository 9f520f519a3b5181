"""The view of expert matching: the answer first, then layers, then experts."""

from collections.abc import Sequence

import msgspec

from inspector.analysis.expert_report import (
    ExpertMatch,
    Flag,
    LayerMatch,
    SimilarityDocument,
)
from inspector.render.basis import basis_notes
from inspector.render.document import render_json
from inspector.render.similarity_charts import parent_name, similarity_charts
from inspector.render.similarity_notes import layout_notes, reproduce_notes, shown_map
from inspector.render.similarity_pairs import pair_table
from inspector.render.tables import Column, Table
from inspector.render.view import View

_MANY_EXPERTS = 128


def similarity_view(
    document: SimilarityDocument, *, limit: int | None, charts: bool = False
) -> View:
    """The view of a match.

    `limit` bounds the experts that are shown; `charts` says that a terminal draws as a page does.
    """
    shown = document.experts[:limit]

    def tables() -> list[Table]:
        found = [_layer_table(document.layers)]
        if limit is not None or len(document.experts) <= _MANY_EXPERTS:
            found.append(_expert_table(shown))
        if document.pairs:
            found.append(pair_table(document.pairs))
        return found

    hidden = len(document.experts) - len(shown)
    return View(
        headline=document.summary,
        tables=tables,
        rows=lambda: _expert_rows(shown),
        names=lambda: (_name(match) for match in shown),
        document=lambda: render_json(document),
        charts=lambda: similarity_charts(document),
        drawn=lambda: similarity_charts(document) if charts else [],
        footer=(
            *_notes(document),
            *((f"{hidden:,} more experts (--limit)",) if hidden else ()),
            *reproduce_notes(document),
        ),
        command=document.reproduce,
    )


def _name(match: ExpertMatch) -> str:
    return f"layers.{match.layer}.mlp.experts.{match.expert}"


def _layer_table(layers: Sequence[LayerMatch]) -> Table:
    columns = [
        Column("layer", right=True),
        Column("layout"),
        Column("hits", right=True),
        Column("log10_p", right=True, show=lambda value: f"{value:.1f}"),
        Column("sigma", right=True, show=lambda value: f"{value:.2f}"),
        Column("verdicts"),
    ]
    rows = [
        (
            layer.layer,
            shown_map(layer),
            layer.layout.hits if layer.layout else None,
            layer.layout.log10_p if layer.layout else None,
            layer.median_sigma,
            ", ".join(f"{count} {verdict}" for verdict, count in layer.verdicts.items()),
        )
        for layer in layers
    ]
    return Table(columns, rows)


def _expert_table(experts: Sequence[ExpertMatch]) -> Table:
    columns = (
        Column("layer", right=True),
        Column("expert", right=True),
        Column("verdict"),
        Column("parent", right=not _are_named(experts)),
        Column("z*", right=True, show=lambda value: f"{value:.1f}"),
        Column("retained", right=True, show=lambda value: f"{value:.2f}"),
        Column("sigma", right=True, show=lambda value: f"{value:.2f}"),
        Column("rows", right=True),
        Column("flags"),
    )
    rows = [
        (
            match.layer,
            match.expert,
            str(match.verdict),
            ", ".join(str(parent_name(parent)) for parent in match.parents) or None,
            match.parents[0].z_star if match.parents else None,
            match.retained.estimate if match.retained else None,
            match.sigma.estimate if match.sigma else None,
            match.rows,
            " ".join(flag for flag in match.flags if flag is not Flag.FEW_REFERENCES) or None,
        )
        for match in experts
    ]
    return Table(columns, rows)


def _are_named(experts: Sequence[ExpertMatch]) -> bool:
    """Whether parents have their models' names, which are words that may be wrapped."""
    return any(parent.ref is not msgspec.UNSET for one in experts for parent in one.parents)


def _expert_rows(experts: Sequence[ExpertMatch]) -> Table:
    columns = [
        Column(name)
        for name in (
            "layer",
            "expert",
            "verdict",
            "parents",
            "z",
            "z_star",
            "log10_p",
            "retained",
            "sigma",
            "scale",
            "flags",
            "rows",
        )
    ]
    rows = [
        (
            match.layer,
            match.expert,
            str(match.verdict),
            [parent_name(parent) for parent in match.parents],
            match.parents[0].z if match.parents else None,
            match.parents[0].z_star if match.parents else None,
            match.parents[0].log10_p if match.parents else None,
            *(one.estimate if one else None for one in (match.retained, match.sigma, match.scale)),
            [str(flag) for flag in match.flags],
            match.rows,
        )
        for match in experts
    ]
    return Table(columns, rows)


def _notes(document: SimilarityDocument) -> list[str]:
    facts = document.calibration
    notes = [*basis_notes(document), *layout_notes(document)]
    if document.reading is not msgspec.UNSET:
        notes.append(f"compared: {document.reading}; no other neurons, and no permuted ones")
    if facts.tests:
        notes.append(
            f"null: {facts.tests:,} tests against {facts.null}: sd {facts.sd:.3f}, "
            f"KS {facts.ks:.4f}, every z divided by {facts.inflation:.3f}; "
            f"calibration {facts.status}"
        )
    else:
        notes.append(
            "null: one layer only, so the p-values could not be checked against other layers"
        )
    few = sum(Flag.FEW_REFERENCES in match.flags for match in document.experts)
    if few:
        notes.append(f"few_references: {few:,} experts have no contrast, their z stands alone")
    excluded = ", ".join(f"{one.relation} >= {one.at_least:g}" for one in document.budget.excluded)
    ruled_out = f"; no_evidence rules out {excluded} (power .95)" if excluded else ""
    notes.append(
        f"family-wise error {document.budget.alpha:g} over {document.budget.hypotheses:,} "
        f"hypotheses{ruled_out}"
    )
    return notes
