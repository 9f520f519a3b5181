"""Whole processes that read from a counting hub: how each runs, and what it asked for."""

import os
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.counting_hub import CountingHub, Counts
from benchmarks.timing import ProcessRun, run_process

PROGRAM: Final = str(Path(sysconfig.get_path("scripts")) / "s1inspect")


class Tally:
    """Makes contestants out of commands, and keeps what each asked for when it last ran."""

    def __init__(self) -> None:
        self.counts: dict[str, Counts] = {}

    def contestant(
        self, name: str, command: Sequence[str], hub: CountingHub, *, home: str | None = None
    ) -> Callable[[], ProcessRun]:
        """Run `command` against `hub`, with its caches in `home`, or with none from before."""

        def run() -> ProcessRun:
            hub.counts()
            with tempfile.TemporaryDirectory() as fresh:
                found = run_process(command, hub_environment(hub, home or fresh))
            self.counts[name] = hub.counts()
            return found

        return run


def hub_environment(hub: CountingHub, home: str) -> dict[str, str]:
    """Caches in `home` alone, and nothing shown: stderr of a peer would be a progress bar."""
    return {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": home,
        "HF_HUB_CACHE": os.path.join(home, "hub"),  # noqa: PTH118 - a string is wanted
        "HF_ASSETS_CACHE": os.path.join(home, "assets"),  # noqa: PTH118
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "COLUMNS": "120",
    }
