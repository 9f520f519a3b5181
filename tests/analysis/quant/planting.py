"""Faults that can be planted in a checkpoint of any scheme, each in a module of its own.

Layer 0 is left sound: an entry of the list that is too wide is about it.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from inspector.decode.counts import is_float
from inspector.format.codings import Number
from inspector.format.dtypes import Dtype
from tests.encoding import BF16
from tests.quantized import audited, gptq, rules_of
from tests.schemes import SCHEMES, SHAPE, Scheme, Stored, stored_by

_FLOATS: Final = (Dtype.F32, Dtype.BF16, Dtype.F16)
_EXPONENTS: Final = (Dtype.F8_E8M0, Dtype.U8, Dtype.I32)
_WIDE_ENTRY: Final = MappingProxyType(
    {"fp8": "model.layers.0", "compressed-tensors": r"re:model\.layers\.0\..*",
     "modelopt": "model.layers.0.*"}
)  # fmt: skip
_NO_NUMBERS: Final = MappingProxyType(
    {
        Number.E4M3: (0x7F, 0xFF),
        Number.E5M2: (0x7C, 0x7D, 0xFC, 0xFF),
        Number.E4M3FNUZ: (0x80,),
        Number.E5M2FNUZ: (0x80,),
    }
)
"""NaN, and infinities where there are such."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a fault is planted: a module of a checkpoint, and what chance decides."""

    stored: Stored
    module: str
    rng: random.Random

    @property
    def scale(self) -> str:
        return f"{self.module}.{self.stored.scheme.scale_name}"

    @property
    def codes(self) -> str:
        return next(
            name
            for end in ("weight", "weight_packed")
            if (name := f"{self.module}.{end}") in self.stored.model.tensors
        )


def missing_scale(at: Site) -> None:
    del at.stored.model.tensors[at.scale]


def orphan_scale(at: Site) -> None:
    del at.stored.model.tensors[at.codes]


def scale_shape(at: Site) -> None:
    tensors = at.stored.model.tensors
    scale = tensors[at.scale]
    if scale.size == 1:
        tensors[at.scale] = np.repeat(scale, 3)
    else:
        cut = scale.shape[1] > 1
        tensors[at.scale] = scale[:, :-1] if cut else np.concatenate([scale, scale])


def listed_but_quantized(at: Site) -> None:
    at.stored.skip.append(at.module)


def unlisted_but_unquantized(at: Site) -> None:
    tensors = at.stored.model.tensors
    for name in [name for name in tensors if name.startswith(f"{at.module}.")]:
        del tensors[name]
    tensors[f"{at.module}.weight"] = at.stored.weights[at.module].astype(BF16)


def dead_skip_entry(at: Site) -> None:
    at.stored.skip.append(f"model.layers.{at.rng.randint(50, 90)}.mlp.gate")


def ambiguous_skip_entry(at: Site) -> None:
    at.stored.skip.append(_WIDE_ENTRY[at.stored.scheme.dialect])


def scale_not_power_of_two(at: Site) -> None:
    tensors = at.stored.model.tensors
    tensors[at.scale] = (tensors[at.scale].astype(np.float32) * 1.25).astype(
        tensors[at.scale].dtype
    )


def scale_not_minimal(at: Site) -> None:
    """By four: twice the scale of `round`, which may clip, may be the smallest that holds."""
    scheme, weight = at.stored.scheme, at.stored.weights[at.module]
    found = scheme.encoded(weight, clipped_by=0.25)
    at.stored.store(at.module, replace(found, scale=found.scale * 4))


def scale_not_finite(at: Site) -> None:
    tensors, scheme = at.stored.model.tensors, at.stored.scheme
    if scheme.second is not None and at.rng.random() < 0.5:
        tensors[f"{at.module}.{scheme.second}"][:] = at.rng.choice([np.nan, np.inf])
        return
    scale = tensors[at.scale]
    if scheme.scale_dtype in _FLOATS:
        scale.reshape(-1)[at.rng.randrange(scale.size)] = at.rng.choice([np.nan, np.inf])
    else:
        bits = scale.view(np.uint8).reshape(-1)
        first = 0 if scheme.scale_dtype is Dtype.I32 else at.rng.randrange(bits.size)
        bits[first] = 0x7F if scheme.scale_dtype is Dtype.F8_E4M3 else 0xFF


def zero_scale(at: Site) -> None:
    tensors, scheme = at.stored.model.tensors, at.stored.scheme
    if scheme.second is not None and at.rng.random() < 0.5:
        tensors[f"{at.module}.{scheme.second}"][:] = 0
        return
    scale = tensors[at.scale].reshape(-1)
    scale[at.rng.randrange(scale.size)] = 0


def nan_codes(at: Site) -> None:
    codes = at.stored.model.tensors[at.codes].view(np.uint8).reshape(-1)
    for _ in range(at.rng.randint(1, 5)):
        code = at.rng.choice(_NO_NUMBERS[at.stored.scheme.coding.number])
        codes[at.rng.randrange(codes.size)] = code


def saturated_codes(at: Site) -> None:
    """So much that even what `round` explains in E5M2, three of four at the top, is exceeded."""
    weight = at.stored.weights[at.module]
    at.stored.store(at.module, at.stored.scheme.encoded(weight, clipped_by=64.0))


def loader_disagreement(at: Site) -> None:
    """An entry for a whole tower, which two loaders do not understand."""
    skip = at.stored.skip
    skip[:] = [entry for entry in skip if not entry.startswith("model.visual.")]
    skip.append("model.visual")


def not_decoded(at: Site) -> None:
    tensors = at.stored.model.tensors
    for name in [name for name in tensors if name.startswith(f"{at.module}.")]:
        del tensors[name]
    tensors |= gptq(at.module, *SHAPE)


def zero_point_range(at: Site) -> None:
    tensors = at.stored.model.tensors
    name = next(
        name for end in ("weight_offset", "weight_zero_point")
        if (name := f"{at.module}.{end}") in tensors
    )  # fmt: skip
    points = tensors[name].reshape(-1)
    points[at.rng.randrange(points.size)] = 100 if name.endswith("point") else 200


def packed_shape(at: Site) -> None:
    shape = at.stored.model.tensors[f"{at.module}.weight_shape"]
    shape[at.rng.randint(0, 1)] += 64


def code_places(at: Site) -> None:
    """A group index of other groups: one that is not there, too few columns, or other sizes."""
    scheme = at.stored.scheme
    columns = np.arange(SHAPE[1])
    groups = -(-SHAPE[1] // scheme.block[1])
    wrong = [columns // scheme.block[1] + 1, columns[1:] // scheme.block[1]]
    if groups > 1:
        wrong.append(columns * groups // (2 * SHAPE[1]))
    at.stored.model.tensors[f"{at.module}.weight_g_idx"] = at.rng.choice(wrong).astype(np.int32)


def scale_in_other_shard(at: Site) -> None:
    at.stored.model.second_shard.add(at.scale)


def _always(_: Scheme) -> bool:
    return True


def _makes_powers(scheme: Scheme) -> bool:
    return scheme.policy in ("ceil", "floor", "round") and is_float(scheme.coding)


def _may_have_an_index(scheme: Scheme) -> bool:
    """What the table of schemes allows one beside: FP8 and integers, with scales of numbers."""
    return scheme.scale_dtype in _FLOATS


PLANTS: Final = MappingProxyType[str, tuple[Callable[[Site], None], Callable[[Scheme], bool]]](
    {
        "missing_scale": (missing_scale, _always),
        "orphan_scale": (orphan_scale, _always),
        "scale_shape": (scale_shape, _always),
        "listed_but_quantized": (listed_but_quantized, _always),
        "unlisted_but_unquantized": (unlisted_but_unquantized, _always),
        "dead_skip_entry": (dead_skip_entry, _always),
        "ambiguous_skip_entry": (ambiguous_skip_entry, _always),
        "scale_not_power_of_two": (
            scale_not_power_of_two,
            lambda scheme: scheme.ue8m0 and scheme.scale_dtype in _FLOATS,
        ),
        "scale_not_minimal": (scale_not_minimal, _makes_powers),
        "scale_not_finite": (scale_not_finite, _always),
        "zero_scale": (zero_scale, lambda scheme: scheme.scale_dtype not in _EXPONENTS),
        "nan_codes": (nan_codes, lambda scheme: scheme.coding.number in _NO_NUMBERS),
        "saturated_codes": (saturated_codes, _always),
        "loader_disagreement": (loader_disagreement, lambda scheme: scheme.dialect == "fp8"),
        "not_decoded": (not_decoded, _always),
        "zero_point_range": (zero_point_range, lambda scheme: scheme.ranged),
        "packed_shape": (packed_shape, lambda scheme: scheme.wraps == "packed words"),
        "code_places": (code_places, _may_have_an_index),
        "scale_in_other_shard": (scale_in_other_shard, _always),
    }
)
"""Rule -> what plants its fault, and the schemes that can have it."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn: a scheme, the rules to be broken, and what the audit says is."""

    scheme: str
    planted: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        return self.found == self.planted


def draw(seed: str, *, rules: Sequence[str] | None = None) -> Draw:
    """Draw a scheme, a model and faults for it, plant them, and audit all of it.

    Args:
        seed: of everything that is drawn.
        rules: to be broken, which says what schemes there are to choose from; None draws some.
    """
    rng = random.Random(seed)
    able = [one for one in SCHEMES.values() if all(PLANTS[rule][1](one) for rule in rules or ())]
    scheme = rng.choice(able)
    if rules is None:
        possible = [rule for rule, (_, applies) in PLANTS.items() if applies(scheme)]
        rules = rng.sample(possible, rng.randint(0, len(possible)))
    planted = sorted(rules)
    stored = stored_by(scheme, np.random.default_rng(rng.getrandbits(32)))
    modules = rng.sample([one for one in stored.weights if ".layers.0." not in one], len(planted))
    for rule, module in zip(planted, modules, strict=True):
        PLANTS[rule][0](Site(stored, module, rng))
    return Draw(scheme.name, tuple(planted), tuple(rules_of(audited(stored.model))))
