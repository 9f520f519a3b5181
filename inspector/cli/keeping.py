"""`--out DIR`: a match whose reads are kept in the folder of a run."""

from pathlib import Path

import msgspec

from inspector.analysis.expert_report import SimilarityDocument
from inspector.analysis.expert_sampler import ExpertSide
from inspector.analysis.report import Cost
from inspector.checkpoint import Checkpoint
from inspector.cli.common import InputOptions
from inspector.render.document import render_json
from inspector.run.find import REPORT_FILE
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity, input_of
from inspector.run.kept_experts import KeptExperts

_ALLOWANCE = "allowance"


def open_match(
    path: Path,
    inputs: InputOptions,
    target: Checkpoint,
    other: Checkpoint,
    *,
    seed: int,
    layer_map: str | None = None,
    verify: str | None,
) -> RunFolder:
    """The folder of a match of these two checkpoints, new or begun before.

    Raises:
        UsageError: the folder is of another run, or no run's.
    """
    identity = Identity(
        command="expert-similarity",
        inputs={"model": input_of(target.source), "ref": input_of(other.source)},
        parameters={
            "layers": _listed(inputs.layer_numbers),
            "experts": _listed(inputs.expert_numbers),
            "seed": seed,
            "max_bytes": inputs.byte_budget,
            "layer_map": layer_map,
        },
    )
    arguments = _arguments(path, inputs, other.source.location, seed, layer_map)
    return open_run(path, identity, [*arguments, *(["--verify", verify] if verify else [])])


def kept_sides(
    folder: RunFolder, target: ExpertSide, reference: ExpertSide
) -> tuple[KeptExperts, KeptExperts]:
    """Both sides, answering from the folder what it has."""
    model = KeptExperts(target, folder, called="model")
    return model, KeptExperts(reference, folder, called="ref")


def kept_allowance(folder: RunFolder, left: int | None) -> int | None:
    """What the looks may read, as it was when the run was begun: headers may be kept since."""
    content = folder.load(_ALLOWANCE)
    if content is None:
        content = msgspec.json.encode(left)
        folder.save(_ALLOWANCE, content)
    return msgspec.json.decode(content, type=int | None)


def keep_report(folder: RunFolder, document: SimilarityDocument) -> None:
    """Put the document into the folder. Its cost is left out: it is that of the last part alone."""
    free = Cost(requests=0, bytes=0, seconds=0.0)
    text = "".join(render_json(msgspec.structs.replace(document, cost=free)))
    folder.save(REPORT_FILE, text.encode())


def _listed(numbers: frozenset[int] | None) -> list[int] | None:
    return None if numbers is None else sorted(numbers)


def _arguments(
    path: Path, inputs: InputOptions, reference: str, seed: int, layer_map: str | None
) -> list[str]:
    """What to type to go on."""
    options = {
        "-m": inputs.model, "--revision": inputs.revision, "--ref": reference,
        "--layers": inputs.layers, "--experts": inputs.experts, "--max-bytes": inputs.max_bytes,
        "--seed": str(seed) if seed else None, "--layer-map": layer_map, "--out": str(path),
    }  # fmt: skip
    given = ((option, value) for option, value in options.items() if value is not None)
    return ["expert-similarity", *(word for pair in given for word in pair)]
