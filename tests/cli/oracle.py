"""Weights decoded the slow way, from the file alone: nothing of the package is used."""

import json
from pathlib import Path
from typing import Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

_TYPES: Final[dict[str, npt.DTypeLike]] = {
    "F32": np.float32,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
}
_BLOCK: Final = 128


def stored(directory: Path, name: str) -> Float32:
    """The numbers of a tensor as they are stored."""
    for path in sorted(directory.glob("*.safetensors")):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            entry = json.loads(file.read(length)).get(name)
            if entry is None:
                continue
            start, stop = entry["data_offsets"]
            file.seek(8 + length + start)
            content = file.read(stop - start)
        codes = np.frombuffer(content, dtype=_TYPES[entry["dtype"]])
        return codes.astype(np.float32).reshape(entry["shape"])
    raise KeyError(name)


def decoded(directory: Path, name: str) -> Float32:
    """The numbers of a weight with a scale for each block of 128 x 128."""
    codes = stored(directory, name)
    scale = stored(directory, f"{name}_scale_inv")
    whole = np.repeat(np.repeat(scale, _BLOCK, axis=0), _BLOCK, axis=1)
    return codes * whole[: codes.shape[0], : codes.shape[1]]
