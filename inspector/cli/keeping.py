"""A match whose reads workers make, and are kept in the folder of a run."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from inspector.analysis.expert_reading import BothWays, CombinedWays
from inspector.analysis.expert_report import SimilarityDocument
from inspector.analysis.report import NO_COST
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.matching import both_ways
from inspector.cli.common import InputOptions
from inspector.cli.running import arguments, listed
from inspector.render.document import render_json
from inspector.run.expert_tasks import WorkersExperts
from inspector.run.find import REPORT_FILE
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity, input_of
from inspector.run.kept_experts import KeptExperts
from inspector.run.recipe import Recipe, TaskInput, check_sendable, marks_of
from inspector.run.tasks import Crew


def ways_of(checkpoint: Checkpoint, crew: Crew | None, opened_as: Recipe) -> BothWays:
    """The experts of a checkpoint, whose rows the crew reads if there is one."""
    if crew is None:
        return both_ways(checkpoint)
    check_sendable(opened_as)
    given = TaskInput(opened_as, marks_of(checkpoint.source, checkpoint.catalog.shards))
    straight, turned = (
        WorkersExperts(checkpoint, crew, given, turned=turned) for turned in (False, True)
    )
    return BothWays(straight, turned)


def open_match(
    path: Path,
    inputs: InputOptions,
    target: Checkpoint,
    others: Sequence[Checkpoint],
    *,
    seed: int,
    layer_map: str | None = None,
    verify: str | None,
    heat_map: int | None = None,
) -> RunFolder:
    """The folder of a match of these checkpoints, new or begun before.

    Raises:
        UsageError: the folder is of another run, or no run's.
    """
    identity = Identity(
        command="expert-similarity",
        inputs={"model": input_of(target.source, target.catalog.shards)}
        | {
            f"ref {number}" if number > 1 else "ref": input_of(one.source, one.catalog.shards)
            for number, one in enumerate(others, 1)
        },
        parameters={
            "layers": listed(inputs.layer_numbers),
            "experts": listed(inputs.expert_numbers),
            "seed": seed,
            "max_bytes": inputs.byte_budget,
            "layer_map": layer_map,
        },
    )
    options = {
        "--ref": [one.source.location for one in others],
        "--seed": str(seed) if seed else None,
        "--layer-map": layer_map,
        "--verify": verify,
        "--heat-map": None if heat_map is None else str(heat_map),
    }
    return open_run(path, identity, arguments("expert-similarity", inputs, path, options))


def kept_ways(
    folder: RunFolder, target: BothWays, reference: BothWays | CombinedWays
) -> tuple[BothWays, BothWays | CombinedWays]:
    """Both sides, answering from the folder what it has."""
    model = _kept(folder, target, "model")
    if isinstance(reference, BothWays):
        return model, _kept(folder, reference, "ref")
    kept = [_kept(folder, one, f"ref-{n}") for n, one in enumerate(reference.models, 1)]
    return model, CombinedWays(kept, reference.numbering)


def _kept(folder: RunFolder, ways: BothWays, called: str) -> BothWays:
    return BothWays(
        KeptExperts(ways.straight, folder, called=called),
        KeptExperts(ways.turned, folder, called=f"{called}-turned"),
    )


def keep_report(folder: RunFolder, document: SimilarityDocument) -> None:
    """Put the document into the folder. Its cost is left out: it is that of the last part alone."""
    text = "".join(render_json(msgspec.structs.replace(document, cost=NO_COST)))
    folder.save(REPORT_FILE, text.encode())
