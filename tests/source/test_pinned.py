import pytest

from inspector.source.base import MemorySource
from inspector.source.pinned import pinned_name
from inspector.source.resolve import parse_location

COMMIT = "0f" * 20


class Committed(MemorySource):
    """A source that was opened at a commit."""

    commit = COMMIT  # type: ignore[assignment]  # None in memory


@pytest.mark.parametrize(
    ("typed", "pinned"),
    [
        ("qwen3", f"Qwen/Qwen3-235B-A22B@{COMMIT}"),
        ("org/name@main", f"org/name@{COMMIT}"),
        ("hf://org/name", f"org/name@{COMMIT}"),
        ("https://huggingface.co/org/name/tree/v1", f"org/name@{COMMIT}"),
        (
            "https://huggingface.co/org/name/blob/main/a/b.safetensors",
            f"https://huggingface.co/org/name/blob/{COMMIT}/a/b.safetensors",
        ),
        ("ms://org/name", f"ms://org/name@{COMMIT}"),
    ],
)
def test_a_name_with_its_commit_means_what_was_read(typed: str, pinned: str) -> None:
    location = parse_location(typed)
    assert pinned_name(location, Committed({})) == pinned
    again = parse_location(pinned)
    assert (again.base, again.file, again.revision) == (location.base, location.file, COMMIT)


def test_a_branch_stays_where_no_commit_is_known() -> None:
    location = parse_location("ms://org/name", revision="v2")
    assert pinned_name(location, MemorySource({})) == "ms://org/name@v2"


def test_a_signature_is_not_repeated() -> None:
    location = parse_location("https://host/a/model.safetensors?X-Signature=secret")
    source = MemorySource({}, location="https://host/a/model.safetensors")
    assert pinned_name(location, source) == "https://host/a/model.safetensors"


@pytest.mark.parametrize(
    "typed", ["sample_shards/qwen3-mini", "sample_shards/qwen3-mini/model.safetensors.index.json"]
)
def test_what_lies_on_disk_keeps_its_name(typed: str) -> None:
    assert pinned_name(parse_location(typed), MemorySource({})) == typed
