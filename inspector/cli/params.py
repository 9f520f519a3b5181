"""`params`: open each checkpoint, count, show all in one table."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from inspector.analysis.params.report import params_document
from inspector.analysis.params.terms import Conventions, Included
from inspector.checkpoint import open_checkpoint
from inspector.checkpoint.counting import params_of
from inspector.cli.common import InputOptions, OutputOptions, access_of, finish, opened, write_plan
from inspector.cli.output import write_view
from inspector.errors import UsageError
from inspector.render.params import params_view


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked `params` for, as typed."""

    others: Sequence[str]
    context: int | None
    total_without: str
    activated_without: str

    @property
    def conventions(self) -> Conventions:
        return Conventions(
            total=_without(self.total_without, "--total-without"),
            activated=_without(self.activated_without, "--activated-without"),
        )


def run(inputs: InputOptions, outputs: OutputOptions, asked: Asked, *, config_only: bool) -> None:
    """Count the parameters of one model, or of several."""
    outputs.resolved()
    conventions = asked.conventions
    with ExitStack() as stack:
        first = stack.enter_context(opened(inputs))
        if inputs.plan and not config_only:
            write_plan("params", first.planned_catalog(), first, outputs)
            return
        opened_ones = [first]
        for other in asked.others:
            another = open_checkpoint(
                other, policy=first.policy, ledger=first.ledger, access=access_of(inputs)
            )
            opened_ones.append(stack.enter_context(another))
        found = [
            params_of(one, conventions, context=asked.context, config_only=config_only)
            for one in opened_ones
        ]
        problems = [problem for one in opened_ones for problem in one.problems]
        view = params_view(params_document(found, conventions, first.cost, problems))
    write_view(view, outputs, problems)
    finish(first)


def _without(text: str, option: str) -> Included:
    names = {part.strip().replace("-", "_") for part in text.split(",")} - {"", "none"}
    unknown = sorted(names - set(Included.__struct_fields__))
    if unknown:
        raise UsageError(
            f"{option} {text!r}: no part {unknown[0]!r}",
            hint=f"parts: {', '.join(Included.__struct_fields__)}, or none",
        )
    return Included(**{name: name not in names for name in Included.__struct_fields__})
