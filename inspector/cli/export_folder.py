"""`dequant --out DIR`: decoded weights as a folder of files that a stopped run goes on with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from inspector.analysis.report import NO_COST, Cost
from inspector.analysis.values import Output, WeightValues, dequant_document
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.reader import Part
from inspector.cli.choosing import Choice
from inspector.cli.common import InputOptions
from inspector.cli.output import say
from inspector.cli.running import (
    RunOptions,
    arguments,
    crew_of,
    keep_view,
    listed,
    recipe,
    telling,
)
from inspector.errors import UsageError
from inspector.render.text import counted
from inspector.render.values import Preview, values_view
from inspector.render.view import View
from inspector.run.export_tasks import FILE_BYTES, ExportAs, Exported, export_tasks, exported
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity, input_of

_AT_A_TIME: Final = 3
"""Files written at a time: while some are decoded, another is read."""

_PREVIEWED: Final = 3


def check_folder(running: RunOptions, file: str | None) -> None:
    """Refuse what contradicts itself.

    Raises:
        UsageError: a file and a folder, or workers without a folder to write to.
    """
    if running.out is not None and file is not None:
        raise UsageError(
            f"--output {file} and --out {running.out} contradict each other",
            hint="--output writes one file, --out one a layer",
        )
    if running.scheduler is not None and running.out is None:
        raise UsageError(
            "--scheduler: workers write what they decode to files, and there is no folder for them",
            hint="name one with --out; it must be there on every worker",
        )


def export_to(
    out: Path,
    running: RunOptions,
    inputs: InputOptions,
    checkpoint: Checkpoint,
    choice: Choice,
    parts: Sequence[Part],
    asked: Mapping[str, str | bool | None],
) -> tuple[View, str]:
    """Write the parts into the folder: the report, and what is to be said of the files."""
    folder = _folder(out, inputs, checkpoint, choice, asked)
    source = checkpoint.source
    how = ExportAs(
        folder=str(out.absolute()),
        dtype=str(asked["--dtype"]),
        norms=bool(asked["--norms"]),
        verify=bool(asked["--verify"]),
        location=source.location,
        commit=source.commit,
    )
    opened_as = recipe(inputs, checkpoint)
    tasks = export_tasks(parts, how, opened_as, source, file_bytes=FILE_BYTES)
    tell = telling(checkpoint.policy.progress, tasks)
    with crew_of(running, {opened_as: source}, checkpoint, at_a_time=_AT_A_TIME) as crew:
        files = exported(tasks, crew, folder, tell)
    for one in files:
        for name, count in one.lost.items():
            say(f"warning: {count:,} values of {name} are infinite as {how.dtype}")
    output = Output(
        path=str(out),
        dtype=how.dtype,
        bytes=sum(one.bytes for one in files),
        overflowed=sum(sum(one.lost.values()) for one in files),
    )
    here = msgspec.structs.replace(output, path=".")
    keep_view(folder, _view(files, parts, here, checkpoint, NO_COST))
    wrote = f"wrote {out}: {counted(len(files), 'file')}, {how.dtype}, {output.bytes:,} bytes"
    return _view(files, parts, output, checkpoint, checkpoint.cost), wrote


def _folder(
    out: Path,
    inputs: InputOptions,
    checkpoint: Checkpoint,
    choice: Choice,
    asked: Mapping[str, str | bool | None],
) -> RunFolder:
    identity = Identity(
        command="dequant",
        inputs={"model": input_of(checkpoint.source, checkpoint.catalog.shards)},
        parameters={
            "targets": list(choice.targets),
            "layers": listed(inputs.layer_numbers),
            "experts": listed(inputs.expert_numbers),
            "rows": choice.rows,
            "columns": choice.columns,
            **{option.removeprefix("--"): value for option, value in asked.items()},
        },
    )
    options = {"--rows": choice.rows, "--columns": choice.columns, **asked}
    words = arguments("dequant", inputs, out, options, choice.targets)
    return open_run(out, identity, words)


def _view(
    files: Sequence[Exported],
    parts: Sequence[Part],
    output: Output,
    checkpoint: Checkpoint,
    cost: Cost,
) -> View:
    """The report, in the order of the choice."""
    weights: dict[str, WeightValues] = {one.name: one for file in files for one in file.weights}
    previews: dict[str, Preview] = {one.name: one for file in files for one in file.previews}
    names = [part.weight.name for part in parts]
    found = [weights[name] for name in names]
    document = dequant_document(found, output, checkpoint.model, cost, checkpoint.problems)
    shown = [previews[name] for name in names if name in previews]
    return values_view(document, shown[:_PREVIEWED])
