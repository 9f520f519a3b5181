"""`dequant -o`: decoded values to a file as they come, in the format that its name says.

No format needs more than one piece of one weight in memory, and the file appears when it is whole.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from inspector.checkpoint.reader import Part
from inspector.cli.output import say
from inspector.decode.numeric import Float32
from inspector.errors import UsageError
from inspector.layout.weights import Weight
from inspector.render.export import export_header, npy_header
from inspector.run.export_file import Export
from inspector.source.replacing import atomic_file

_FORMATS: Final = (".safetensors", ".npy", ".npz")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every entry of an archive: the same values give the same file."""


class _Archive(Export):
    """An archive with an entry for each weight, opened when its first rows come."""

    def __init__(self, archive: zipfile.ZipFile, parts: Sequence[Part], dtype: str) -> None:
        super().__init__(BytesIO(), dtype)
        self._archive = archive
        self._waiting = {part.weight.name: part.shape for part in parts}

    def take(self, weight: Weight, values: Float32) -> None:
        if weight.name in self._waiting:
            self._open(weight.name)
        super().take(weight, values)

    def finish(self) -> None:
        """Close the entry that is open; weights of which no row came are empty."""
        for name in list(self._waiting):
            self._open(name)
        self.file.close()

    def _open(self, name: str) -> None:
        self.file.close()
        info = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
        self.file = self._archive.open(info, "w", force_zip64=True)
        self.file.write(npy_header(self._waiting.pop(name), self.dtype))


def check_export(file: str, dtype: str) -> None:
    """Refuse a name or a dtype that no file can have.

    Raises:
        UsageError: another ending, or bfloat16 in a numpy file.
    """
    if not file.endswith(_FORMATS):
        raise UsageError(
            f"--output {file}: an export is a {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]} file"
        )
    if dtype == "bfloat16" and not file.endswith(".safetensors"):
        raise UsageError(
            f"--output {file}: numpy has no bfloat16",
            hint="--dtype float32 holds every bfloat16; or name a .safetensors file",
        )


@contextmanager
def exporting(
    path: Path, parts: Sequence[Part], dtype: str, metadata: Mapping[str, str]
) -> Iterator[Export]:
    """An export that is open; on any error nothing of it is left behind.

    Raises:
        UsageError: several weights for a .npy file, or a name that no archive entry may have.
    """
    with atomic_file(path) as file:
        if path.suffix == ".npz":
            with _archive(file, parts, dtype) as export:
                yield export
        else:
            header = _header(path, parts, dtype, metadata)
            file.write(header)
            yield (export := Export(file, dtype))
    for name, count in export.lost.items():
        say(f"warning: {count:,} values of {name} are infinite as {dtype}")


def _header(path: Path, parts: Sequence[Part], dtype: str, metadata: Mapping[str, str]) -> bytes:
    if path.suffix == ".safetensors":
        return export_header([(part.weight.name, part.shape) for part in parts], dtype, metadata)
    if len(parts) > 1:
        raise UsageError(
            f"--output {path}: a .npy file holds one weight, {len(parts)} are selected",
            hint="a .npz file holds several",
        )
    return npy_header(parts[0].shape, dtype)


@contextmanager
def _archive(file: IO[bytes], parts: Sequence[Part], dtype: str) -> Iterator[Export]:
    for part in parts:
        name = part.weight.name
        if "/" in name or "\\" in name or not name.isprintable():
            raise UsageError(f"{name!r} cannot be the name of an entry of an archive")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        export = _Archive(archive, parts, dtype)
        yield export
        export.finish()
