"""How findings become an exit code, for every command that looks for them."""

from collections.abc import Iterable
from typing import Final

from inspector.cli.options import FailOn
from inspector.errors import Problem, Severity

EXIT_FINDINGS: Final = 1


def exit_code_of(findings: Iterable[Problem], fail_on: FailOn) -> int:
    """0 where nothing is as bad as `fail_on` or worse, else 1."""
    if fail_on is FailOn.NEVER:
        return 0
    order = list(Severity)
    threshold = order.index(Severity(fail_on.value))
    bad_enough = any(order.index(found.severity) <= threshold for found in findings)
    return EXIT_FINDINGS if bad_enough else 0
