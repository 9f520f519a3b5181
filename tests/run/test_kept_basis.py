import dataclasses
from pathlib import Path

import numpy as np
import pytest

from inspector.analysis.hidden_basis import StageZero, untested
from inspector.analysis.layer_pairing import LayerMapFacts, LayerPair
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity
from inspector.run.kept_basis import kept_stage_zero
from tests.strategies_arrays import float32

PAIRS = [LayerPair(layer=0, ref_layer=2, effect=0.9, runner_up=0.1, log10_p=-20.0)]
GAINS = {0: (float32([1.5, -2, 0]), float32([0.1, 7, 3]))}
FOUND = StageZero(
    untested(3, 99, same_model=False), LayerMapFacts(map="l+2", origin="norms", pairs=PAIRS), GAINS
)


def folder(path: Path) -> RunFolder:
    return open_run(path, Identity(command="c", inputs={}, parameters={}), [])


def read_again() -> StageZero:
    raise AssertionError("it is in the folder")


def test_what_was_found_is_found_again(tmp_path: Path) -> None:
    assert kept_stage_zero(folder(tmp_path), lambda: FOUND) is FOUND
    again = kept_stage_zero(folder(tmp_path), read_again)
    assert dataclasses.replace(again, gains={}) == dataclasses.replace(FOUND, gains={})
    for one, other in zip(again.gains[0], GAINS[0], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"basis": 1}'])
def test_a_damaged_file_is_made_again(tmp_path: Path, content: bytes) -> None:
    run = folder(tmp_path)
    run.save("hidden_basis.json", content)
    assert kept_stage_zero(run, lambda: FOUND) is FOUND
    assert kept_stage_zero(run, read_again).basis == FOUND.basis
