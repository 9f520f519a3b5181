"""FP8 codes times block scales: the commonest case of `blocks.py`. Arrays in, arrays out."""

from inspector.decode.blocks import Factor, decode_rows
from inspector.decode.numeric import Array, Float32
from inspector.format.codings import PLAIN_CODINGS
from inspector.format.dtypes import Dtype


def decode_block_scaled(
    codes: Array, dtype: Dtype, scale: Float32, block: tuple[int, int], *, first_row: int = 0
) -> Float32:
    """Multiply every `block` of a quantized weight by its scale.

    Args:
        codes: `[rows, columns]` of the stored dtype; some rows of a weight will do.
        dtype: of the codes.
        scale: `[ceil((first_row + rows) / block_rows) or more, ceil(columns / block_columns)]`
            multipliers of the whole weight. Checkpoints store them as `weight_scale_inv`; despite
            the name they multiply (DeepSeek-V3, `inference/kernel.py`).
        block: `(block_rows, block_columns)`.
        first_row: which row of the weight `codes[0]` is.

    Returns:
        `[rows, columns]` float32, each value rounded once. The last block of each axis may be
        partial. NaN codes and NaN scales give NaN: audits count them.

    Raises:
        DecodeError: `scale` does not tile `codes`.

    >>> import numpy as np
    >>> codes = np.array([[0x38, 0x38, 0xB8]], dtype=np.uint8).view("float8_e4m3fn")  # 1, 1, -1
    >>> scale = np.array([[2.0, 8.0]], dtype=np.float32)
    >>> decode_block_scaled(codes, Dtype.F8_E4M3, scale, (1, 2))
    array([[ 2.,  2., -8.]], dtype=float32)
    """
    factor = Factor(scale, block, first_row=first_row)
    return decode_rows(codes, PLAIN_CODINGS[dtype], codes.shape[1], [factor])
