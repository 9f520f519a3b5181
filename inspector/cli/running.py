"""`--out DIR` and `--scheduler URL`: where results are kept, and who makes them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from inspector.checkpoint import Checkpoint
from inspector.checkpoint.policy import Progress
from inspector.cli.common import InputOptions
from inspector.cli.output import say
from inspector.decode.device import CPU, check_name, open_device
from inspector.render.text import counted
from inspector.render.view import View
from inspector.run.cluster import crew_at
from inspector.run.find import REPORT_FILE
from inspector.run.folder import RunFolder
from inspector.run.recipe import Recipe, check_sendable, recipe_of
from inspector.run.tasks import Crew, Task, crew_here
from inspector.source.base import Source

_ALLOWANCE: Final = "allowance"
_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where results are kept, None for nowhere; whose workers make them, None for ours; on what."""

    out: Path | None = None
    scheduler: str | None = None
    device: str = CPU

    @property
    def is_asked(self) -> bool:
        return self.out is not None or self.scheduler is not None

    def computes_on(self) -> str:
        """The device as an identity names it: where it is here, what kind it is.

        Raises:
            UsageError: no name of a device.
            DeviceNotThere: it is to be here, and is not.
        """
        check_name(self.device)
        if self.scheduler is not None and self.device != CPU:
            return f"{self.device} of workers"
        device = open_device(self.device)
        return CPU if device is None else device.description


@contextmanager
def crew_of(
    options: RunOptions,
    sources: Mapping[Recipe, Source],
    checkpoint: Checkpoint,
    *,
    at_a_time: int,
) -> Iterator[Crew]:
    """Those who do the tasks of a command; `at_a_time` of them where they are threads here."""
    with workers(options, checkpoint) as far:
        if far is not None:
            for one in sources:
                check_sendable(one)
            yield far
            return
        jobs = min(checkpoint.policy.jobs, at_a_time)
        with crew_here(sources, checkpoint.ledger, jobs=jobs) as here:
            yield here


@contextmanager
def workers(options: RunOptions, checkpoint: Checkpoint) -> Iterator[Crew | None]:
    """The workers of --scheduler; None without."""
    if options.scheduler is None:
        yield None
        return
    with crew_at(options.scheduler, checkpoint.ledger, say) as crew:
        yield crew


def recipe(inputs: InputOptions, checkpoint: Checkpoint, location: str | None = None) -> Recipe:
    """How a checkpoint is opened elsewhere: the model, or the reference that `location` names."""
    return recipe_of(
        inputs.model if location is None else location,
        inputs.revision if location is None else None,
        checkpoint.source,
        inputs.jobs,
        offline=inputs.offline,
        no_cache=inputs.no_cache,
    )


def telling(progress: Progress, tasks: Sequence[Task]) -> Callable[[int], None]:
    """Progress over the bytes of tasks."""
    total = sum(task.size for task in tasks)
    return lambda done: progress("MB of weights", done // _MEGABYTE, total // _MEGABYTE)


def kept_allowance(folder: RunFolder, left: int | None) -> int | None:
    """What may be read, as it was when the run was begun: headers may be kept since."""
    content = folder.load(_ALLOWANCE)
    if content is None:
        content = msgspec.json.encode(left)
        folder.save(_ALLOWANCE, content)
    return msgspec.json.decode(content, type=int | None)


def keep_view(folder: RunFolder, view: View) -> None:
    """Put the document of a view into the folder, and say what the run found and made.

    Its cost is to be left out: it would be that of the last part alone.
    """
    say_results(folder)
    folder.save(REPORT_FILE, "".join(view.document()).encode())


def say_results(folder: RunFolder) -> None:
    """How much of a run was there, and how much was made."""
    say(f"{folder.path}: {counted(folder.found, 'result')} found, {folder.made} made")


def listed(numbers: frozenset[int] | None) -> list[int | str] | None:
    """Numbers as an identity holds them."""
    return None if numbers is None else sorted(numbers)


def arguments(
    command: str,
    inputs: InputOptions,
    out: Path,
    options: Mapping[str, str | bool | Sequence[str] | None],
    targets: Sequence[str] = (),
) -> list[str]:
    """What to type to go on. Of a signed URL, the signature is left out."""
    given = {
        "-m": _without_query(inputs.model), "--revision": inputs.revision,
        "--layers": inputs.layers, "--experts": inputs.experts, "--max-bytes": inputs.max_bytes,
        **options, "--out": str(out),
    }  # fmt: skip
    words = [command, *targets]
    for option, value in given.items():
        if value is True:
            words.append(option)
        elif isinstance(value, str):
            words += [option, value]
        else:
            words += [word for one in value or () for word in (option, one)]
    return words


def _without_query(location: str) -> str:
    return location.partition("?")[0] if "://" in location else location
