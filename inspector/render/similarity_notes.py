"""Notes below a match: its layout, and how to ask the same again."""

import msgspec

from inspector.analysis.expert_report import LayerMatch, SimilarityDocument
from inspector.analysis.layout_coverage import GroupFacts
from inspector.analysis.layout_layers import Constancy, ModelLayout
from inspector.render.text import counted


def shown_map(layer: LayerMatch) -> str | None:
    """The map of a layer; nothing where none was looked for."""
    if layer.layout is not None:
        return layer.layout.map
    return None if layer.coverage is None else "no evidence"


def layout_notes(document: SimilarityDocument) -> list[str]:
    """Which map, what it is called too, whether parents stay, and what routing groups hold."""
    found = document.layout
    if found is None:
        return []
    notes = [_map(found, document), *_other_names(found, document)]
    if found.constancy is not None:
        notes.append(_constancy(found.constancy))
    if found.groups is not None:
        notes.append(_groups(found.groups))
    return notes


def _map(found: ModelLayout, document: SimilarityDocument) -> str:
    tried = max((layer.layout.tried for layer in document.layers if layer.layout), default=0)
    null = "null: each parent is any reference with equal chance"
    ref = "" if found.ref is msgspec.UNSET else f" of parents from {found.ref}"
    if found.map is None:
        return f"layout{ref}: no evidence in {counted(found.of, 'layer')} ({null})"
    return (
        f"layout {found.map}{ref} in {found.layers} of {counted(found.of, 'layer')}, log10 p "
        f"{found.log10_p:.1f} ({null}; p of a layer times {tried} maps tried)"
    )


def _other_names(found: ModelLayout, document: SimilarityDocument) -> list[str]:
    """Other names of the map, and maps that no expert with a known parent tells from it."""
    notes = []
    if found.identical:
        notes.append(f"{found.map} is the same map as {', '.join(found.identical)}")
    layouts = [layer.layout for layer in document.layers if layer.layout]
    tied = dict.fromkeys(name for one in layouts if one.map == found.map for name in one.tied)
    if tied:
        notes.append(f"as far as parents are known, {found.map} is also {', '.join(tied)}")
    return notes


def _constancy(found: Constancy) -> str:
    return (
        f"{found.agreeing:,} of {found.compared:,} parents are those of the same expert in the "
        f"layer before, log10 p {found.log10_p:.1f} (null: drawn anew in each layer)"
    )


def _groups(found: GroupFacts) -> str:
    held = f"{found.fewest}" if found.fewest == found.most else f"{found.fewest} to {found.most}"
    return (
        f"{found.complete:,} of {counted(found.of, 'routing group')} of {found.size} experts hold "
        f"a descendant of every reference; each holds {held} of {found.references}"
    )


def reproduce_notes(document: SimilarityDocument) -> list[str]:
    """What the command below rests on."""
    if document.reproduce is None:
        return []
    refs = [document.ref] if document.refs is msgspec.UNSET else [o.model for o in document.refs]
    commits = " and ".join(side.commit or "none" for side in (document.model, *refs))
    told = f"seed {document.seed}, commits {commits}"
    return [f"the same again, by s1inspect {document.tool_version} ({told}):"]
