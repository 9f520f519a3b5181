"""The experts of a model as a match reads them, and who begins to read ahead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from inspector.decode.numeric import Float32
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection


class ExpertSide(Protocol):
    """The experts of one model; `inspector.checkpoint.experts` reads them from a checkpoint."""

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers with experts."""

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole model, for the default budget."""

    def experts(self, layer: int) -> tuple[int, ...]:
        """Experts of a layer, by number."""

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        """`[rows, columns]` of that matrix of every expert of the layer."""

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        """`[experts, rows, columns]`, each column up to its own positive factor."""

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        """Bytes that `read` would take."""

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        """Reads that `read` would take."""

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> "Scales | None":
        """What makes weights of codes in those rows; None where they are stored as they are."""

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        """Bytes that `scales` would take."""

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        """How that matrix of the layer's experts is stored."""


@dataclass(frozen=True, slots=True)
class Scales:
    """Multipliers `[experts, rows, columns]`; `applied` says that `read` has multiplied already."""

    values: Float32
    applied: bool


Item = TypeVar("Item")
Result = TypeVar("Result")


class Ahead(Protocol):
    """Begins to read, and gives what waits for it; `when_asked` begins only then."""

    def __call__(self, function: Callable[[], Result], /) -> Callable[[], Result]:
        """`function`, begun."""


def when_asked(function: Callable[[], Result], /) -> Callable[[], Result]:
    """Nothing is read ahead."""
    return function


def side_by_side(
    ahead: Ahead, function: Callable[[Item], Result], items: Sequence[Item]
) -> list[Result]:
    """`function` of every item, in order: every second one by `ahead`, beside the others."""
    seconds = ahead(lambda: [function(one) for one in items[1::2]])
    firsts = [function(one) for one in items[::2]]
    found = dict(zip(range(0, len(items), 2), firsts, strict=True))
    found |= zip(range(1, len(items), 2), seconds(), strict=True)
    return [found[place] for place in range(len(items))]
