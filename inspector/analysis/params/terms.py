"""What a count is made of: matrices of a component, how many there are, how many a token uses."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Component(StrEnum):
    """The parts that counts are given by, in the order in which they are shown."""

    EMBEDDING = "embedding"
    ATTENTION = "attention"
    DENSE_MLP = "dense_mlp"
    EXPERTS = "experts"
    SHARED_EXPERTS = "shared_experts"
    ROUTER = "router"
    NORMS = "norms"
    HYPER_CONNECTIONS = "hyper_connections"
    HEAD = "head"
    VISION = "vision"
    TIME_SERIES = "time_series"
    MTP = "mtp"
    OTHER = "other"


BESIDE_TEXT = frozenset({Component.VISION, Component.TIME_SERIES, Component.MTP})
"""Components that are no part of the text model's own count."""


@dataclass(frozen=True, slots=True)
class Term:
    """Matrices alike: `copies` of `shape` in the model, of which a token passes `used`.

    `name` is the module's, below its layer and without the number of an expert.
    """

    component: Component
    name: str
    shape: tuple[int, ...]
    copies: int
    used: int

    @property
    def each(self) -> int:
        return math.prod(self.shape)


class ComponentCount(msgspec.Struct, frozen=True, kw_only=True):
    """A component's parameters, those that one token activates, and the bytes they take.

    `bytes` is None in a formula: a config does not say what is stored.
    """

    component: str
    parameters: int
    activated: int
    bytes: int | None = None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by component. `total` and `activated` follow the conventions; the rows are all there.

    Among the rows, `text` is the text model's own total and `vision` the vision model's.
    """

    total: int
    activated: int
    breakdown: list[ComponentCount]

    def of(self, component: str) -> ComponentCount | None:
        """The row of a component, or None where the model has no such part."""
        return next((one for one in self.breakdown if one.component == component), None)


class Included(msgspec.Struct, frozen=True, kw_only=True):
    """Which parts a sum includes."""

    embeddings: bool = True
    head: bool = True
    vision: bool = True
    mtp: bool = False
    shared_experts: bool = True
    router: bool = True

    def covers(self, component: Component) -> bool:
        match component:
            case Component.EMBEDDING:
                return self.embeddings
            case Component.HEAD:
                return self.head
            case Component.VISION | Component.TIME_SERIES:
                return self.vision
            case Component.MTP:
                return self.mtp
            case Component.SHARED_EXPERTS:
                return self.shared_experts
            case Component.ROUTER:
                return self.router
            case _:
                return True


class Conventions(msgspec.Struct, frozen=True, kw_only=True):
    """What `total` and `activated` count.

    The usual ones: the total is of all but the modules for multi-token prediction, as model cards
    count; a text token activates neither these nor the vision tower, and the whole embedding.
    """

    total: Included = Included()
    activated: Included = Included(vision=False)


def counted(rows: Iterable[ComponentCount], conventions: Conventions) -> Counts:
    """The rows in order, the text model's own total before what is beside it, and both sums."""
    by_component = {one.component: one for one in rows if one.parameters}
    present = [
        (component, by_component[component]) for component in Component if component in by_component
    ]
    text = [one for component, one in present if component not in BESIDE_TEXT]
    beside = [one for component, one in present if component in BESIDE_TEXT]
    return Counts(
        total=sum(one.parameters for part, one in present if conventions.total.covers(part)),
        activated=sum(one.activated for part, one in present if conventions.activated.covers(part)),
        breakdown=[*text, _sum_of("text", text), *beside],
    )


def _sum_of(name: str, rows: list[ComponentCount]) -> ComponentCount:
    sizes = [one.bytes for one in rows if one.bytes is not None]
    return ComponentCount(
        component=name,
        parameters=sum(one.parameters for one in rows),
        activated=sum(one.activated for one in rows),
        bytes=sum(sizes) if len(sizes) == len(rows) else None,
    )
