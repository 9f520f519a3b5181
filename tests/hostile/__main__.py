"""`python -m tests.hostile OUT`: the hostile checkpoints as files, for any reader to be tried on.

`OUT/rules/<rule>/` breaks that rule alone; `OUT/extreme/<what>/` is at the limit of some reader.
"""

import argparse
from pathlib import Path

from tests.hostile.build import write_hostile
from tests.hostile.extreme import write_extreme


def main() -> None:
    """Write both corpora."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("out", type=Path, help="a directory that does not exist yet")
    out = parser.parse_args().out
    out.mkdir(parents=True)
    write_hostile(out / "rules")
    write_extreme(out / "extreme")


if __name__ == "__main__":
    main()
