"""Where each expert's matrices are: tensors of their own, or windows of fused ones.

The axis order of a fused tensor is read from its stored shape and the hidden size, and refused
where both readings fit. The modelling code is not evidence: its parameter may be `[E, 2I, H]` while
the checkpoint it loads holds `[E, H, 2I]`. Only the header knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from inspector.catalog import Catalog, TensorRow
from inspector.config import ModelConfig
from inspector.errors import LayoutError
from inspector.layout.families import EXPERT_GRAMMARS, ExpertGrammar, Projection


class ExpertKey(NamedTuple):
    """Names one expert matrix, whatever file or tensor stores it.

    `prefix` is what stands before `layers`; None means the part of the model with most experts,
    where several parts have a layer of that number (`model.layers.0` and `mtp.layers.0`).
    """

    layer: int
    expert: int
    projection: Projection
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A matrix inside a tensor: a block of one stored `[stored_rows, stored_columns]` page.

    `page` counts such pages from the start of the tensor. `transposed` says that the rows of the
    matrix run along the stored columns.
    """

    page: int
    stored_shape: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]
    transposed: bool

    @property
    def shape(self) -> tuple[int, int]:
        """`[rows, columns]` of the matrix, as a module of its own would have it."""
        height = self.rows[1] - self.rows[0]
        width = self.columns[1] - self.columns[0]
        return (width, height) if self.transposed else (height, width)


@dataclass(frozen=True, slots=True)
class StoredExpert:
    """One expert matrix: the name it has or would have alone, its tensor, and where in it."""

    name: str
    tensor: TensorRow
    window: Window | None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.window.shape if self.window else self.tensor.shape


@dataclass(frozen=True, slots=True)
class _Group:
    """The tensors of one template: by layer (fused), or by layer and expert."""

    grammar: ExpertGrammar
    prefix: str
    projections: tuple[Projection, ...]
    rows: Mapping[tuple[int, ...], int]
    layers: frozenset[int]


class ExpertInventory:
    """Every expert of a checkpoint. Built once; a lookup makes the few objects it needs."""

    def __init__(self, catalog: Catalog, config: ModelConfig | None) -> None:
        self._catalog = catalog
        self._hidden = config.hidden_size if config else None
        self._groups = sorted(_expert_groups(catalog), key=lambda group: -len(group.rows))
        self.layers: tuple[int, ...] = tuple(
            sorted({layer for group in self._groups for layer in group.layers})
        )

    def experts(self, layer: int) -> tuple[int, ...]:
        """The experts that `layer` has, by number."""
        found: set[int] = set()
        for group in self._groups_of(layer, None):
            if not group.grammar.fused:
                found.update(expert for at, expert in group.rows if at == layer)
            else:
                shape = self._catalog.row(group.rows[(layer,)]).shape
                found.update(range(shape[0]) if len(shape) == 3 else ())
        return tuple(sorted(found))

    def find(self, key: ExpertKey) -> StoredExpert:
        """Where a matrix is stored.

        Raises:
            LayoutError: it is not there, or the axis order of its tensor is ambiguous.
        """
        for group in self._groups_of(key.layer, key.prefix):
            if key.projection not in group.projections:
                continue
            if not group.grammar.fused and (key.layer, key.expert) in group.rows:
                tensor = self._catalog.row(group.rows[(key.layer, key.expert)])
                return StoredExpert(tensor.name, tensor, None)
            if group.grammar.fused:
                return self._fused(group, key)
        raise LayoutError(f"no {key.projection} of expert {key.expert} in layer {key.layer}")

    def _groups_of(self, layer: int, prefix: str | None) -> list["_Group"]:
        """The groups that have `layer`, below `prefix` or else below the first prefix of any."""
        having = [group for group in self._groups if layer in group.layers]
        if prefix is None and having:
            prefix = having[0].prefix
        return [group for group in having if group.prefix == prefix]

    def fused_keys(self) -> list[tuple[ExpertKey, str]]:
        """Experts inside fused tensors, with the names that they would have alone."""
        names: list[tuple[ExpertKey, str]] = []
        for group in self._groups:
            if not group.grammar.fused:
                continue
            for (layer,) in sorted(group.rows):
                shape = self._catalog.row(group.rows[(layer,)]).shape
                for expert in range(shape[0] if len(shape) == 3 else 0):
                    for projection in group.projections:
                        key = ExpertKey(layer, expert, projection, group.prefix)
                        names.append((key, _separate_name(group.prefix, key)))
        return names

    def _fused(self, group: _Group, key: ExpertKey) -> StoredExpert:
        tensor = self._catalog.row(group.rows[(key.layer,)])
        if len(tensor.shape) != 3:
            raise LayoutError(f"{tensor.name}: a fused tensor has 3 axes, this one {tensor.shape}")
        if key.expert >= tensor.shape[0]:
            raise LayoutError(f"{tensor.name}: no expert {key.expert} of {tensor.shape[0]}")
        transposed = self._is_transposed(group, key.layer, tensor)
        height, width = tensor.shape[1:]
        part = group.projections.index(key.projection)
        parts = len(group.projections)
        if transposed:
            step = width // parts
            window = Window(
                key.expert, (height, width), (0, height), (part * step, (part + 1) * step), True  # noqa: FBT003
            )  # fmt: skip
        else:
            step = height // parts
            window = Window(
                key.expert, (height, width), (part * step, (part + 1) * step), (0, width), False  # noqa: FBT003
            )  # fmt: skip
        return StoredExpert(_separate_name(group.prefix, key), tensor, window)

    def _is_transposed(self, group: _Group, layer: int, tensor: TensorRow) -> bool:
        """Whether a fused tensor is stored `[E, in, out]`, the reverse of a module's weight.

        gate_up_proj decides: `2I` and `H` differ unless `2I == H`. A `down_proj` with `I == H` is
        square and follows the gate_up_proj of its layer.
        """
        hidden = self._hidden
        if hidden is None:
            raise LayoutError(
                f"{tensor.name} {list(tensor.shape)}: the axis order needs hidden_size",
                hint="a config.json beside the checkpoint states it",
            )
        down = group.projections == (Projection.DOWN,)
        if down and tensor.shape[1] == tensor.shape[2] == hidden:
            for other in self._groups:
                beside = other.grammar.fused and other.prefix == group.prefix and other is not group
                if beside and (layer,) in other.rows:
                    return self._is_transposed(
                        other, layer, self._catalog.row(other.rows[(layer,)])
                    )
        if down:
            return fused_is_transposed(tensor, input_axis_is_hidden=False, hidden=hidden)
        return fused_is_transposed(tensor, input_axis_is_hidden=True, hidden=hidden)


def fused_is_transposed(tensor: TensorRow, *, input_axis_is_hidden: bool, hidden: int) -> bool:
    """Whether `[E, a, b]` is `[E, in, out]`, from which axis is the hidden size.

    Raises:
        LayoutError: both axes are `hidden`, or neither is.
    """
    _, first, second = tensor.shape
    if (first == hidden) == (second == hidden):
        fits = "both axis orders" if first == hidden else "no axis order"
        raise LayoutError(f"{tensor.name} {list(tensor.shape)} fits {fits} (hidden_size {hidden})")
    return (first == hidden) == input_axis_is_hidden


_NUMBER_SIGN: Final = "#"


def _expert_groups(catalog: Catalog) -> list[_Group]:
    groups = []
    names = catalog.names
    for template_id, template in enumerate(names.templates):
        label = template.fill([_NUMBER_SIGN] * template.holes)
        for grammar in EXPERT_GRAMMARS:
            match = grammar.match(label)
            if match is None or template.holes != (1 if grammar.fused else 2):
                continue
            rows = np.flatnonzero(names.template_ids == template_id)
            numbers = names.numbers[rows][:, : template.holes].tolist()
            by_numbers = {tuple(n): row for n, row in zip(numbers, rows.tolist(), strict=True)}
            layers = frozenset(numbers[0] for numbers in by_numbers)
            groups.append(_Group(grammar, *match, by_numbers, layers))
    return groups


def _separate_name(prefix: str, key: ExpertKey) -> str:
    start = f"{prefix}." if prefix else ""
    return f"{start}layers.{key.layer}.mlp.experts.{key.expert}.{key.projection}.weight"
