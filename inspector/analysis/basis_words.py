"""Stage 0 in words: for the one-line answer, and the notes below the tables."""

from collections import Counter
from collections.abc import Iterator

from inspector.analysis.compare.lineage import Basis
from inspector.analysis.expert_match import MatchResult
from inspector.analysis.hidden_basis import BasisFacts
from inspector.analysis.layer_pairing import Origin


def stage_zero_words(result: MatchResult) -> list[str]:
    """What of the hidden basis and the layers the one-line answer has to say."""
    found = result.stage_zero
    if found is None:
        return []
    words = []
    layers = found.layer_map
    if layers.origin == Origin.NORMS:
        words.append(f"layers compared as {layers.map}, as their norms propose")
    elif layers.origin == Origin.GIVEN:
        words.append(f"layers compared as {layers.map}")
    if found.basis.is_missing:
        tested = ""
        if result.rotation is not None:
            count = len(result.rotation.layers)
            tested = f"; a rotation of it was looked for in {count} of {len(result.layers)} layers"
        words.append(f"no hidden basis in common was seen, so nothing is excluded{tested}")
    return words


def evidence_words(basis: BasisFacts) -> Iterator[str]:
    """Each kind of evidence, the effect first."""
    for one in basis.evidence:
        yield f"{_EFFECTS[one.kind]} {one.effect:.2f} (log10 p {one.log10_p:.1f})"
    if basis.basis != Basis.SHARED and basis.experts_aligned:
        yield "experts are aligned, so it is shared all the same"


def layout_words(basis: BasisFacts) -> str | None:
    """The rule that most routers propose."""
    maps = Counter(one.layout.map for one in basis.layouts if one.layout)
    if not maps:
        return None
    name, count = maps.most_common(1)[0]
    return f"routers propose {name} in {count} of {len(basis.layouts)} layers"


_EFFECTS = {
    "norms": "rank correlation of norms",
    "embedding": "cosine of embedding rows",
    "routers": "share of router rows with a near one",
}
