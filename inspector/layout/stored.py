"""Stored weights: a tensor of codes or numbers, what is beside it, how it is coded. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inspector.catalog import Catalog, TensorRow
from inspector.catalog.names import Rows
from inspector.errors import LayoutError
from inspector.format.codings import AWQ_ORDER, Action, Encoding
from inspector.format.dtypes import Dtype
from inspector.layout.awq_gemv import padded_grids
from inspector.layout.bitsandbytes import STATES, State, flat_grid, settled_grid
from inspector.layout.declared import Declared
from inspector.layout.endings import Form, Part
from inspector.layout.pairing import NOBODY, Pairing
from inspector.layout.scales import Matrix, Numbers, ScaleGrid, lay_grid
from inspector.layout.scheme_table import FLAT, PACKED_DTYPES, WORDS, Scheme, SchemeName
from inspector.layout.schemes import Coded, coded
from inspector.layout.sparse import dense_shape, why_undecoded, why_unfit
from inspector.layout.windows import Window


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored weight. `name` is the weight's own, `coded` None where it holds plain numbers.

    `state` is what it is taken for, where its shape is in no header.
    """

    name: str
    tensor: TensorRow
    form: Form
    parts: Mapping[Part, TensorRow]
    coded: Coded | None
    state: State | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weight's values, unpacked."""
        if self.coded is not None:
            return self.coded.shape
        if self.form is Form.SPARSE:
            return dense_shape(self.tensor, self.parts)
        return self.tensor.shape

    @property
    def is_sparse(self) -> bool:
        """Whether it holds plain numbers, those that are not zero, and a mask says where."""
        return self.coded is None and self.form is Form.SPARSE

    @property
    def undecoded(self) -> str | None:
        """Why its values cannot be had, where that is so though nothing is wrong with it."""
        if self.coded is not None:
            return self.coded.undecoded
        return why_undecoded(self.tensor, self.parts) if self.is_sparse else None

    @property
    def misfit(self) -> str | None:
        """Why what says where its numbers belong does not fit them, where that is so."""
        return why_unfit(self.tensor, self.parts) if self.is_sparse else None

    @property
    def page(self) -> Window | None:
        """Where the values lie in what is stored, if not as a module's weight does, in values."""
        if self.coded is None or not self.coded.is_input_first:
            return None
        rows, columns = self.shape
        return Window(0, 1, (columns, rows), (0, columns), (0, rows), transposed=True, alone=True)

    def in_elements(self, window: Window) -> Window:
        """The window of a matrix in stored elements, where they hold codes of several rows."""
        if self.coded is None or not self.coded.packed_down:
            return window
        height, width = self.tensor.shape[1:]
        return replace(window, stored_shape=(height, width), rows=(0, height))

    @property
    def page_of_words(self) -> Window | None:
        """The same in stored elements."""
        page = self.page
        if page is None or self.coded is None:
            return None
        height, width = self.tensor.shape
        order = AWQ_ORDER if self.coded.scheme.name is SchemeName.AWQ else ()
        return replace(
            page, stored_shape=(height, width), rows=(0, height), columns=(0, width), order=order
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """Weights that are stored alike: same name but for numbers, same dtypes and shapes.

    Of what is not zero alone, as many numbers as there are; the masks are of one shape.

    `example` is the first of them; `problem` says why they cannot be decoded, where that is so.
    """

    rows: Rows
    example: TensorRow
    stored: Stored | None
    problem: LayoutError | None

    @property
    def is_decoded(self) -> bool:
        """Whether it is not of a scheme that is told and not decoded."""
        return self.stored is None or self.stored.undecoded is None


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
        self._states: dict[int, State] = {}

    def at(self, row: int) -> Stored:
        """The weight of one row.

        Raises:
            LayoutError: codes that no scheme describes, or whose scale is missing.
        """
        tensor = self.catalog.row(row)
        name, form = self.pairing.weight_name(row), self.pairing.form(row)
        parts = {part: self.catalog.row(at) for part, at in self.pairing.parts_of(row).items()}
        how = coded(name, tensor, form, parts, self.declared)
        state = self._states.get(row)
        if how is not None and state is not None:
            how = replace(how, shape=state.shape)
        return Stored(name, tensor, form, parts, how, state)

    def without_shape(self) -> Iterator[tuple[Kind, TensorRow]]:
        """Weights whose shape no header has, and of each kind the tensor that has it of one."""
        parts = self.pairing.parts
        has_state = np.logical_or.reduce([parts[part] != NOBODY for part in STATES])
        for kind in self._kinds_of(np.flatnonzero(has_state)):
            stored = kind.stored
            if stored is not None and stored.coded is not None and stored.coded.scheme.name in FLAT:
                yield kind, next(stored.parts[part] for part in STATES if part in stored.parts)

    def take_for(self, rows: Rows, state: State) -> None:
        """Take weights for what the state of the first says, but for numbers of their own.

        Raises:
            LayoutError: it does not fit what headers say of that one.
        """
        stored = self.at(int(rows[0]))
        if stored.coded is not None:
            _flat_grid(replace(stored, state=state), stored.coded)
        self._states |= dict.fromkeys(rows.tolist(), state)

    def kinds(self) -> Iterator[Kind]:
        """All weights, those that are stored alike together: some hundred kinds of any model."""
        yield from self._kinds_of(np.flatnonzero(self.pairing.is_weight()))

    def _kinds_of(self, weights: Rows) -> Iterator[Kind]:
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
            stored = kind.stored
            if stored is not None and (stored.shape != kind.example.shape or stored.is_sparse):
                ids[kind.rows] = shapes.setdefault(stored.shape, len(shapes))
        return ValueShapes(tuple(shapes), ids)

    def _alike(self, weights: Rows) -> Rows:
        """For each of some weights a number, the same for those that are stored alike.

        What is told apart is folded in one column after another, each time ranked anew: one sort of
        whole numbers a column, where sorting rows of a table takes ten times as long.
        """
        catalog = self.catalog
        dtypes, shape_ids = catalog.dtype_ids.astype(np.int64), catalog.shape_ids
        runs = self._runs()
        if runs.any():
            shape_ids = np.where(runs, shape_ids[runs][0], shape_ids)
        storages = dtypes * len(catalog.shapes) + shape_ids
        width = len(catalog.dtypes) * len(catalog.shapes) + 1
        alike = catalog.names.template_ids[weights].astype(np.int64)
        for rows in (catalog.all_rows, *self.pairing.parts.values()):
            row = rows[weights]
            if (row != NOBODY).any():
                column = np.where(row == NOBODY, width - 1, storages[row])
                _, alike = np.unique(alike * width + column, return_inverse=True)
        return alike

    def _runs(self) -> npt.NDArray[np.bool_]:
        """`[n]`: which tensors hold what is not zero of a matrix, as many numbers as that is."""
        forms, shapes = self.pairing.forms, self.catalog.shapes
        is_sparse = np.array([form is Form.SPARSE for form in forms], dtype=np.bool_)
        is_run = np.array([len(shape) == 1 for shape in shapes], dtype=np.bool_)
        found: npt.NDArray[np.bool_] = is_sparse[self.catalog.names.template_ids]
        return found & is_run[self.catalog.shape_ids]

    def grids(self, stored: Stored, matrix: Matrix) -> tuple[ScaleGrid, ...]:
        """What is done to the codes of a matrix of a stored weight, in this order.

        Raises:
            LayoutError: a grid of numbers does not tile the matrix.
        """
        how = stored.coded
        if how is None:
            return ()
        if how.scheme.name in FLAT:
            return (_flat_grid(stored, how),)
        if how.scheme.name is SchemeName.AWQ_GEMV:
            rows, columns = stored.shape
            try:
                return padded_grids(stored.name, (rows, columns), stored.parts, self.declared)
            except LayoutError as error:
                raise self.declared.explained(error) from error
        return tuple(
            self._grid(
                matrix, self._numbers(stored, part, how), how.scheme, is_scale=part is Part.SCALE
            )
            for part in _ORDER
            if part in stored.parts
        )

    def _numbers(self, stored: Stored, part: Part, how: Coded) -> Numbers:
        """One part of a weight, and how its numbers are stored."""
        tensor, action = stored.parts[part], _ACTIONS[part]
        encoding = Encoding.PLAIN
        if part is Part.SCALE:
            encoding = _SCALE_ENCODINGS.get(tensor.dtype, Encoding.PLAIN)
            if how.scheme.name is SchemeName.NVFP4 and tensor.dtype is Dtype.U8:
                encoding = Encoding.E4M3
        elif part is Part.ROW_MAXIMUM:
            encoding = Encoding.MAXIMUM
        elif part is Part.ZERO_POINT and tensor.dtype is Dtype.I32:
            encoding = {
                SchemeName.AWQ: Encoding.AWQ_WORDS,
                SchemeName.GPTQ: Encoding.LESS_ONE_WORDS
                if self.declared.zeros_less_one
                else Encoding.OFFSET_WORDS,
            }.get(how.scheme.name, Encoding.OFFSET_WORDS)
        return Numbers(tensor, action, encoding, how.coding.bits if encoding.is_packed_down else 0)

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
        try:
            return lay_grid(matrix, numbers, declared, specified)
        except LayoutError as error:
            raise self.declared.explained(error) from error


def _flat_grid(stored: Stored, how: Coded) -> ScaleGrid:
    """The scales of a run of codes; of a matrix, where its state is known."""
    codes = how.coding.codes_in(stored.tensor.count, stored.tensor.dtype)
    flat = flat_grid(stored.name, codes, stored.parts)
    if stored.state is None:
        return flat
    return settled_grid(stored.name, flat, stored.state, codes)


def value_counts(catalog: Catalog, declared: Callable[[], Declared]) -> npt.NDArray[np.int64]:
    """`[n]`: how many numbers each tensor holds, packed ones one by one.

    Weights are looked for only where there is a dtype that codes are packed in.

    Args:
        catalog: the tensors.
        declared: asked where there are words, whose number of codes a config tells.
    """
    if PACKED_DTYPES.isdisjoint(catalog.dtypes):
        return catalog.counts(catalog.all_rows)
    told = declared() if holds_words(catalog) else Declared()
    return StoredWeights(catalog, told).shapes().counts()


def holds_words(catalog: Catalog) -> bool:
    """Whether there is a dtype in which codes of any width are packed: a config tells the width."""
    return not WORDS.isdisjoint(catalog.dtypes)


_ORDER = (
    Part.ZERO_POINT,
    Part.OFFSET,
    Part.SCALE,
    Part.ROW_MAXIMUM,
    Part.SECOND_SCALE,
    Part.GLOBAL_SCALE,
    Part.BIASES,
)
_ACTIONS = {
    Part.ZERO_POINT: Action.SUBTRACT,
    Part.OFFSET: Action.SUBTRACT,
    Part.SCALE: Action.MULTIPLY,
    Part.ROW_MAXIMUM: Action.MULTIPLY,
    Part.SECOND_SCALE: Action.MULTIPLY,
    Part.GLOBAL_SCALE: Action.DIVIDE,
    Part.BIASES: Action.ADD,
}
"""compressed-tensors divides by `weight_global_scale`, modelopt multiplies by `weight_scale_2`."""

_SCALE_ENCODINGS = {
    Dtype.U8: Encoding.E8M0,
    Dtype.F8_E8M0: Encoding.E8M0,
    Dtype.I32: Encoding.E8M0_WORDS,
}
