"""What a person's TARGET names: weights, stored ones or experts inside fused tensors."""

from collections.abc import Callable, Sequence
from typing import Final

from inspector.analysis.listing import in_layers_and_experts
from inspector.catalog.names import NameColumns, Rows
from inspector.checkpoint import Checkpoint
from inspector.errors import NameNotFound
from inspector.layout.select import is_literal, not_found, select_one_place
from inspector.layout.weights import Weight

_WEIGHT: Final = ".weight"

Numbers = frozenset[int] | None


def naming_parts(targets: Sequence[str]) -> list[str] | None:
    """What the names of all targets hold, for `only_naming`; None where one is a glob."""
    if not all(is_literal(target) for target in targets):
        return None
    return [target.removesuffix(_WEIGHT) for target in targets]


def find_weights(
    checkpoint: Checkpoint,
    targets: Sequence[str],
    layers: Numbers = None,
    experts: Numbers = None,
    allow: Callable[[int], None] = lambda _: None,
) -> list[Weight]:
    """The weights of all targets, each once: stored ones, else experts inside fused tensors.

    Args:
        checkpoint: what they are in.
        targets: names, parts of names, globs.
        layers: only of these; None for all.
        experts: only of these; None for all.
        allow: told how many bytes the tensors of a target have; it may raise.

    Raises:
        UsageError: nothing has such a name, or it is in several places.
    """
    book = checkpoint.weights
    found: dict[str, Weight] = {}
    for target in targets:
        rows = in_layers_and_experts(
            book.catalog, _stored_rows(book.catalog.names, target), layers, experts
        )
        allow(int(book.catalog.sizes(rows).sum()))
        weights = list(book.stored_weights(rows))
        if len(rows) and not weights:
            name = book.catalog.names.name(int(rows[0]))
            raise NameNotFound(f"{name} is a scale", hint="name the weight; its scale goes with it")
        if not weights:
            weights = list(book.fused_weights(select_one_place(book.fused_names(), target)))
        if not weights:
            names = book.fused_names() if len(book.fused_names()) else book.catalog.names
            raise not_found(names, target, checkpoint.source.location)
        found |= {weight.name: weight for weight in weights}
    return list(found.values())


def _stored_rows(names: NameColumns, target: str) -> Rows:
    """The stored tensors of a target; `M.weight` also names what is stored as `M.weight_packed`."""
    rows = select_one_place(names, target)
    if not len(rows) and is_literal(target) and target.endswith(_WEIGHT):
        return select_one_place(names, target.removesuffix(_WEIGHT))
    return rows
