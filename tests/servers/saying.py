"""What the command line says of a URL: a document, or a refusal of one line and perhaps a hint."""

import json
from typing import Any

from tests.cli.running import answer, invoke


def document(command: str, *arguments: str, location: str) -> Any:
    """The JSON document of a command that must answer, with nothing remembered."""
    return json.loads(answer(command, *arguments, "-m", location, "--json", "--no-cache"))


def refusal(*arguments: str, location: str) -> str:
    """The line and the hint of a command that must end for what its source is like."""
    result = invoke(*arguments, "-m", location, "--no-cache")
    assert (result.exit_code, result.stdout) == (3, ""), result.output
    first, *hints = result.stderr.splitlines()
    assert first.startswith("s1inspect: ")
    assert len(first) < 400
    assert len(hints) <= 1
    assert all(line.startswith("hint: ") for line in hints)
    return result.stderr
