import numpy as np
import pytest

from inspector.decode.block_codes import e4m3_block_codes
from tests.quantized import E4M3


@pytest.mark.parametrize("shape", [(1, 1), (4, 6), (5, 7), (9, 2)], ids=str)
@pytest.mark.parametrize("block", [(1, 7), (2, 3), (4, 4), (9, 9)], ids=str)
def test_the_figures_of_every_block_are_those_of_a_loop(
    shape: tuple[int, int], block: tuple[int, int]
) -> None:
    rng = np.random.default_rng(sum(shape))
    bits = rng.choice([0, 0x80, 0x3C, 0x7D, 0xFD, 0x7E, 0xFE, 0x7F, 0xFF], shape).astype(np.uint8)
    found = e4m3_block_codes(bits.view(E4M3), block)
    assert found.largest.shape == (-(-shape[0] // block[0]), -(-shape[1] // block[1]))
    for row, column in np.ndindex(*found.largest.shape):
        part = bits[
            row * block[0] : (row + 1) * block[0], column * block[1] : (column + 1) * block[1]
        ]
        magnitudes = [int(code) & 0x7F for code in part.reshape(-1)]
        numbers = [one for one in magnitudes if one != 0x7F]
        assert found.largest[row, column] == max(numbers, default=0)
        assert found.nan[row, column] == magnitudes.count(0x7F)
        assert found.top[row, column] == magnitudes.count(0x7E)
        assert found.second[row, column] == magnitudes.count(0x7D)


def test_the_three_codes_are_what_they_are_called() -> None:
    values = np.array([0x7D, 0x7E, 0xFE, 0x7F, 0x76], dtype=np.uint8).view(E4M3).astype(np.float32)
    assert values[:3].tolist() == [416, 448, -448]
    assert np.isnan(values[3])
    assert values[4] == 224
