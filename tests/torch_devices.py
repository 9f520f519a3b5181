"""The devices of torch that tests run on: its processor where torch is, CUDA where there is one."""

from importlib.util import find_spec
from typing import Final

import pytest

from inspector.decode.device import STAND_IN, Device, open_device

HAS_TORCH: Final = find_spec("torch") is not None


def _sees_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


HAS_CUDA: Final = HAS_TORCH and _sees_cuda()

needs_torch: Final = pytest.mark.skipif(
    not HAS_TORCH, reason="torch is installed with the extra `oracle`"
)
needs_cuda: Final = pytest.mark.skipif(not HAS_CUDA, reason="torch sees no CUDA")

_HERE: Final = pytest.param(STAND_IN, marks=needs_torch)
DEVICES: Final = [_HERE, pytest.param("cuda", marks=needs_cuda)]
AVAILABLE: Final = [_HERE, "cuda"] if HAS_CUDA else [_HERE]
"""Those that are there, for tests of so many cases that no list of what is skipped is wanted."""


def device_of(name: str) -> Device:
    """The device, which is there."""
    found = open_device(name)
    assert found is not None
    return found
