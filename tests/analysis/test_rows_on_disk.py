"""Rows that are kept in a file come back bit for bit, whoever kept them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from inspector.analysis.rows_on_disk import RowsOnDisk


@pytest.mark.parametrize("low_bits", [False, True])
def test_rows_that_threads_keep_come_back_bit_for_bit(low_bits: bool) -> None:  # noqa: FBT001
    values = np.random.default_rng(0).standard_normal((400, 5, 33)).astype(np.float32)
    values[0, 0, :3] = np.nan, -np.inf, -0.0
    if not low_bits:
        values = (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    rows = RowsOnDisk()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda place: rows.put(("layer", place), values[place].T), range(400)))
    assert ("layer", 400) not in rows
    for place in range(400):
        assert ("layer", place) in rows
        assert rows.take(("layer", place)).tobytes() == values[place].T.tobytes()
