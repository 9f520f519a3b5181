"""Do two models share a hidden basis? From norms, embedding rows and routers, under 100 MB. Pure.

A model that was trained on from another keeps the order of its hidden dimensions: the gains of
norms, the embeddings of tokens and the rows of routers stay alike, dimension by dimension. Models
that were trained apart share no order. That is lineage of the whole model; it does not say that any
expert descends from another's, which `expert-similarity` tests.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from inspector.analysis.compare.aligned import Aligned, Label
from inspector.analysis.compare.pairs import weight_at
from inspector.analysis.params.parts import part_of
from inspector.analysis.params.terms import Component
from inspector.catalog.names import split_name
from inspector.errors import LayoutError
from inspector.layout.weights import Weight, WeightBook
from inspector.stats.shared_basis import (
    Float64,
    Resemblance,
    log10_upper_tail,
    matched_rows,
    nearest_rows,
    rank_correlation,
)


class Basis(StrEnum):
    """What the evidence says of the hidden basis."""

    SHARED = "shared"
    NOT_SEEN = "not_seen"
    UNTESTED = "untested"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of tensor: the effect and log10 p of its best layer, all layers counted as tests.

    `effect` is a rank correlation of gains, the mean cosine of embedding rows of the same token, or
    the share of router rows that have a row of the reference near them.
    """

    kind: str
    tensors: int
    effect: float
    log10_p: float


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Whether two models share a hidden basis, and what that does and does not prove."""

    basis: str
    evidence: list[Evidence]
    says: str


@dataclass(frozen=True, slots=True)
class Kin:
    """A weight of one kind in both models; `layer` is the model's, None of an embedding."""

    kind: str
    model: Weight
    ref: Weight
    layer: int | None = None


def kin_rows(kin: Kin, weight: Weight) -> tuple[int, int]:
    """Rows to read of one of the two: of embeddings a run of tokens that both have, else all."""
    if kin.kind != EMBEDDING:
        return 0, weight.rows
    shared = min(kin.model.rows, kin.ref.rows)
    start = shared // 2
    return start, min(start + _TOKENS, shared)


EMBEDDING: Final = "embedding"
NORMS: Final = "norms"
ROUTERS: Final = "routers"
_ENOUGH: Final = -6.0
"""log10 p from which a basis is called shared; the kinds are three tests more."""

_TOKENS: Final = 512
_NORM_LAYERS: Final = 16
_ROUTER_LAYERS: Final = 8
"""Layers read: with the tokens some 60 MB for models of a hidden size of 4,096."""

_SAYS: Final = {
    Basis.SHARED: "the hidden dimensions are in the same order: one model was trained on from the "
    "other, or both from a third. It does not show that experts descend from experts",
    Basis.NOT_SEEN: "no order of hidden dimensions in common was seen: trained apart, or the basis "
    "was rotated or permuted afterwards. It is no proof of independence",
    Basis.UNTESTED: "nothing to compare: hidden sizes differ, or norms, embeddings and routers are "
    "not found under known names",
}

Values = Sequence[tuple[Float64, Float64]]
Book = tuple[WeightBook, Mapping[Label, Aligned]]
Sides = tuple[Book, Book]


def kin_of(sides: Sides, layer_map: Mapping[int, int] | None = None) -> list[Kin]:
    """The norms, routers and embedding of both models, as many layers as are read.

    `layer_map` says which layer of the reference a layer is compared with: that of its number,
    where it is None.
    """
    (ours, labels), (theirs, others) = sides
    found: list[Kin] = []
    for label, left in labels.items():
        right = others.get(label)
        kind = kind_of(label)
        if right is None or kind is None:
            continue
        there = {tuple(numbers): at for at, numbers in enumerate(right.numbers.tolist())}
        ours_at = [_counterpart(numbers, layer_map) for numbers in left.numbers.tolist()]
        pairs = [(at, there[numbers]) for at, numbers in enumerate(ours_at) if numbers in there]
        most = _ROUTER_LAYERS if kind == ROUTERS else _NORM_LAYERS
        for at in np.unique(np.linspace(0, len(pairs) - 1, min(most, len(pairs))).astype(int)):
            one, other = pairs[at]
            layer = None if kind == EMBEDDING else int(left.numbers[one][0])
            try:
                kin = Kin(kind, weight_at(ours, left, one), weight_at(theirs, right, other), layer)
            except LayoutError:
                continue
            if kin.model.shape[-1:] == kin.ref.shape[-1:]:
                found.append(kin)
    return found


def _counterpart(numbers: list[int], layer_map: Mapping[int, int] | None) -> tuple[int, ...] | None:
    """The numbers that a tensor has in the reference; the first, if there is one, is the layer."""
    if not numbers or layer_map is None:
        return tuple(numbers)
    layer = layer_map.get(numbers[0])
    return None if layer is None else (layer, *numbers[1:])


def kind_of(label: Label) -> str | None:
    """The kind of evidence that tensors of a label are: of the text model's layers only."""
    name = ".".join("0" if word is None else word for word in label)
    component = part_of(split_name(name)[0]).component
    if component is Component.EMBEDDING:
        return EMBEDDING
    if label[-1] != "weight" or label[0] != "layers":
        return None
    if component is Component.ROUTER:
        return ROUTERS
    is_of_hidden = len(label) == 4 and component is Component.NORMS
    return NORMS if is_of_hidden else None


def lineage(kin: Sequence[Kin], read: Callable[[Kin], tuple[Float64, Float64]]) -> Lineage:
    """Whether the kin share a hidden basis; `read` gives both sides' values of the rows to read."""
    values: dict[str, list[tuple[Float64, Float64]]] = {}
    for one in kin:
        values.setdefault(one.kind, []).append(read(one))
    return lineage_of(values)


def lineage_of(values: Mapping[str, Values]) -> Lineage:
    """The same of values by kind: of each kin what the model has and what the reference has."""
    evidence = [
        found
        for kind, test in _TESTS.items()
        if (found := _evidence(kind, list(test(values.get(kind, []))))) is not None
    ]
    best = corrected_log10_p(evidence)
    seen = Basis.SHARED if best is not None and best <= _ENOUGH else Basis.NOT_SEEN
    basis = seen if evidence else Basis.UNTESTED
    return Lineage(basis=basis.value, evidence=evidence, says=_SAYS[basis])


def corrected_log10_p(evidence: Sequence[Evidence]) -> float | None:
    """Of the best kind of evidence, the kinds counted as tests; None without evidence."""
    if not evidence:
        return None
    best = min(one.log10_p for one in evidence) + float(np.log10(len(_TESTS)))
    return min(0.0, best)


def _evidence(kind: str, found: Sequence[Resemblance]) -> Evidence | None:
    if not found:
        return None
    return Evidence(
        kind=kind,
        tensors=len(found),
        effect=float(np.median([one.effect for one in found])),
        log10_p=min(one.log10_p for one in found),
    )


def _of_norms(values: Values) -> Iterator[Resemblance]:
    for left, right in values:
        found = rank_correlation(left, right, tests=len(values))
        if found is not None:
            yield found


def _of_embeddings(values: Values) -> Iterator[Resemblance]:
    for left, right in values:
        found = matched_rows(left, right)
        if found is not None:
            yield found


def _of_routers(values: Values) -> Iterator[Resemblance]:
    """The share of rows with a near one; p of the nearest of all pairs of rows of all layers."""
    tests = sum(len(left) * len(right) for left, right in values)
    for left, right in values:
        scores, _ = nearest_rows(left, right)
        p = np.array([log10_upper_tail(float(z), tests=tests) for z in scores])
        best = int(scores.argmax())
        yield Resemblance(float((p <= _ENOUGH).mean()), float(scores[best]), float(p[best]))


_TESTS: Final = {NORMS: _of_norms, EMBEDDING: _of_embeddings, ROUTERS: _of_routers}
