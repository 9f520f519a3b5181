"""Codes decoded by torch on a device. The one module that knows torch, loaded when it is needed.

Plain elements of up to 32 bits, and what multiplies them block by block, are decoded there, by the
same float32 steps as in `blocks.py`. Anything else is decoded here, and sent.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from inspector.decode.blocks import Factor, check_tiles
from inspector.decode.numeric import Array, Float32
from inspector.errors import DecodeError, DeviceNotThere, UsageError
from inspector.format.codings import PLAIN_CODINGS, Action, Coding
from inspector.format.dtypes import Dtype

CPU: Final = "cpu"
"""No device: numpy and numkong, and no torch."""

STAND_IN: Final = "torch:cpu"
"""Torch on the processor: the code that runs on a GPU, where there is none."""

Tensor = Any
"""A torch tensor; torch may be absent where this is read."""

_NAMES: Final = re.compile(r"cuda(?::\d{1,3})?|torch:cpu|cpu")

_ELEMENTS: Final = MappingProxyType(
    {
        Dtype.F8_E4M3: "float8_e4m3fn",
        Dtype.F8_E5M2: "float8_e5m2",
        Dtype.F8_E4M3FNUZ: "float8_e4m3fnuz",
        Dtype.F8_E5M2FNUZ: "float8_e5m2fnuz",
        Dtype.I8: "int8",
        Dtype.BF16: "bfloat16",
        Dtype.F16: "float16",
        Dtype.F32: "float32",
    }
)
"""Dtype -> that of torch; float32 holds what each can be."""

_RAW: Final = MappingProxyType({1: "int8", 2: "int16", 4: "int32"})
"""Bytes of an element -> the dtype of torch and numpy that carries it."""


class Device:
    """A device of torch: takes arrays, decodes codes. What it holds are tensors of its own."""

    def __init__(self, torch: Any, at: Any) -> None:
        """`torch` is the module, `at` a `torch.device`."""
        self.torch = torch
        self._at = at

    @property
    def description(self) -> str:
        """What results depend on: the kind of device, and torch's version."""
        kind = self.torch.cuda.get_device_name(self._at) if self._is_cuda else self._at.type
        return f"{kind}, torch {self.torch.__version__}"

    @property
    def _is_cuda(self) -> bool:
        return bool(self._at.type == "cuda")

    def sent(self, values: Float32) -> Tensor:
        """An array as a tensor there, float32."""
        return self.plain(values, Dtype.F32)

    def plain(self, codes: Array, dtype: Dtype) -> Tensor:
        """Stored elements as float32 there, `[rows, columns]`, exactly and without any scale.

        Raises:
            DecodeError: a dtype that `holds` denies.
        """
        if not holds(dtype):
            raise DecodeError(f"{dtype} is not decoded by torch")
        raw = _RAW[codes.itemsize]
        # Pinned memory is what a device can read while the next is made ready; from other memory a
        # driver makes this copy itself.
        buffer = self.torch.empty(
            codes.shape, dtype=getattr(self.torch, raw), pin_memory=self._is_cuda
        )
        buffer.numpy()[...] = codes.view(raw)
        elements = buffer.to(self._at, non_blocking=True)
        return elements.view(getattr(self.torch, _ELEMENTS[dtype])).to(self.torch.float32)

    def scaled(self, plain: Tensor, factors: Sequence[Factor]) -> Tensor:
        """Elements times what multiplies them, `[rows, columns]`, each product rounded once.

        Raises:
            DecodeError: the numbers of a factor do not tile the elements.
        """
        rows, columns = plain.shape
        values = plain
        for factor in factors:
            check_tiles(factor, rows, columns)
            height, width = factor.block
            numbers = self.sent(factor.numbers)
            if numbers.shape[1] > 1:
                numbers = numbers.repeat_interleave(width, 1)[:, :columns]
            first = factor.first_row
            blocks = self.torch.arange(first, first + rows, device=self._at) // height
            values = values * numbers[blocks]
        return values

    @contextmanager
    def memory(self) -> Iterator[None]:
        """Makes its want of memory an intended error.

        Raises:
            DecodeError: the device has too little.
        """
        try:
            yield
        except self.torch.OutOfMemoryError as error:
            raise DecodeError(
                f"{self._at}: {str(error).partition('.')[0]}",
                hint="free the device, name another with --device cuda:1, or leave out --device",
            ) from error


def holds(dtype: Dtype) -> bool:
    """Whether elements of that dtype can be decoded there."""
    return dtype in _ELEMENTS


def multiplies(dtype: Dtype, coding: Coding | None, factors: Sequence[Factor]) -> bool:
    """Whether such codes can be decoded there with all that is applied to them."""
    is_plain = coding is None or coding == PLAIN_CODINGS.get(dtype)
    return is_plain and all(
        factor.action is Action.MULTIPLY and factor.order is None and factor.first_block is None
        for factor in factors
    )


def check_name(name: str) -> None:
    """Refuse what names no device.

    Raises:
        UsageError: it does not.
    """
    if _NAMES.fullmatch(name) is None:
        raise UsageError(f"--device {name!r}: no such device", hint="cpu, cuda or cuda:1")


@cache
def open_device(name: str) -> Device | None:
    """The device of that name; None for the processor, which needs no torch.

    Raises:
        UsageError: no name of a device.
        DeviceNotThere: torch is not installed, or it sees no such device.
    """
    check_name(name)
    if name == CPU:
        return None
    try:
        import torch
    except ModuleNotFoundError as error:
        raise DeviceNotThere(
            f"--device {name} needs torch, which is not installed", hint="pip install torch"
        ) from error
    except (ImportError, OSError) as error:
        raise DeviceNotThere(f"--device {name}: torch does not load: {_line(error)}") from error
    if not hasattr(torch, "OutOfMemoryError"):
        raise DeviceNotThere(
            f"--device {name} needs torch 2.6 or later, not {torch.__version__}",
            hint="pip install --upgrade torch",
        )
    if name == STAND_IN:
        return ready(torch, torch.device("cpu"))
    if not torch.cuda.is_available():
        raise DeviceNotThere(
            f"--device {name}: torch {torch.__version__} sees no CUDA",
            hint="it takes a GPU, its driver and a torch built for CUDA; else leave out --device",
        )
    count = torch.cuda.device_count()
    at = torch.device(name)
    if at.index is not None and at.index >= count:
        raise DeviceNotThere(f"--device {name}: the last of {count} is cuda:{count - 1}")
    return ready(torch, at)


def ready(torch: Any, at: Any) -> Device:
    """A device that has computed something: drivers and builds that do not fit fail at that.

    Raises:
        DeviceNotThere: it cannot.
    """
    try:
        torch.ones(1, device=at).add(1).item()
    except RuntimeError as error:
        raise DeviceNotThere(
            f"--device {at}: {_line(error)}", hint="a torch built for this GPU and its driver"
        ) from error
    return Device(torch, at)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
