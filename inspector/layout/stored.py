"""Stored weights: a tensor of codes or numbers, what is beside it, how it is coded. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inspector.catalog import Catalog, TensorRow
from inspector.catalog.names import Rows
from inspector.errors import LayoutError
from inspector.format.codings import Action, Encoding, Number
from inspector.format.dtypes import Dtype
from inspector.layout.declared import Declared
from inspector.layout.endings import Form, Part
from inspector.layout.pairing import NOBODY, Pairing
from inspector.layout.scales import Matrix, Numbers, ScaleGrid, lay_grid
from inspector.layout.schemes import PACKED_DTYPES, Coded, Scheme, coded


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored weight. `name` is the weight's own, `coded` None where it holds plain numbers."""

    name: str
    tensor: TensorRow
    form: Form
    parts: Mapping[Part, TensorRow]
    coded: Coded | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weight's values, unpacked."""
        return self.tensor.shape if self.coded is None else self.coded.shape


@dataclass(frozen=True, slots=True)
class Kind:
    """Weights that are stored alike: same name but for numbers, same dtypes and shapes.

    `example` is the first of them; `problem` says why they cannot be decoded, where that is so.
    """

    rows: Rows
    example: TensorRow
    stored: Stored | None
    problem: LayoutError | None

    @property
    def is_decoded(self) -> bool:
        """Whether it is not of a scheme that is told and not decoded."""
        how = self.stored.coded if self.stored else None
        return how is None or how.scheme.is_decoded


@dataclass(frozen=True, slots=True)
class ValueShapes:
    """The shapes of values, unpacked: each once, and for each tensor of a catalog which it has."""

    shapes: tuple[tuple[int, ...], ...]
    ids: Rows

    def counts(self) -> npt.NDArray[np.int64]:
        """`[n]`: how many numbers each tensor holds, packed ones one by one."""
        by_shape = np.array([math.prod(shape) for shape in self.shapes], dtype=np.int64)
        return by_shape[self.ids]


class StoredWeights:
    """The stored weights of a catalog, by row."""

    def __init__(self, catalog: Catalog, declared: Declared) -> None:
        self.catalog = catalog
        self.pairing = Pairing(catalog.names)
        self.declared = declared

    def at(self, row: int) -> Stored:
        """The weight of one row.

        Raises:
            LayoutError: codes that no scheme describes, or whose scale is missing.
        """
        tensor = self.catalog.row(row)
        name, form = self.pairing.weight_name(row), self.pairing.form(row)
        parts = {part: self.catalog.row(at) for part, at in self.pairing.parts_of(row).items()}
        how = coded(name, tensor, form, parts, self.declared)
        return Stored(name, tensor, form, parts, how)

    def kinds(self) -> Iterator[Kind]:
        """All weights, those that are stored alike together: some hundred kinds of any model."""
        weights = np.flatnonzero(self.pairing.is_weight())
        _, first, inverse = np.unique(self._alike(weights), return_index=True, return_inverse=True)
        for kind in np.argsort(first).tolist():
            yield self.kind(weights[inverse == kind])

    def kind(self, rows: Rows) -> Kind:
        """Some weights that are stored alike."""
        example = self.catalog.row(int(rows[0]))
        try:
            return Kind(rows, example, self.at(int(rows[0])), None)
        except LayoutError as error:
            return Kind(rows, example, None, error)

    def shapes(self) -> ValueShapes:
        """The shape of each tensor's values; of codes of no known scheme, the one they lie in."""
        ids = self.catalog.shape_ids.astype(np.int64)
        shapes = {shape: at for at, shape in enumerate(self.catalog.shapes)}
        for kind in self.kinds():
            if kind.stored is not None and kind.stored.coded is not None:
                ids[kind.rows] = shapes.setdefault(kind.stored.shape, len(shapes))
        return ValueShapes(tuple(shapes), ids)

    def _alike(self, weights: Rows) -> Rows:
        """For each of some weights a number, the same for those that are stored alike.

        What is told apart is folded in one column after another, each time ranked anew: one sort of
        whole numbers a column, where sorting rows of a table takes ten times as long.
        """
        catalog = self.catalog
        dtypes = catalog.dtype_ids.astype(np.int64)
        storages = dtypes * len(catalog.shapes) + catalog.shape_ids
        width = len(catalog.dtypes) * len(catalog.shapes) + 1
        alike = catalog.names.template_ids[weights].astype(np.int64)
        for rows in (catalog.all_rows, *self.pairing.parts.values()):
            row = rows[weights]
            if (row != NOBODY).any():
                column = np.where(row == NOBODY, width - 1, storages[row])
                _, alike = np.unique(alike * width + column, return_inverse=True)
        return alike

    def grids(self, stored: Stored, matrix: Matrix) -> tuple[ScaleGrid, ...]:
        """What is done to the codes of a matrix of a stored weight, in this order.

        Raises:
            LayoutError: a grid of numbers does not tile the matrix.
        """
        how = stored.coded
        if how is None:
            return ()
        return tuple(
            self._grid(matrix, _numbers(stored, part, how), how.scheme, is_scale=part is Part.SCALE)
            for part in _ORDER
            if part in stored.parts
        )

    def _grid(
        self, matrix: Matrix, numbers: Numbers, scheme: Scheme, *, is_scale: bool
    ) -> ScaleGrid:
        """The grid of one part of a weight."""
        declared = self.declared.blocks
        specified = None if scheme.group is None else (1, scheme.group)
        if numbers.encoding is Encoding.E8M0_WORDS and declared:
            specified = (1, declared[0][1])  # a row of blocks may be repeated for each of its rows
        # A format of fewer than 8 bits has the groups of its specification whatever the config
        # says of the other layers: DeepSeek-V4 declares 128x128 and has experts by 1x32.
        if scheme.is_narrow:
            return lay_grid(matrix, numbers, (), specified, by_block_only=is_scale)
        return lay_grid(matrix, numbers, declared, specified)


def value_counts(catalog: Catalog, declared: Callable[[], Declared]) -> npt.NDArray[np.int64]:
    """`[n]`: how many numbers each tensor holds, packed ones one by one.

    Weights are looked for only where there is a dtype that codes are packed in.

    Args:
        catalog: the tensors.
        declared: asked where there are words, whose number of codes a config tells.
    """
    if PACKED_DTYPES.isdisjoint(catalog.dtypes):
        return catalog.counts(catalog.all_rows)
    told = declared() if Dtype.I32 in catalog.dtypes else Declared()
    return StoredWeights(catalog, told).shapes().counts()


_ORDER = (
    Part.ZERO_POINT,
    Part.OFFSET,
    Part.SCALE,
    Part.SECOND_SCALE,
    Part.GLOBAL_SCALE,
)
_ACTIONS = {
    Part.ZERO_POINT: Action.SUBTRACT,
    Part.OFFSET: Action.SUBTRACT,
    Part.SCALE: Action.MULTIPLY,
    Part.SECOND_SCALE: Action.MULTIPLY,
    Part.GLOBAL_SCALE: Action.DIVIDE,
}
"""compressed-tensors divides by `weight_global_scale`, modelopt multiplies by `weight_scale_2`."""


def _numbers(stored: Stored, part: Part, how: Coded) -> Numbers:
    tensor = stored.parts[part]
    action = _ACTIONS[part]
    if part is Part.SCALE and tensor.dtype in (Dtype.U8, Dtype.F8_E8M0):
        return Numbers(tensor, action, Encoding.E8M0)
    if part is Part.SCALE and tensor.dtype is Dtype.I32:
        return Numbers(tensor, action, Encoding.E8M0_WORDS)
    if part is Part.ZERO_POINT and tensor.dtype is Dtype.I32 and how.coding.number is Number.OFFSET:
        return Numbers(tensor, action, Encoding.OFFSET_WORDS, how.coding.bits)
    return Numbers(tensor, action)
