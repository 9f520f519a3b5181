"""How the C library holds memory: large arrays apart from small objects that stay."""

import ctypes
import sys
from typing import Final

LARGE_BYTES: Final = 256 * 1024
"""Blocks from this size on are given back when they are freed. What lies between strips of a look
and the tests that are kept of it: 128 KiB is what glibc begins with."""

_M_MMAP_THRESHOLD: Final = -3
"""`M_MMAP_THRESHOLD` of glibc's malloc.h."""


def hold_large_blocks_apart() -> bool:
    """Have glibc map large blocks by themselves, for good; whether it does.

    It does so from 128 KiB on, but raises that bound up to 32 MB as such blocks are freed. Then
    arrays of a look lie in the heap, between objects that are kept of it, and what is freed is
    not given back: a match of 94 layers held 1.7 GB where a third of it was in use.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(set_option(_M_MMAP_THRESHOLD, LARGE_BYTES))
