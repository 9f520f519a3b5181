"""The devices of torch that tests run on: its processor always, CUDA where there is one."""

from typing import Any, Final

import pytest

from inspector.decode.device import STAND_IN, Device, open_device

torch: Any = pytest.importorskip("torch", reason="torch is installed with the extra `oracle`")

HAS_CUDA: Final = bool(torch.cuda.is_available())

DEVICES: Final = [
    STAND_IN,
    pytest.param("cuda", marks=pytest.mark.skipif(not HAS_CUDA, reason="torch sees no CUDA")),
]

AVAILABLE: Final = [STAND_IN, "cuda"] if HAS_CUDA else [STAND_IN]


def device_of(name: str) -> Device:
    """The device, which is there."""
    found = open_device(name)
    assert found is not None
    return found
