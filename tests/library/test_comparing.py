"""`compare` with a device: the answer, checks and errors of the command."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from inspector import DeviceNotThere, OpenCheckpoint, UsageError, open_checkpoint
from inspector.decode.device import open_device
from tests.cli.running import S1, answer
from tests.torch_devices import DEVICES

OTHER = f"{S1}-e8m0"


@pytest.fixture(scope="module")
def model() -> Iterator[OpenCheckpoint]:
    with open_checkpoint(S1, cache=False) as opened:
        yield opened


def without_cost(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    del found["cost"]
    return found


@pytest.mark.parametrize("device", ["cpu", *DEVICES])
def test_all_weights_are_compared_on_a_device_as_by_the_command(
    model: OpenCheckpoint, device: str
) -> None:
    ours = without_cost(model.compare(OTHER, full=True, device=device).to_json())
    options = ("-m", S1, "-r", OTHER, "--full", "--device", device, "--fail-on", "never")
    assert ours == without_cost(answer("compare", *options, "--json", "--no-cache"))


def test_the_device_is_that_which_was_named(
    model: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    open_device.cache_clear()
    assert model.compare(OTHER, full=True, device="cpu").weights
    with pytest.raises(DeviceNotThere, match="--device cuda needs torch, which is not installed"):
        model.compare(OTHER, full=True, device="cuda")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "gpu", "full": True}, "--device 'gpu': no such device"),
        ({"device": "gpu"}, "--device is for --full"),
        ({"device": "cuda"}, "--device is for --full"),
        ({"device": "cuda", "full": True, "weights": False}, "--device is for weights"),
        ({"device": "cuda", "full": True, "config_only": True}, "--device is for weights"),
    ],
    ids=["name", "a sample on no device", "a sample", "no weights", "config"],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_opened(
    model: OpenCheckpoint, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        model.compare("nothing/is-there", **options)
