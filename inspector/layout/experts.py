"""Where each expert's matrices are: tensors of their own, or windows of fused ones.

The axis order of a fused tensor is read from its stored shape and the hidden size, and refused
where both readings fit. The modelling code is not evidence: its parameter may be `[E, 2I, H]` while
the checkpoint it loads holds `[E, H, 2I]`. Only the header knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from inspector.config import ModelConfig
from inspector.errors import LayoutError
from inspector.layout.endings import Form
from inspector.layout.families import EXPERT_GRAMMARS, ExpertGrammar, Projection
from inspector.layout.stored import Stored, StoredWeights
from inspector.layout.windows import Window


class ExpertKey(NamedTuple):
    """Names one expert matrix, or its bias, whatever file or tensor stores it.

    `prefix` is what stands before `layers`; None means the part of the model with most experts,
    where several parts have a layer of that number (`model.layers.0` and `mtp.layers.0`).
    """

    layer: int
    expert: int
    projection: Projection
    prefix: str | None = None
    is_bias: bool = False


@dataclass(frozen=True, slots=True)
class StoredExpert:
    """One expert matrix: the name it has or would have alone, its weight, and where in that."""

    name: str
    stored: Stored
    window: Window | None

    @property
    def shape(self) -> tuple[int, ...]:
        if self.window is None:
            return self.stored.shape
        return self.window.shape[:1] if len(self.stored.shape) == 2 else self.window.shape


@dataclass(frozen=True, slots=True)
class _Group:
    """The tensors of one template: by layer (fused), or by layer and expert.

    `experts` are those of each layer that has tensors here, none where they are fused.
    """

    grammar: ExpertGrammar
    prefix: str
    projections: tuple[Projection, ...]
    rows: Mapping[tuple[int, ...], int]
    experts: Mapping[int, Sequence[int]]

    def decides_for(self, other: "_Group") -> bool:
        """Whether its axis order is that of another group: gate and up of the same experts."""
        matrices = self.grammar.fused and not self.grammar.bias
        return matrices and self.prefix == other.prefix and Projection.DOWN not in self.projections

    def separate_name(self, key: ExpertKey) -> str:
        """The name that a matrix of a fused tensor would have as a tensor of its own."""
        return self.grammar.separate_name(self.prefix, key.layer, key.expert, key.projection)


class ExpertInventory:
    """Every expert of a checkpoint. Built once; a lookup makes the few objects it needs."""

    def __init__(self, weights: StoredWeights, config: ModelConfig | None) -> None:
        self._weights = weights
        self._hidden = config.hidden_size if config else None
        self._groups = sorted(_expert_groups(weights), key=lambda group: -len(group.rows))
        self.layers: tuple[int, ...] = tuple(
            sorted({layer for group in self._groups for layer in group.experts})
        )
        self._experts: dict[int, tuple[int, ...]] = {}

    def experts(self, layer: int) -> tuple[int, ...]:
        """The experts that `layer` has, by number."""
        if layer not in self._experts:
            found: set[int] = set()
            for group in self._groups_of(layer, None):
                fused = group.grammar.fused
                found.update(range(self._count(group, layer)) if fused else group.experts[layer])
            self._experts[layer] = tuple(sorted(found))
        return self._experts[layer]

    def find(self, key: ExpertKey) -> StoredExpert:
        """Where a matrix is stored.

        Raises:
            LayoutError: it is not there, or the axis order of its tensor is ambiguous.
        """
        for group in self._groups_of(key.layer, key.prefix):
            if key.projection not in group.projections or group.grammar.bias != key.is_bias:
                continue
            if not group.grammar.fused and (key.layer, key.expert) in group.rows:
                stored = self._weights.at(group.rows[(key.layer, key.expert)])
                return StoredExpert(stored.name, stored, None)
            if group.grammar.fused:
                return self._fused(group, key)
        raise LayoutError(f"no {key.projection} of expert {key.expert} in layer {key.layer}")

    def _groups_of(self, layer: int, prefix: str | None) -> list["_Group"]:
        """The groups that have `layer`, below `prefix` or else below the first prefix of any."""
        having = [group for group in self._groups if layer in group.experts]
        if prefix is None and having:
            prefix = having[0].prefix
        return [group for group in having if group.prefix == prefix]

    def keys_in(self, row: int) -> list[ExpertKey]:
        """The matrices inside one fused tensor, by expert; none where it is no such tensor."""
        return [
            ExpertKey(layer, expert, projection, group.prefix, group.grammar.bias)
            for group in self._groups
            if group.grammar.fused
            for (layer,), at in group.rows.items()
            if at == row
            for expert in range(self._count(group, layer))
            for projection in group.projections
        ]

    def fused_keys(self) -> list[tuple[ExpertKey, str]]:
        """Experts inside fused tensors, with the names that they would have alone."""
        names: list[tuple[ExpertKey, str]] = []
        for group in self._groups:
            if not group.grammar.fused:
                continue
            for (layer,) in sorted(group.rows):
                for expert in range(self._count(group, layer)):
                    for projection in group.projections:
                        is_bias = group.grammar.bias
                        key = ExpertKey(layer, expert, projection, group.prefix, is_bias)
                        names.append((key, group.separate_name(key)))
        return names

    def _count(self, group: _Group, layer: int) -> int:
        """Experts in a fused tensor, 0 where it has not the axes of one."""
        row = group.rows[(layer,)]
        shape = self._weights.catalog.row(row).shape
        axes = 2 if group.grammar.bias else 3
        if self._weights.pairing.form(row) is Form.BLOCKS:
            axes += 1
        return shape[0] if len(shape) == axes else 0

    def _fused(self, group: _Group, key: ExpertKey) -> StoredExpert:
        stored = self._weights.at(group.rows[(key.layer,)])
        name, shape = stored.tensor.name, stored.shape
        axes = 2 if key.is_bias else 3
        if len(shape) != axes:
            raise LayoutError(f"{name}: a fused tensor has {axes} axes, this one {shape}")
        if key.expert >= shape[0]:
            raise LayoutError(f"{name}: no expert {key.expert} of {shape[0]}")
        transposed = not key.is_bias and self._is_transposed(group, key.layer, stored)
        how = stored.coded
        if how is not None and how.coding.bits < 8 and transposed != how.packed_down:
            raise LayoutError(f"{name}: packed along its outputs; no known scheme does that")
        height, width = (shape[1], 1) if key.is_bias else shape[1:]
        part = group.projections.index(key.projection)
        own, step = _own_part(
            width if transposed else height, part, len(group.projections),
            interleaved=group.grammar.interleaved,
        )  # fmt: skip
        window = Window(
            key.expert, shape[0], (height, width),
            rows=(0, height) if transposed else own,
            columns=own if transposed else (0, width),
            transposed=transposed, step=step,
        )  # fmt: skip
        return StoredExpert(group.separate_name(key), stored, window)

    def _is_transposed(self, group: _Group, layer: int, stored: Stored) -> bool:
        """Whether a fused tensor is stored `[E, in, out]`, the reverse of a module's weight.

        gate_up_proj decides: `2I` and `H` differ unless `2I == H`. A `down_proj` with `I == H` is
        square and follows the gate_up_proj of its layer.
        """
        hidden, shape = self._hidden, stored.shape
        if hidden is None:
            raise self._weights.declared.explained(
                LayoutError(
                    f"{stored.tensor.name} {list(shape)}: the axis order needs hidden_size",
                    hint="a config.json beside the checkpoint states it",
                )
            )
        down = group.projections == (Projection.DOWN,)
        if down and shape[1] == shape[2] == hidden:
            for other in self._groups:
                if other.decides_for(group) and (layer,) in other.rows:
                    return self._is_transposed(other, layer, self._weights.at(other.rows[(layer,)]))
        return fused_is_transposed(
            stored.tensor.name, shape, input_axis_is_hidden=not down, hidden=hidden
        )


def _own_part(
    length: int, part: int, parts: int, *, interleaved: bool
) -> tuple[tuple[int, int], int]:
    """The rows of one of the projections that share an axis, and the step between them."""
    if interleaved and parts > 1:
        return (part, length), parts
    each = length // parts
    return (part * each, (part + 1) * each), 1


def fused_is_transposed(
    name: str, shape: tuple[int, ...], *, input_axis_is_hidden: bool, hidden: int
) -> bool:
    """Whether `[E, a, b]` is `[E, in, out]`, from which axis is the hidden size.

    Raises:
        LayoutError: both axes are `hidden`, or neither is.
    """
    _, first, second = shape
    if (first == hidden) == (second == hidden):
        fits = "both axis orders" if first == hidden else "no axis order"
        raise LayoutError(f"{name} {list(shape)} fits {fits} (hidden_size {hidden})")
    return (first == hidden) == input_axis_is_hidden


_NUMBER_SIGN: Final = "#"


def _expert_groups(weights: StoredWeights) -> list[_Group]:
    """The templates that hold experts, by the first grammar that each fits."""
    groups = []
    names, templates = weights.catalog.names, weights.pairing.weight_templates
    is_weight = weights.pairing.is_weight()
    labels = [template.fill([_NUMBER_SIGN] * template.holes) for template in templates]
    for template_id, label in enumerate(labels):
        holes = templates[template_id].holes
        for grammar in EXPERT_GRAMMARS:
            match = grammar.match(label)
            if match is None or holes != (1 if grammar.fused else 2):
                continue
            module = label.rpartition(".")[0]
            if grammar.beside is not None and f"{module}.{grammar.beside}" not in labels:
                continue
            rows = np.flatnonzero((names.template_ids == template_id) & is_weight)
            numbers = names.numbers[rows][:, :holes].tolist()
            by_numbers = {tuple(n): row for n, row in zip(numbers, rows.tolist(), strict=True)}
            experts: dict[int, list[int]] = {}
            for layer, *expert in by_numbers:
                experts.setdefault(layer, []).extend(expert)
            groups.append(_Group(grammar, *match, by_numbers, experts))
            break
    return groups
