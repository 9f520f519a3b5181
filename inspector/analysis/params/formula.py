"""Parameters by formula: the sums of all matrices that a config implies. No weights are needed."""

from collections.abc import Sequence
from dataclasses import dataclass

from inspector.analysis.params.architecture import (
    READ_FAMILIES,
    Architecture,
    CompressedAttention,
)
from inspector.analysis.params.terms import (
    Component,
    ComponentCount,
    Conventions,
    Counts,
    Term,
    counted,
)
from inspector.analysis.params.text import mtp_terms, text_terms
from inspector.analysis.params.vision import vision_terms


@dataclass(frozen=True, slots=True)
class Formula:
    """Every matrix of a model by formula; `missing` says in words what has no formula."""

    terms: tuple[Term, ...]
    missing: tuple[str, ...]

    def counts(self, conventions: Conventions) -> Counts:
        """The sums by component."""
        return counted([_sum_of(component, self.terms) for component in Component], conventions)


def formula_of(model: Architecture, layer_types: Sequence[str] = ()) -> Formula:
    """The formula of an architecture.

    Args:
        model: the architecture.
        layer_types: what the config calls its layers, to name kinds that have no formula.
    """
    missing = []
    terms = [*text_terms(model.text), *mtp_terms(model.text)]
    if model.vision is not None:
        tower = vision_terms(model.vision, model.text.hidden)
        if tower is None:
            kind = model.vision.text("model_type") or "an unnamed one"
            missing.append(f"vision tower {kind}: its modules are not known")
        terms += tower or ()
    if not model.text_type.startswith(READ_FAMILIES):
        kind = model.text_type or "that the config does not name"
        missing.append(
            f"model type {kind}: its code was not read, it is counted as the usual decoder"
        )
    strange = sorted({kind for kind in layer_types if "attention" not in kind or "linear" in kind})
    if strange:
        missing.append(f"layers of kind {', '.join(strange)}: counted as full attention")
    if model.text.mtp_modules and isinstance(model.text.attention, CompressedAttention):
        missing.append("mtp: counted as a layer and DeepSeek-V3's projection")
    return Formula(tuple(terms), tuple(missing))


def _sum_of(component: Component, terms: Sequence[Term]) -> ComponentCount:
    mine = [term for term in terms if term.component is component]
    return ComponentCount(
        component=component.value,
        parameters=sum(term.each * term.copies for term in mine),
        activated=sum(term.each * term.used for term in mine),
    )
