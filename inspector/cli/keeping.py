"""`--out DIR`: a match whose reads are kept in the folder of a run."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from inspector.analysis.expert_reading import BothWays, CombinedWays
from inspector.analysis.expert_report import SimilarityDocument
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
    others: Sequence[Checkpoint],
    *,
    seed: int,
) -> RunFolder:
    """The folder of a match of these checkpoints, new or begun before.

    Raises:
        UsageError: the folder is of another run, or no run's.
    """
    identity = Identity(
        command="expert-similarity",
        inputs={"model": input_of(target.source)}
        | {
            f"ref {number}" if number > 1 else "ref": input_of(one.source)
            for number, one in enumerate(others, 1)
        },
        parameters={
            "layers": _listed(inputs.layer_numbers),
            "experts": _listed(inputs.expert_numbers),
            "seed": seed,
            "max_bytes": inputs.byte_budget,
        },
    )
    return open_run(path, identity, _arguments(path, inputs, others, seed))


def kept_ways(
    folder: RunFolder, target: BothWays, reference: BothWays | CombinedWays
) -> tuple[BothWays, BothWays | CombinedWays]:
    """Both sides, answering from the folder what it has."""
    model = _kept(folder, target, "model")
    if isinstance(reference, BothWays):
        return model, _kept(folder, reference, "ref")
    kept = [_kept(folder, one, f"ref-{n}") for n, one in enumerate(reference.models, 1)]
    return model, CombinedWays(kept, reference.names)


def _kept(folder: RunFolder, ways: BothWays, called: str) -> BothWays:
    return BothWays(
        KeptExperts(ways.straight, folder, called=called),
        KeptExperts(ways.turned, folder, called=f"{called}-turned"),
    )


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
    path: Path, inputs: InputOptions, references: Sequence[Checkpoint], seed: int
) -> list[str]:
    """What to type to go on."""
    options = {
        "--revision": inputs.revision,
        "--layers": inputs.layers, "--experts": inputs.experts, "--max-bytes": inputs.max_bytes,
        "--seed": str(seed) if seed else None, "--out": str(path),
    }  # fmt: skip
    named = [word for one in references for word in ("--ref", one.source.location)]
    given = ((option, value) for option, value in options.items() if value is not None)
    return [
        "expert-similarity",
        "-m",
        inputs.model,
        *named,
        *(word for pair in given for word in pair),
    ]
