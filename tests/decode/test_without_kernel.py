"""The package where no kernel was compiled."""

import subprocess
import sys

import numpy as np

WITHOUT = """
import sys
sys.modules["inspector.decode._fused"] = None
import numpy as np
from inspector.decode import fused
from inspector.decode.fp8 import decode_block_scaled
from inspector.format.dtypes import Dtype
codes = np.array([[0x38, 0x01, 0xFE]], np.uint8)
scale = np.array([[0.1, 3.0]], np.float32)
print(fused.is_compiled(), decode_block_scaled(codes, Dtype.F8_E4M3, scale, (1, 2)).tolist())
"""


def test_without_the_kernel_the_package_decodes() -> None:
    done = subprocess.run(  # noqa: S603  this interpreter
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    first, second = float(np.float32(0.1)), float(np.float32(0.1) * np.float32(2.0**-9))
    assert done.stdout == f"False [[{first}, {second}, -1344.0]]\n"
