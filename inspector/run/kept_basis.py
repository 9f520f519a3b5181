"""Stage 0 of a match, kept in the folder of its run: what was found, not what was read for it."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import numpy as np

from inspector.analysis.hidden_basis import BasisFacts, StageZero
from inspector.analysis.layer_pairing import LayerMapFacts
from inspector.run.folder import RunFolder

_NAME: Final = "hidden_basis"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A `StageZero` as JSON; gains are float32, little endian, in base 64."""

    basis: BasisFacts
    layer_map: LayerMapFacts
    gains: Mapping[int, tuple[bytes, bytes]]


def kept_stage_zero(
    folder: RunFolder, read: Callable[[], StageZero], reference: int = 1
) -> StageZero:
    """What a run found before of a reference, or what `read` finds and the folder then has."""
    name = f"{_NAME}-{reference}.json" if reference > 1 else f"{_NAME}.json"
    content = folder.load(name)
    if content is not None:
        try:
            return _unpacked(msgspec.json.decode(content, type=_Kept))
        except (msgspec.MsgspecError, ValueError):
            pass
    found = read()
    folder.save(name, msgspec.json.encode(_packed(found)))
    return found


def _packed(found: StageZero) -> _Kept:
    gains = {
        layer: (ours.astype("<f4").tobytes(), theirs.astype("<f4").tobytes())
        for layer, (ours, theirs) in found.gains.items()
    }
    return _Kept(basis=found.basis, layer_map=found.layer_map, gains=gains)


def _unpacked(kept: _Kept) -> StageZero:
    gains = {
        layer: (np.frombuffer(ours, "<f4"), np.frombuffer(theirs, "<f4"))
        for layer, (ours, theirs) in kept.gains.items()
    }
    return StageZero(kept.basis, kept.layer_map, gains)
