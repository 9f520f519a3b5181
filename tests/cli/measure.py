"""Runs a command and says on the last line of stderr how much memory it took, in bytes.

A process of its own: Linux counts the memory of a large parent as its child's.
"""

import os
import subprocess
import sys


def main() -> None:
    """Command line: `measure.py COMMAND ...`."""
    process = subprocess.Popen(sys.argv[1:])  # noqa: S603  what the test asks for
    _, status, usage = os.wait4(process.pid, 0)
    sys.stderr.write(f"peak {usage.ru_maxrss * 1024}\n")
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
