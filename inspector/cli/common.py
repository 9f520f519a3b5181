"""What every command does with its input options: open the checkpoint, read numbers out of text."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from inspector.analysis.plan import (
    Pace,
    PlanDocument,
    PlannedOption,
    PlannedReads,
    time_of,
    totals_of,
)
from inspector.checkpoint import Access, Checkpoint, ReadPolicy, open_checkpoint
from inspector.cli.output import OutputOptions, say, say_cost, write_view
from inspector.cli.progress import progress_bar
from inspector.errors import UsageError
from inspector.layout.select import parse_numbers
from inspector.render.plan import plan_view
from inspector.source.environment import is_offline
from inspector.source.patience import Patience
from inspector.source.shelf import open_shelf

__all__ = ["InputOptions", "OutputOptions", "finish", "opened", "parse_bytes"]

UNASKED_BYTES: Final = 4_000_000_000
"""More is read over a network only by a person who says so. The largest single tensors of published
models are below this, a layer's experts above."""

_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass(frozen=True, slots=True)
class InputOptions:
    """The options that say what to read, as typed."""

    model: str
    revision: str | None
    jobs: int
    max_bytes: str | None
    layers: str | None
    experts: str | None
    plan: bool
    offline: bool
    no_cache: bool

    @property
    def layer_numbers(self) -> frozenset[int] | None:
        return None if self.layers is None else parse_numbers(self.layers, option="--layers")

    @property
    def expert_numbers(self) -> frozenset[int] | None:
        return None if self.experts is None else parse_numbers(self.experts, option="--experts")

    @property
    def byte_budget(self) -> int | None:
        return None if self.max_bytes is None else parse_bytes(self.max_bytes)


def access_of(options: InputOptions) -> Access:
    """Whether the network may be asked, and where facts are kept."""
    return Access(
        offline=options.offline or is_offline(),
        patience=Patience(say=say),
        shelf=None if options.no_cache else open_shelf(),
    )


@dataclass(frozen=True, slots=True)
class WaysToRead:
    """The ways of which a command takes one, and the bytes that it may read so.

    `most_bytes` may be read with what is read before, whichever is taken.
    """

    options: Sequence[PlannedOption]
    allowed_bytes: int
    most_bytes: int


@contextmanager
def opened(options: InputOptions, *, access: Access | None = None) -> Iterator[Checkpoint]:
    """The model's checkpoint, with a progress bar where there is a terminal."""
    with progress_bar() as progress:
        policy = ReadPolicy(options.jobs, options.byte_budget, progress)
        with open_checkpoint(
            options.model,
            revision=options.revision,
            policy=policy,
            access=access or access_of(options),
        ) as checkpoint:
            yield checkpoint


def write_plan(
    command: str,
    reads: Sequence[PlannedReads],
    checkpoint: Checkpoint,
    outputs: OutputOptions,
    ways: WaysToRead | None = None,
) -> None:
    """What a command would read, in place of its answer; `ways` where it has a choice."""
    problems = checkpoint.problems
    document = PlanDocument(
        schema="s1inspect/plan/1",
        model=checkpoint.model,
        cost=checkpoint.cost,
        findings=list(problems),
        command=command,
        totals=totals_of(reads, ways.most_bytes if ways else None),
        time=time_of(reads, Pace(connections=checkpoint.policy.jobs)),
        reads=list(reads),
        options=list(ways.options) if ways else [],
        allowed_bytes=ways.allowed_bytes if ways else None,
    )
    write_view(plan_view(document), outputs, problems)
    finish(checkpoint)


def finish(checkpoint: Checkpoint) -> None:
    """The cost line."""
    commit, remote = checkpoint.source.commit, checkpoint.is_remote
    say_cost(checkpoint.cost, checkpoint.stored_bytes, commit, remote=remote)


def parse_bytes(text: str) -> int:
    """A number of bytes, with a decimal unit or none.

    >>> parse_bytes("500MB"), parse_bytes("1.5 g")
    (500000000, 1500000000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", text.lower())
    if found is None:
        raise UsageError(
            f"--max-bytes {text!r}: not a number of bytes", hint="examples: 500MB 2GB 1000000"
        )
    return int(float(found[1]) * _UNITS[found[2]])
