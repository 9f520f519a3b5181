"""Checkpoints that a question names beside its own: opened for as long as it takes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.errors import UsageError
from inspector.source.access import Access
from inspector.source.resolve import checkpoints_in

Named = str | Checkpoint
"""A checkpoint by name, or one that is open."""


@contextmanager
def opened_beside(
    own: Checkpoint, others: Sequence[Named], access: Access
) -> Iterator[list[Checkpoint]]:
    """`own` and the others, in this order; those that are named are closed at the end."""
    with ExitStack() as stack:
        yield [
            own,
            *(
                stack.enter_context(
                    open_checkpoint(one, policy=own.policy, ledger=own.ledger, access=access)
                )
                if isinstance(one, str)
                else one
                for one in others
            ),
        ]


def each_once(references: Sequence[Named]) -> list[Named]:
    """The references that are meant, each once; a folder of checkpoints means all in it.

    Raises:
        UsageError: none is named.
    """
    distinct: dict[Named, None] = {}
    for one in references:
        distinct |= dict.fromkeys(checkpoints_in(one) if isinstance(one, str) else [one])
    if not distinct:
        raise UsageError("no reference is named")
    return list(distinct)
