import numpy as np
import numpy.typing as npt

def multiply(
    codes: npt.NDArray[np.uint8],
    scales: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
    columns: int,
    block_rows: int,
    block_columns: int,
    first_row: int,
    mantissa_bits: int,
    /,
) -> None: ...
