"""What our parser and safetensors make of one file, and whether they may differ on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from safetensors import SafetensorError, deserialize

from inspector.errors import FormatError, Problem, Severity
from inspector.format.header import LENGTH_PREFIX, Header, header_span, parse_header
from inspector.format.shard_report import report_header


@dataclass(frozen=True, slots=True)
class Difference:
    """A kind of file that we refuse and safetensors 0.8.0 accepts; `explains` one of our problems.

    There is no kind of file that we accept and it refuses.
    """

    name: str
    reason: str
    explains: Callable[[Problem], bool]


DIFFERENCES: Final = (
    Difference(
        "a key that occurs twice",
        "the README of safetensors disallows it; its parser keeps the last, or ignores the field",
        lambda found: found.rule == "duplicate_key",
    ),
    Difference(
        "an entry as an array, a dtype as an object",
        "serde reads structs and enums so; the README has objects and strings, as other readers do",
        lambda found: (
            found.rule == "malformed_entry" and found.found in ("a JSON array", "a JSON object")
        ),
    ),
)
"""All known differences; both parties are right by their own rules."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file was taken: `problems` are ours, `difference` is the documented one if any.

    `complaint` says what must not be: an undocumented difference, or two of our own answers.
    """

    accepted: bool
    problems: Sequence[Problem] = ()
    difference: str | None = None
    complaint: str | None = None


def judge(content: bytes) -> Outcome:
    """Read a file with both parsers. Any exception but a FormatError of ours comes through."""
    try:
        stored = {
            name: (tensor["dtype"], tuple(tensor["shape"]), bytes(tensor["data"]))
            for name, tensor in deserialize(content)  # type: ignore[no-untyped-call]
        }
    except SafetensorError as error:
        stored, theirs = None, str(error)
    else:
        theirs = "accepted"
    try:
        header = read_header(content)
    except FormatError as error:
        return _judge_refusal(error.problems, theirs, accepted_by_them=stored is not None)
    if stored is None:
        return Outcome(accepted=True, complaint=f"we accept, safetensors does not: {theirs}")
    ours = {
        entry.name: (str(entry.dtype), entry.shape, content[entry.start : entry.stop])
        for entry in header.entries
    }
    return Outcome(accepted=True, complaint=None if ours == stored else "not the same tensors")


def read_header(content: bytes) -> Header:
    """Our parser's answer, which that of `check` must agree with."""
    size = len(content)
    span = header_span(content[: LENGTH_PREFIX.stop], shard="a", file_size=size)
    text = content[span.start : span.stop]
    report = report_header(text, shard="a", file_size=size)
    errors = tuple(found for found in report.problems if found.severity is Severity.ERROR)
    try:
        header = parse_header(text, shard="a", file_size=size)
    except FormatError as error:
        if error.problems != errors:
            raise AssertionError(f"{errors} by check, {error.problems} otherwise") from error
        raise
    if errors or header != report.header:
        raise AssertionError(f"read without complaint, but check says {errors}")
    return header


def _judge_refusal(problems: Sequence[Problem], theirs: str, *, accepted_by_them: bool) -> Outcome:
    if not accepted_by_them:
        return Outcome(accepted=False, problems=problems)
    for difference in DIFFERENCES:
        if any(difference.explains(found) for found in problems):
            return Outcome(accepted=False, problems=problems, difference=difference.name)
    rules = ", ".join(found.rule for found in problems)
    return Outcome(
        accepted=False, problems=problems, complaint=f"we refuse by {rules}; safetensors: {theirs}"
    )
