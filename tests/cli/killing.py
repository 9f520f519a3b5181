"""Runs commands to the end, then again and again with a kill at a random moment.

A process of its own: it has loaded the program once, and each run is a child forked from it.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from inspector.cli import audit, compare, dequant, export_folder, machine, similarity
from inspector.cli.app import app
from inspector.run import audit_tasks, compare_tasks

LOADED = audit, compare, dequant, similarity
"""So that a child is killed at its work."""


def main() -> None:
    """Command line: `killing.py SEED`; on stdin lines of JSON: kills, folder, command.

    The command runs undisturbed with `--out FOLDER/whole`; then with `--out FOLDER/N`, where it is
    killed within the time that this took, and goes on. Whenever it ends before, N is one more.
    Says a line of JSON for each command: how every run ended that was not killed.
    """
    for module in (audit_tasks, compare_tasks):
        vars(module)["TASK_ITEMS"] = 8
    vars(export_folder)["FILE_BYTES"] = 20_000
    vars(machine)["hold_large_blocks_apart"] = bool  # half of the time of so small a match
    draws = random.Random(int(sys.argv[1]))
    for line in sys.stdin:
        kills, folder, command = json.loads(line)
        begun = time.monotonic()
        codes = [_ended(_started(command, Path(folder, "whole")))]
        seconds = time.monotonic() - begun
        while kills and not any(codes):
            child = _started(command, Path(folder, str(len(codes))))
            time.sleep(draws.uniform(0.0, seconds))
            os.kill(child, signal.SIGKILL)
            code = _ended(child)
            if code == -signal.SIGKILL:
                kills -= 1
            else:
                codes.append(code)
        codes.append(_ended(_started(command, Path(folder, str(len(codes))))))
        print(json.dumps(codes), flush=True)  # noqa: T201


def _ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _started(command: Sequence[str], out: Path) -> int:
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        app([*command, "--out", str(out)])
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:  # a child must never go on as its parent
        os._exit(99)
    os._exit(0)


if __name__ == "__main__":
    main()
