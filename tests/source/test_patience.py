"""When a server is asked again: by a clock that a test moves, never by waiting."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from inspector.errors import SourceError
from inspector.source import patience as module
from inspector.source.patience import Pacer, Patience, TryAgain, stated_pause


class Clock:
    """Stands in for `time`: sleeping moves it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.meanwhile: list[Callable[[], object]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.meanwhile:
            self.meanwhile.pop()()
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module._JITTER, "uniform", lambda low, high: low)
    return clock


def failing(*failures: TryAgain) -> Callable[[], str]:
    """A request that fails so often and then answers."""
    left = list(failures)

    def ask() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return ask


def refused(status: int | None = None, pause: float | None = None) -> TryAgain:
    return TryAgain(SourceError(f"answered {status}"), status=status, pause=pause)


def test_each_wait_is_twice_the_last(clock: Clock) -> None:
    assert Pacer(Patience()).run(failing(*[refused(500)] * 5)) == "answer"
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_waits_are_up_to_a_quarter_longer_by_chance(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    monkeypatch.setattr(module._JITTER, "uniform", uniform)
    Pacer(Patience()).run(failing(refused(500), refused(500)))
    assert asked == [(1.0, 1.25)] * 2
    assert clock.slept == [0.625, 1.25]


@pytest.mark.parametrize(("status", "attempts"), [(None, 3), (500, 6), (429, 6), (503, 6)])
def test_so_often_and_no_more(clock: Clock, status: int | None, attempts: int) -> None:
    assert Pacer(Patience()).run(failing(*[refused(status)] * (attempts - 1))) == "answer"
    with pytest.raises(SourceError, match=f"answered {status}"):
        Pacer(Patience()).run(failing(*[refused(status)] * attempts))


@pytest.mark.parametrize("status", [429, 503])
def test_a_stated_pause_is_kept(clock: Clock, status: int) -> None:
    assert Pacer(Patience()).run(failing(refused(status, pause=40))) == "answer"
    assert clock.slept == [40.0]


def test_other_requests_wait_with_the_one_that_was_refused(clock: Clock) -> None:
    """As another thread would ask while the first waits."""
    pacer = Pacer(Patience())
    clock.meanwhile.append(lambda: pacer.run(lambda: moments.append(clock.now)))
    moments: list[float] = []
    pacer.run(failing(refused(429, pause=40)))
    assert moments == [1040.0]


def test_nothing_is_asked_again_after_the_deadline(clock: Clock) -> None:
    with pytest.raises(SourceError) as caught:
        Pacer(Patience(total_seconds=60)).run(failing(refused(429, pause=61)))
    assert clock.slept == []
    assert caught.value.hint == "the server asks to be left alone for 61 s"


def test_waits_add_up_to_the_deadline_at_most(clock: Clock) -> None:
    storm = [refused(500)] * 100
    with pytest.raises(SourceError):
        Pacer(Patience(attempts=100, total_seconds=60)).run(failing(*storm))
    assert clock.now <= 1060


def test_a_long_wait_is_told_of_and_a_short_one_is_not(clock: Clock) -> None:
    told: list[str] = []
    pacer = Pacer(Patience(say=told.append))
    pacer.run(failing(refused(429, pause=4), refused(429, pause=40)))
    assert told == ["answered 429; asking again in 40 s"]


@pytest.mark.parametrize(("status", "used"), [(429, True), (503, True), (500, False)])
def test_the_means_that_read_a_pause_are_used_after_a_limit(
    clock: Clock, status: int, *, used: bool
) -> None:
    answer = Pacer(Patience()).run(failing(refused(status)), lambda: "careful")
    assert answer == ("careful" if used else "answer")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"ratelimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit": '"api";r=3;t=55'}, None),
        ({"ratelimit": '"api";r=0;t=55', "retry-after": "7"}, 55.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-7"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_what_a_server_says_of_a_pause(headers: Mapping[str, str], seconds: float | None) -> None:
    assert stated_pause(headers) == seconds


def test_a_pause_may_be_a_date() -> None:
    until = datetime.now(UTC) + timedelta(seconds=100)
    found = stated_pause({"retry-after": format_datetime(until, usegmt=True)})
    assert found is not None
    assert 90 < found <= 100


def test_a_pause_leaves_the_random_state_of_the_program_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads that wait may outlive what asked for them; hypothesis watches that state."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    before = random.getstate()
    assert Pacer(Patience()).run(failing(refused(500))) == "answer"
    assert 0.5 < clock.slept[0] < 0.625
    assert random.getstate() == before
