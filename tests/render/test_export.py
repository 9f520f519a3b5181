import ml_dtypes
import numpy as np
import pytest
from safetensors import deserialize

from inspector.errors import UsageError
from inspector.render.export import EXPORT_DTYPES, export_header, export_values, overflowed

VALUES = np.array([[0.0, -0.0, 1.0], [1 / 3, np.inf, np.nan]], dtype=np.float32)
SCALAR = np.array(7.0, dtype=np.float32)


@pytest.mark.parametrize("dtype", EXPORT_DTYPES)
def test_the_reference_reader_accepts_header_and_values(dtype: str) -> None:
    header = export_header([("a", (2, 3)), ("b", ()), ("empty", (0, 3))], dtype, {"k": "v"})
    content = header + export_values(VALUES, dtype) + export_values(SCALAR, dtype)
    found = dict(deserialize(content))  # type: ignore[no-untyped-call]  # its stub has no types
    code, numpy_dtype = EXPORT_DTYPES[dtype]
    assert {name: one["dtype"] for name, one in found.items()} == dict.fromkeys(found, code)
    values = np.frombuffer(bytes(found["a"]["data"]), dtype=numpy_dtype).reshape(2, 3)
    expected = VALUES.astype(numpy_dtype)
    np.testing.assert_array_equal(values.astype(np.float32), expected.astype(np.float32))
    assert list(found["b"]["shape"]) == []
    assert len(header) % 8 == 0


def test_a_name_goes_into_a_file_once() -> None:
    with pytest.raises(UsageError, match="a is selected twice"):
        export_header([("a", (1,)), ("a", (1,))], "float32", {})


def test_bfloat16_rounds_to_even() -> None:
    values = np.array([1 + 2**-8, 1 + 3 * 2**-8], dtype=np.float32)
    found = np.frombuffer(export_values(values, "bfloat16"), dtype=ml_dtypes.bfloat16)
    assert found.astype(np.float32).tolist() == [1.0, 1 + 2**-6]


def test_values_too_large_become_infinite_and_are_counted() -> None:
    values = np.array([65_504, 65_520, -1e30, np.inf, np.nan, 1], dtype=np.float32)
    found = np.frombuffer(export_values(values, "float16"), dtype=np.float16)
    assert np.isinf(found).tolist() == [False, True, True, True, False, False]
    assert [overflowed(values, dtype) for dtype in ("float16", "bfloat16", "float32")] == [2, 0, 0]


def test_a_transposed_view_is_written_row_major() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert export_values(values.T, "float32") == np.ascontiguousarray(values.T).tobytes()
