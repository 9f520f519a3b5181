"""Runs commands that are killed at random moments, then once to the end.

A process of its own: it has loaded the program once, and each run is a child forked from it.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

from inspector.cli import export_folder
from inspector.cli.app import app
from inspector.run import audit_tasks, compare_tasks

LONGEST: Final = 0.6
"""Seconds after which a run is killed, at most."""


def main() -> None:
    """Command line: `killing.py KILLS SEED`; commands as JSON on stdin, one a line.

    Says a line of JSON for each: how many runs were killed, and how the last one ended.
    """
    kills, seed = map(int, sys.argv[1:])
    for module in (audit_tasks, compare_tasks):
        vars(module)["TASK_ITEMS"] = 8
    vars(export_folder)["FILE_BYTES"] = 20_000
    draws = random.Random(seed)
    for line in sys.stdin:
        arguments = json.loads(line)
        killed = 0
        for _ in range(kills):
            child = _started(arguments)
            time.sleep(draws.uniform(0.0, LONGEST))
            os.kill(child, signal.SIGKILL)
            killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        ended = os.waitstatus_to_exitcode(os.waitpid(_started(arguments), 0)[1])
        print(json.dumps([killed, ended]), flush=True)  # noqa: T201


def _started(arguments: Sequence[str]) -> int:
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        app(arguments)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:  # a child must never go on as its parent
        os._exit(99)
    os._exit(0)


if __name__ == "__main__":
    main()
