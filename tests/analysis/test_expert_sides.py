import threading

import pytest

from inspector.analysis.expert_sides import Ahead, side_by_side, when_asked
from inspector.source.pool import begin


@pytest.mark.parametrize("ahead", [when_asked, begin], ids=["when asked", "begun"])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 8])
def test_results_come_in_order_whoever_works(ahead: Ahead, count: int) -> None:
    assert side_by_side(ahead, lambda one: one * one, range(count)) == [i * i for i in range(count)]


def test_every_second_item_is_done_beside_the_others() -> None:
    both = threading.Barrier(2, timeout=10)

    def work(item: int) -> str:
        both.wait()  # the other half has come as far
        return threading.current_thread().name

    first, second, third, fourth = side_by_side(begin, work, range(4))
    assert first == third == threading.current_thread().name
    assert second == fourth != first


@pytest.mark.parametrize("bad", [2, 3])
def test_an_error_of_either_half_is_raised(bad: int) -> None:
    def work(item: int) -> int:
        if item == bad:
            raise ValueError("this one")
        return item

    with pytest.raises(ValueError, match="this one"):
        side_by_side(begin, work, range(4))
