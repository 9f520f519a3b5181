"""How long a listing waits for its catalog: `python -m benchmarks.catalog_seconds CHECKPOINT`.

Runs `list-tensors -q` in this process, whatever the command line makes of its environment, and
prints the seconds that the first look at the catalog took.
"""

import os
import sys
import time
from functools import cached_property

from inspector.__main__ import main as run_command_line
from inspector.catalog import Catalog
from inspector.checkpoint import Checkpoint


def main() -> None:
    """Time the catalog alone: the names go nowhere."""
    shown = os.dup(1)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - no path of ours
        os.dup2(nowhere.fileno(), 1)
    read = vars(Checkpoint)["catalog"].func

    def timed(checkpoint: Checkpoint) -> Catalog:
        started = time.perf_counter()
        found: Catalog = read(checkpoint)
        os.write(shown, f"{time.perf_counter() - started}\n".encode())
        return found

    catalog = cached_property(timed)
    catalog.__set_name__(Checkpoint, "catalog")
    setattr(Checkpoint, "catalog", catalog)  # noqa: B010 - a type checker would rightly object
    sys.argv = ["s1inspect", "list-tensors", "-q", "-m", sys.argv[1]]
    run_command_line()


if __name__ == "__main__":
    main()
