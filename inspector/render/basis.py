"""Stage 0 of expert matching as notes: the hidden basis, the map of layers, a rotation."""

from collections.abc import Iterator
from typing import Final

import msgspec

from inspector.analysis.compare.lineage import EMBEDDING, NORMS, ROUTERS, Basis
from inspector.analysis.expert_report import SimilarityDocument
from inspector.analysis.hidden_basis import BasisFacts
from inspector.analysis.layer_pairing import LayerMapFacts
from inspector.render.text import counted, decimal_bytes

_EFFECTS: Final = {
    NORMS: "rank correlation of norms",
    EMBEDDING: "cosine of embedding rows",
    ROUTERS: "share of router rows with a near one",
}


def basis_notes(document: SimilarityDocument) -> list[str]:
    """What was read of the basis and what it says, of each reference; nothing where not asked."""
    notes = _model_notes(document.basis, document.layer_map)
    for one in () if document.refs is msgspec.UNSET else document.refs:
        notes += [f"{one.ref}: {note}" for note in _model_notes(one.basis, one.layer_map)]
    rotation = document.rotation
    if rotation is not None:
        notes.append(
            f"rotated basis: {rotation.neurons} neurons of gate and up in layers "
            f"{', '.join(map(str, rotation.layers))}, {rotation.tests:,} tests of the null, "
            f"every z divided by {rotation.inflation:.3f}; {rotation.status}"
        )
    return notes


def _model_notes(basis: BasisFacts | None, pairing: LayerMapFacts | None) -> list[str]:
    if basis is None:
        return []
    evidence = ", ".join(_evidence(basis))
    read = f" from {decimal_bytes(basis.bytes)}" if basis.bytes else ""
    name = basis.basis.replace("_", " ")
    notes = [f"hidden basis {name}{read}" + (f": {evidence}" if evidence else f": {basis.says}")]
    if basis.proposal is not None:
        name, count = basis.proposal
        layers = counted(len(basis.layouts), "layer")
        notes.append(
            f"routers propose {name} in {count} of {layers}: a proposal, routers are no experts"
        )
    if pairing is not None and pairing.weakest is not None:
        weakest = pairing.weakest
        notes.append(
            f"layers compared as {pairing.map}, as norms of {counted(len(pairing.pairs), 'layer')} "
            f"propose; the weakest is layer {weakest.layer}: correlation of what its norms have of "
            f"their own {weakest.effect:.2f}, next best {weakest.runner_up:.2f}, "
            f"log10 p {weakest.log10_p:.1f}"
        )
    return notes


def _evidence(basis: BasisFacts) -> Iterator[str]:
    """Each kind of evidence, the effect first."""
    for one in basis.evidence:
        yield f"{_EFFECTS[one.kind]} {one.effect:.2f} (log10 p {one.log10_p:.1f})"
    if basis.basis != Basis.SHARED and basis.experts_aligned:
        yield "but experts are aligned, so it is shared"
