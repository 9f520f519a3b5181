"""The full-scale replica of Intern-S1-Pro, written by a process of its own: it needs memory."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

REPOSITORY: Final = "internlm/Intern-S1-Pro"


@contextmanager
def replica(*, fill: str | None = None, layers: int | None = None) -> Iterator[Path]:
    """A folder with the replica at `REPOSITORY` in it; `fill` is `LAYER,EXPERT`."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / REPOSITORY
        options = [] if fill is None else ["--fill", fill]
        options += [] if layers is None else ["--layers", str(layers)]
        command = [sys.executable, "-m", "tests.replica", "--out", str(out), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        yield Path(folder)


def header_bytes(shard: Path) -> int:
    """Bytes of a shard's header, with the eight that say its length."""
    with shard.open("rb") as file:
        return 8 + int.from_bytes(file.read(8), "little")
