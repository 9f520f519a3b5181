"""A file of decoded values that is being written, and what it says of where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Final

from inspector.checkpoint.reader import Part
from inspector.decode.numeric import Float32
from inspector.format.codings import Action
from inspector.layout.weights import Weight
from inspector.render.export import export_values, overflowed
from inspector.version import __version__

_SIGNS: Final = {Action.MULTIPLY: "x", Action.DIVIDE: "/", Action.SUBTRACT: "-", Action.ADD: "+"}


@dataclass(slots=True)
class Export:
    """A file that is being written: takes the rows of its weights in their order."""

    file: IO[bytes]
    dtype: str
    lost: dict[str, int] = field(default_factory=dict)

    def take(self, weight: Weight, values: Float32) -> None:
        """Write some rows, and count what becomes infinite."""
        beyond = overflowed(values, self.dtype)
        if beyond:
            self.lost[weight.name] = self.lost.get(weight.name, 0) + beyond
        self.file.write(export_values(values, self.dtype))


def provenance(parts: Sequence[Part], location: str, commit: str | None) -> dict[str, str]:
    """What a file says of where its values come from."""
    facts = {
        "format": "pt",
        "tool": f"s1inspect {__version__}",
        "source": location,
        "commit": commit or "",
    }
    for part in parts:
        weight = part.weight
        beside = "".join(f" {_SIGNS[grid.action]} {grid.tensor.name}" for grid in weight.grids)
        is_whole = (part.start, part.stop) == (0, weight.rows)
        rows = "" if is_whole else f" rows {part.start}:{part.stop}"
        columns = "" if part.columns is None else " columns {}:{}".format(*part.columns)
        stored = f"{weight.tensor.dtype} {weight.tensor.name}{beside}{rows}{columns}"
        facts[f"from.{weight.name}"] = stored
    return facts
