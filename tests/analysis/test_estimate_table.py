import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.analysis.estimate_table import EstimateTable
from inspector.analysis.expert_estimates import Estimates
from inspector.stats.intervals import Interval
from inspector.stats.retention import Retention

numbers = st.floats(allow_nan=False)
intervals = st.builds(Interval, numbers, numbers, numbers)
estimates = st.builds(
    Estimates,
    reference=st.integers(0, 12_031),
    retention=st.builds(Retention, intervals, intervals, st.integers(1, 10_000)),
    scale=st.none() | intervals,
    equal_codes=st.none() | st.floats(0, 1),
    is_flipped=st.booleans(),
)


@given(st.dictionaries(st.integers(0, 600), estimates, max_size=8))
def test_what_is_put_in_comes_out_to_the_last_bit(found: dict[int, Estimates]) -> None:
    table = EstimateTable(found)
    assert dict(table) == found
    assert list(table) == sorted(found)
    assert len(table) == len(found)
    assert all(repr(table[expert]) == repr(one) for expert, one in found.items())


@pytest.mark.parametrize("expert", [0, 4, 8])
def test_an_expert_without_estimates_has_none(expert: int) -> None:
    some = Interval(1.0, 0.5, 1.5)
    one = Estimates(2, Retention(some, some, 64))
    table = EstimateTable({3: one, 7: one})
    assert table.get(expert) is None
    assert expert not in table
    with pytest.raises(KeyError):
        table[expert]


def test_a_scale_that_is_not_a_number_is_not_one_that_was_not_estimated() -> None:
    some, unknown = Interval(1.0, 0.5, 1.5), Interval(*3 * [float("nan")])
    table = EstimateTable({3: Estimates(2, Retention(some, some, 64), scale=unknown)})
    assert repr(table[3].scale) == repr(unknown)
    assert table[3].equal_codes is None
