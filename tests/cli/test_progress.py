"""How far a command is: lines where there is no terminal, a bar where there is one."""

import io
import sys

import pytest

from inspector.cli.progress import LINE_SECONDS, Lines, progress_bar


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def told(moments: list[tuple[float, int]], *, total: int) -> list[str]:
    said: list[str] = []
    clock = Clock()
    lines = Lines(said.append, clock)
    for clock.now, done in moments:
        lines.report("weights", done, total)
    return said


def test_short_work_says_nothing() -> None:
    assert told([(0, 0), (10, 40), (29.9, 100)], total=100) == []


def test_long_work_says_how_far_it_is_at_most_every_thirty_seconds() -> None:
    moments = [(float(second), second) for second in range(100)]
    assert told(moments, total=1000) == [
        "weights: 30 of 1,000, 1.0/s, 0:16:10 left",
        "weights: 60 of 1,000, 1.0/s, 0:15:40 left",
        "weights: 90 of 1,000, 1.0/s, 0:15:10 left",
    ]


def test_what_a_run_found_counts_for_no_rate() -> None:
    """600 were found in a folder at once: the 300 that follow take 60 s, and so will the rest."""
    assert told([(0, 600), (60, 900)], total=1200) == ["weights: 900 of 1,200, 5.0/s, 0:01:00 left"]


def test_work_that_stands_still_has_no_end_in_sight() -> None:
    assert told([(0, 5), (LINE_SECONDS, 5)], total=10) == ["weights: 5 of 10"]


def test_each_kind_of_work_has_a_rate_of_its_own() -> None:
    said: list[str] = []
    clock = Clock()
    lines = Lines(said.append, clock)
    for clock.now in (0.0, 25.0, 50.0):
        lines.report("headers", int(clock.now), 100)
        if clock.now:
            lines.report("weights", int(2 * clock.now), 400)
    assert said == ["headers: 50 of 100, 1.0/s, 0:00:50 left"]
    clock.now = 75.0
    lines.report("weights", 150, 400)
    assert said[1:] == ["weights: 150 of 400, 2.0/s, 0:02:05 left"]


class Terminal(io.StringIO):
    """A stderr that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_bar_with_rate_and_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar() as report:
        for done in (10, 20, 30):
            report("weights", done, 40)
    shown = terminal.getvalue()
    assert "weights" in shown
    assert "30/40" in shown
    assert "/s" in shown


def test_no_terminal_has_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as report:
        report("weights", 1, 2)
    assert capsys.readouterr().err == ""
