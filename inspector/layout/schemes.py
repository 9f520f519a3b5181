"""Which scheme a weight is quantized by, looked up in the table by what is stored. Pure.

A scheme is told from the form and dtype of the codes, the dtype of the scale and what else stands
beside them; a config's `quant_method` is a claim and is not asked. What fits no row is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from inspector.catalog import TensorRow
from inspector.errors import LayoutError
from inspector.format.codings import PLAIN_CODINGS, Coding, Number
from inspector.format.dtypes import Dtype
from inspector.layout.declared import Declared
from inspector.layout.endings import SCALE_PARTS, Form, Part
from inspector.layout.scheme_table import FLAT, FLOATS, SCHEMES, Scheme, SchemeName
from inspector.layout.sparse import dense_shape, is_run, why_unfit

_WIDTHS: Final = frozenset({2, 3, 4, 8})
"""Bits of an integer that GPTQ packs (GPTQModel `quantization/config.py`); AWQ packs 4."""

_AWQ_BITS: Final = 4

_WHOLE: Final = frozenset({Dtype.U8, Dtype.I16, Dtype.U16, Dtype.I32, Dtype.U32})

_CODES: Final = frozenset(PLAIN_CODINGS)
"""Dtypes whose elements mean nothing without a scale; a missing one is an error, not a 1."""


@dataclass(frozen=True, slots=True)
class Coded:
    """How a weight is coded: its scheme, its codes, and the shape that they unpack to.

    `undecoded` says why its values cannot be had, where that is so. `packed_down`: the codes of one
    element are of neighbouring rows of a stored page, not of its columns.
    """

    scheme: Scheme
    coding: Coding
    shape: tuple[int, ...]
    undecoded: str | None = None
    packed_down: bool = False

    @property
    def is_input_first(self) -> bool:
        """Whether the tensors are stored `[in, out]`, the reverse of a module's weight."""
        return self.scheme.name in (SchemeName.GPTQ, SchemeName.AWQ)


def coded(
    name: str, tensor: TensorRow, form: Form, parts: Mapping[Part, TensorRow], declared: Declared
) -> Coded | None:
    """How a stored tensor is coded; None for one that holds plain numbers.

    Raises:
        LayoutError: codes that no row of the table describes, or whose scale is missing.
    """
    scale = next((parts[part] for part in SCALE_PARTS if part in parts), None)
    if scale is None:
        if form is Form.PLAIN and _is_whole_numbers(name, tensor):
            raise LayoutError(
                f"{name}: {tensor.dtype} {list(tensor.shape)}, and no scale: a weight of whole "
                f"numbers is of no known scheme{_called(declared)}"
            )
        if tensor.dtype in _CODES or form not in (Form.PLAIN, Form.SPARSE):
            raise LayoutError(
                f"{name}: {tensor.dtype} codes without a scale",
                hint="its scale is missing: no tensor of a known scale name stands beside it",
            )
        return None
    if tensor.dtype in FLOATS | {Dtype.F64} and Part.CODEBOOK not in parts:
        return None
    misfit = why_unfit(tensor, parts) if form is Form.SPARSE else None
    if misfit is not None:
        raise LayoutError(f"{name}: {misfit}")
    beside = frozenset(parts) - {Part.SCALE}
    found = [
        scheme
        for scheme in SCHEMES
        if form in scheme.forms and tensor.dtype in scheme.dtypes and scale.dtype in scheme.scales
        and scheme.needs <= beside <= scheme.needs | scheme.may
    ]  # fmt: skip
    if form is Form.QWEIGHT:
        choices = _words_of_columns_or_rows(found, tensor, scale, parts)
    else:
        choices = [_unpacked(scheme, name, tensor, form, parts, declared) for scheme in found]
    if len(choices) > 1:
        choices = [one for one in choices if _fills(one, tensor, scale)]
    if len(choices) != 1:
        with_parts = "".join(f", with {part}" for part in sorted(beside))
        if form is Form.QDATA:
            raise LayoutError(
                f"{name}: torchao's {tensor.dtype} codes {list(tensor.shape)} with {scale.dtype} "
                f"scales {list(scale.shape)}{with_parts} are not decoded yet{_called(declared)}"
            )
        raise LayoutError(
            f"{name}: no known scheme has {tensor.dtype} codes ({form}) {list(tensor.shape)} and "
            f"{scale.dtype} scales {list(scale.shape)}{with_parts}{_called(declared)}",
        )
    undecoded = _why_undecoded(choices[0].scheme, declared)
    if form is Form.SPARSE and is_run(tensor):
        undecoded = f"{tensor.dtype} codes in a run (sparse-bitmask) are not decoded"
    return replace(choices[0], undecoded=undecoded)


def _why_undecoded(scheme: Scheme, declared: Declared) -> str | None:
    if scheme.name is SchemeName.MARLIN_24:
        return f"{scheme.name} is the order of a kernel, which is not undone"
    if scheme.name is SchemeName.GPTQ and declared.zeros_less_one is None:
        told = (
            f"quant_method {declared.method} does not say" if declared.method else "no config says"
        )
        return f"{scheme.name} stores zero points as they are or less one, and {told} which"
    return None


def _is_whole_numbers(name: str, tensor: TensorRow) -> bool:
    """Whether a tensor is called a weight and holds what no weight does that is not coded."""
    is_matrix = name.endswith(".weight") and len(tensor.shape) > 1
    return is_matrix and tensor.dtype in _WHOLE


def _called(declared: Declared) -> str:
    """What the config calls the scheme, for an error that cannot name it."""
    return f"; the config calls it {declared.method}" if declared.method else ""


def scheme_name(scheme: Scheme, blocks: Sequence[tuple[int, int]]) -> SchemeName:
    """The name of a scheme with scales over such blocks.

    FP8 codes with exponents are MXFP8 in the groups that OCP specifies, and FP8 in any others:
    DeepSeek-V4's dense layers have blocks of 128x128.
    """
    if scheme.name is SchemeName.MXFP8 and (1, scheme.group) not in blocks:
        return SchemeName.FP8
    return scheme.name


def _fills(one: Coded, tensor: TensorRow, scale: TensorRow) -> bool:
    """Whether codes fill the stored rows to the last bit, and their groups the scale."""
    row_bits = tensor.shape[-1] * tensor.dtype.bits if tensor.shape else 0
    groups = -(-one.shape[-1] // one.scheme.group) if one.scheme.group and one.shape else 1
    return row_bits % one.coding.bits == 0 and scale.shape[-1:] == (groups,)


def _unpacked(
    scheme: Scheme,
    name: str,
    tensor: TensorRow,
    form: Form,
    parts: Mapping[Part, TensorRow],
    declared: Declared,
) -> Coded:
    """The codes of a tensor and the shape they unpack to.

    gpt-oss splits the last axis into groups, which is undone.
    """
    shape = tensor.shape
    scale = next(parts[part] for part in SCALE_PARTS if part in parts)
    if form is Form.BLOCKS and len(shape) > 1:
        shape = (*shape[:-2], shape[-2] * shape[-1])
    if scheme.name in (SchemeName.PACKED_INTEGER, SchemeName.MLX):
        is_mlx = scheme.name is SchemeName.MLX
        bits, columns = _packed_integers(name, tensor, scale, declared, may_be_padded=not is_mlx)
        number = Number.UNSIGNED if is_mlx else Number.OFFSET
        return Coded(scheme, Coding(number, bits), (*shape[:-1], columns))
    if scheme.name is SchemeName.MARLIN_24:
        return _of_marlin(scheme, tensor, scale)
    coding = scheme.coding or PLAIN_CODINGS[tensor.dtype]
    if form is Form.SPARSE:
        return Coded(scheme, coding, dense_shape(tensor, parts))
    if scheme.name in FLAT:
        shape = (1, coding.codes_in(tensor.count, tensor.dtype))
    elif _is_packed_down(scheme, coding, tensor, scale):
        pages, rows, columns = shape
        shape = (pages, coding.codes_in(rows, tensor.dtype), columns)
        return Coded(scheme, coding, shape, packed_down=True)
    elif shape:
        shape = (*shape[:-1], coding.codes_in(shape[-1], tensor.dtype))
    return Coded(scheme, coding, shape)


def _of_marlin(scheme: Scheme, tensor: TensorRow, scale: TensorRow) -> Coded:
    """Tiles of 16 by 16, of half of the inputs: the shape that they had (`marlin_24.py`)."""
    outputs = scale.shape[-1] if scale.shape else 1
    rows, words = (*tensor.shape, 1, 1)[:2]
    bits = max(1, 2 * words // max(outputs, 1))
    return Coded(scheme, Coding(Number.OFFSET, bits), (outputs, 32 * rows))


def _is_packed_down(scheme: Scheme, coding: Coding, tensor: TensorRow, scale: TensorRow) -> bool:
    """Whether the pages `[in, out]` of a fused tensor are packed along their inputs.

    So modelopt stores the experts of Llama-4 (`unified_export_hf.py`): packed as `[E, out, in]`,
    then turned, and the scales with it. Their shape tells; of no other order can it be.
    """
    if scheme.group is None or coding.bits >= tensor.dtype.bits or len(tensor.shape) != 3:
        return False
    pages, rows, columns = tensor.shape
    groups = -(-coding.codes_in(rows, tensor.dtype) // scheme.group)
    return scale.shape == (pages, groups, columns)


def _words_of_columns_or_rows(
    schemes: Sequence[Scheme], tensor: TensorRow, scale: TensorRow, parts: Mapping[Part, TensorRow]
) -> list[Coded]:
    """GPTQ's or AWQ's integers: a matrix stored `[in, out]`, whose weight is `[out, in]`.

    GPTQ packs down its columns, AWQ along its rows. Zero points are packed along the rows, one for
    each scale, so that the two tell the width. AWQ for its GEMV kernel stores all as `[out, ...]`.
    """
    zeros = parts.get(Part.ZERO_POINT)
    if zeros is None or len(tensor.shape) != 2 or len(scale.shape) != 2 or len(zeros.shape) != 2:
        return []
    outputs = scale.shape[1]
    bits = zeros.shape[1] * zeros.dtype.bits // max(outputs, 1)
    if bits not in _WIDTHS:
        return []
    coding, (rows, columns) = Coding(Number.OFFSET, bits), tensor.shape
    if rows == zeros.shape[0] == scale.shape[0]:
        gemv = [one for one in schemes if one.name is SchemeName.AWQ_GEMV and bits == _AWQ_BITS]
        return [Coded(one, coding, (rows, coding.codes_in(columns, tensor.dtype))) for one in gemv]
    shapes = {
        SchemeName.GPTQ: (columns, coding.codes_in(rows, tensor.dtype)),
        SchemeName.AWQ: (coding.codes_in(columns, tensor.dtype), rows),
    }
    return [
        Coded(scheme, coding, shapes[scheme.name])
        for scheme in schemes
        if scheme.name in shapes and shapes[scheme.name][0] == outputs
    ]


def _packed_integers(
    name: str, tensor: TensorRow, scale: TensorRow, declared: Declared, *, may_be_padded: bool
) -> tuple[int, int]:
    """The width of packed integers and the most columns that a row of words holds of them.

    Where the last word of a row may be padded, the true number is in `weight_shape`.
    """
    words = tensor.shape[-1] if tensor.shape else 0
    groups = scale.shape[-1] if scale.shape else 1
    found: dict[int, int] = {}
    for bits, width in declared.integers:
        most, fewest = words * 32 // bits, (words - 1) * 32 // bits + 1
        if not may_be_padded:
            fewest = -(-words * 32 // bits)
        columns = most if width is None else min(most, groups * width)
        needed = 1 if width is None else -(-columns // width)
        if columns >= fewest and groups == needed:
            found[bits] = max(columns, found.get(bits, 0))
    if len(found) == 1:
        return found.popitem()
    widths = sorted({bits for bits, _ in declared.integers})
    stated = f"{widths} are" if widths else "none is"
    raise declared.explained(
        LayoutError(
            f"{name}: the width of packed integers in {list(tensor.shape)} words with scales "
            f"{list(scale.shape)} cannot be told; of num_bits, {stated} declared",
            hint="config.json states num_bits and group_size in quantization_config.config_groups",
        )
    )
