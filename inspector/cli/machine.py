"""What a match asks of the libraries below: memory that is given back, and one thread for products.

Nothing here loads numpy: its library of matrix products reads the environment when it is loaded.
"""

import ctypes
import os
import sys
from typing import Final

_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables by which a library of matrix products is told how many threads it may have."""

LARGE_BYTES: Final = 256 * 1024
"""Blocks from this size on are given back when they are freed: scores of a layer's experts have
512 KiB, the strips in which experts are prepared 4 MiB."""

_M_MMAP_THRESHOLD: Final = -3
"""`M_MMAP_THRESHOLD` of glibc's malloc.h."""


def hold_large_blocks_apart() -> bool:
    """Have glibc map large blocks by themselves, for good; whether it does.

    It does so from 128 KiB on, but raises that bound up to 32 MB as such blocks are freed. Then
    arrays of a look lie in the heap, between objects that are kept of it, and what is freed is
    not given back: after 14 layers of a match 0.67 GB were held, and 0.38 with the bound fixed.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(set_option(_M_MMAP_THRESHOLD, LARGE_BYTES))


def multiply_in_one_thread() -> None:
    """One thread for matrix products, unless somebody said otherwise.

    They are small here, a twentieth of the time of a look, and threads that wait for each other
    take the cores from those that read: twice the time of a look where the cores are shared.
    """
    if not any(name in os.environ for name in _THREADS):
        os.environ[_THREADS[0]] = "1"
