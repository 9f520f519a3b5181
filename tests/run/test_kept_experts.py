from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from inspector.analysis.expert_match import MatchResult, match_experts
from inspector.analysis.expert_question import MatchRequest
from inspector.decode.numeric import Float32
from inspector.layout.families import Projection
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity
from inspector.run.kept_experts import KeptExperts
from tests.analysis.memory import MemoryExperts

LAYERS, EXPERTS, REFERENCES, HEIGHT, NEURONS = 3, 6, 20, 32, 64


class Killed(BaseException):
    """What ends a run in the middle."""


class Mortal(MemoryExperts):
    """Experts of which only so many reads come back."""

    left = 10**9

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return super().read(layer, experts, projection, rows)


def sides() -> tuple[Mortal, Mortal]:
    """References, and targets of which half descend from them."""
    rng = np.random.default_rng(3)
    shape = (REFERENCES, HEIGHT, NEURONS)
    references = {n: rng.standard_normal(shape).astype(np.float32) for n in range(LAYERS)}
    targets = {
        layer: np.concatenate([found[: EXPERTS // 2], rng.standard_normal(found[:3].shape)]).astype(
            np.float32
        )
        for layer, found in references.items()
    }
    return Mortal(targets), Mortal(references)


def run_of(path: Path) -> RunFolder:
    return open_run(path, Identity(command="c", inputs={}, parameters={}), [])


def matched(target: Mortal, reference: Mortal, folder: RunFolder) -> MatchResult:
    request = MatchRequest(layers=None, experts=None, seed=0, max_bytes=None, router_groups=None)
    kept = [
        KeptExperts(target, folder, called="model"),
        KeptExperts(reference, folder, called="ref"),
    ]
    return match_experts(kept[0], kept[1], request, lambda what, done, total: None)


def files(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*.safetensors")}


def test_a_run_killed_anywhere_goes_on_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = sides()
    undisturbed = matched(*whole, run_of(tmp_path / "whole"))
    reads = len(whole[0].reads) + len(whole[1].reads)
    assert reads > 8
    for after in range(0, reads, 3):
        path = tmp_path / f"killed-{after}"
        target, reference = sides()
        target.left = after
        try:
            matched(target, reference, run_of(path))
        except Killed:
            assert len(target.reads) == after
        target_again, reference_again = sides()
        assert matched(target_again, reference_again, run_of(path)) == undisturbed
        both = [target, reference, target_again, reference_again]
        assert sum(len(side.reads) for side in both) == reads
        assert files(path) == files(tmp_path / "whole")


def test_a_damaged_result_is_made_again(tmp_path: Path) -> None:
    undisturbed = matched(*sides(), run_of(tmp_path))
    sound = files(tmp_path)
    for number, name in enumerate(sound):
        content = sound[name]
        (tmp_path / name).write_bytes([b"", content[:-1], content[:4]][number % 3])
    assert matched(*sides(), run_of(tmp_path)) == undisturbed
    assert files(tmp_path) == sound


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([1.5, -0.0, 448.0, np.nan], "bfloat16"), ([1 / 3, 1e-40, np.inf, 2.0], "float32")],
    ids=["of FP8 codes", "decoded"],
)
def test_rows_are_kept_without_loss_and_any_reader_can_read_them(
    values: list[float], dtype: str, tmp_path: Path
) -> None:
    down = np.array(values, np.float32).reshape(1, 4, 1)
    inner = MemoryExperts({0: down})
    kept = KeptExperts(inner, run_of(tmp_path), called="model")
    for _ in range(2):
        found = kept.read(0, [0], Projection.DOWN, range(4))
        np.testing.assert_array_equal(found, down)
        assert np.signbit(found).tolist() == np.signbit(down).tolist()
    assert len(inner.reads) == 1
    (path,) = tmp_path.rglob("*.safetensors")
    stored = load_file(path)["rows"]
    assert stored.dtype == dtype
    np.testing.assert_array_equal(stored.astype(np.float32), down)
