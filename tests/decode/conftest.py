"""Which way products are decoded: by the compiled kernel, or in the steps of numkong and numpy."""

import os
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from inspector.decode import fused

REQUIRED: Final = "S1INSPECT_REQUIRE_KERNEL"
"""Where this variable is set, as `.ci/run` sets it, a missing kernel fails instead of skipping."""


@pytest.fixture(scope="module")
def kernel() -> Callable[..., None]:
    """`multiply` of the kernel. Skips where that was not compiled, or fails."""
    if not fused.is_compiled():
        reason = "inspector.decode._fused is not compiled: pip install -e . with a C compiler"
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, and {reason}")
        pytest.skip(reason)
    from inspector.decode import _fused

    return _fused.multiply


@pytest.fixture(scope="module", params=["kernel", "steps"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs what uses it with the kernel, and again as if none were compiled."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "kernel":
            request.getfixturevalue("kernel")
        else:
            patch.setattr(fused, "_fused", None)
        yield
