"""Stage 0 of expert matching as notes: the hidden basis, the map of layers, a rotation."""

from inspector.analysis.basis_words import evidence_words, layout_words
from inspector.analysis.expert_report import SimilarityDocument
from inspector.render.text import counted, decimal_bytes


def basis_notes(document: SimilarityDocument) -> list[str]:
    """What was read of the basis and what it says; nothing where it was not asked."""
    basis = document.basis
    if basis is None:
        return []
    evidence = ", ".join(evidence_words(basis))
    read = f" from {decimal_bytes(basis.bytes)}" if basis.bytes else ""
    name = basis.basis.replace("_", " ")
    notes = [f"hidden basis {name}{read}" + (f": {evidence}" if evidence else f": {basis.says}")]
    proposal = layout_words(basis)
    if proposal is not None:
        notes.append(f"{proposal}: a proposal, routers are no experts")
    layers = document.layer_map
    if layers is not None and layers.weakest is not None:
        weakest = layers.weakest
        notes.append(
            f"layers compared as {layers.map}, as norms of {counted(len(layers.pairs), 'layer')} "
            f"propose; the weakest is layer {weakest.layer}: correlation of what its norms have of "
            f"their own {weakest.effect:.2f}, next best {weakest.runner_up:.2f}, "
            f"log10 p {weakest.log10_p:.1f}"
        )
    rotation = document.rotation
    if rotation is not None:
        notes.append(
            f"rotated basis: {rotation.neurons} neurons of gate and up in layers "
            f"{', '.join(map(str, rotation.layers))}, {rotation.tests:,} tests of the null, "
            f"every z divided by {rotation.inflation:.3f}; {rotation.status}"
        )
    return notes
