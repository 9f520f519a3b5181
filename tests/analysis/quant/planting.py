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
from inspector.format.codings import FP4, NF4, Number
from inspector.format.dtypes import Dtype
from tests.encoding import BF16, Array
from tests.quantized import audited, gptq, rules_of
from tests.schemes import SCHEMES, SHAPE, UNQUANTIZED, Scheme, Stored, stored_by

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
        scheme = self.stored.scheme
        return scheme.tensor(self.module, scheme.scale_name)

    @property
    def codes(self) -> str:
        ends = ("", ".weight", ".weight_packed", ".qweight", "._weight_qdata", ".compressed")
        return next(
            name for end in ends if (name := f"{self.module}{end}") in self.stored.model.tensors
        )

    @property
    def numbers(self) -> Array:
        """The scale's numbers without padding, which can be changed."""
        scale: Array = self.stored.model.tensors[self.scale]
        if self.stored.scheme.wraps == "AWQ GEMV":
            scale = scale[:, : SHAPE[1] // self.stored.scheme.block[1]]
        return scale

    def spoil(self, value: float) -> None:
        """Make one number of the scale another."""
        place = tuple(map(self.rng.randrange, self.numbers.shape))
        self.numbers[place] = value


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
        cut = scale.shape[-1] > 1
        tensors[at.scale] = scale[..., :-1] if cut else np.concatenate([scale, scale])


def listed_but_quantized(at: Site) -> None:
    at.stored.skip.append(at.module)


def unlisted_but_unquantized(at: Site) -> None:
    at.stored.remove(at.module)
    plain = {f"{at.module}.weight": at.stored.weights[at.module].astype(BF16)}
    at.stored.model.tensors |= plain


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
        tensors[scheme.tensor(at.module, scheme.second)][:] = at.rng.choice([np.nan, np.inf])
        return
    scale = tensors[at.scale]
    if scheme.is_nested:
        tensors[f"{at.module}.weight.nested_absmax"][:] = at.rng.choice([np.nan, np.inf])
    elif scheme.scale_dtype in _FLOATS:
        at.spoil(at.rng.choice([np.nan, np.inf]))
    else:
        bits = scale.view(np.uint8).reshape(-1)
        first = 0 if scheme.scale_dtype is Dtype.I32 else at.rng.randrange(bits.size)
        bits[first] = 0x7F if scheme.scale_dtype is Dtype.F8_E4M3 else 0xFF


def zero_scale(at: Site) -> None:
    tensors, scheme = at.stored.model.tensors, at.stored.scheme
    if scheme.second is not None and at.rng.random() < 0.5:
        tensors[scheme.tensor(at.module, scheme.second)][:] = 0
        return
    at.spoil(0)


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
    at.stored.remove(at.module)
    at.stored.model.tensors |= gptq(at.module, *SHAPE)


def zero_point_range(at: Site) -> None:
    tensors = at.stored.model.tensors
    name = next(
        name for end in ("weight_offset", "weight_zero_point")
        if (name := f"{at.module}.{end}") in tensors
    )  # fmt: skip
    points = tensors[name].reshape(-1)
    points[at.rng.randrange(points.size)] = 100 if name.endswith("point") else 200


def packed_shape(at: Site) -> None:
    kind = at.stored.scheme.wraps[:3].lower()
    state = f"{at.module}.weight.quant_state.bitsandbytes__{kind}"
    tensors = at.stored.model.tensors
    if state in tensors:
        text = bytes(tensors[state]).replace(b"[64,", at.rng.choice([b"[65,", b"[128,"]))
        tensors[state] = np.frombuffer(text, np.uint8)
        return
    end = "shape" if at.stored.scheme.is_sparse else "weight_shape"
    tensors[f"{at.module}.{end}"][at.rng.randint(0, 1)] += 64


def code_places(at: Site) -> None:
    """A group index of other groups: one that is not there, too few columns, or other sizes."""
    scheme, tensors = at.stored.scheme, at.stored.model.tensors
    if scheme.is_sparse:
        module = at.rng.choice([at.module, UNQUANTIZED])
        tensors[f"{module}.bitmask"][at.rng.randrange(SHAPE[0])] ^= 1
        return
    columns = np.arange(SHAPE[1])
    groups = -(-SHAPE[1] // scheme.block[1])
    wrong = [columns // scheme.block[1] + 1, columns[1:] // scheme.block[1]]
    if groups > 1:
        wrong.append(columns * groups // (2 * SHAPE[1]))
    end = "g_idx" if scheme.wraps == "GPTQ" else "weight_g_idx"
    tensors[f"{at.module}.{end}"] = at.rng.choice(wrong).astype(np.int32)


def scale_in_other_shard(at: Site) -> None:
    at.stored.model.second_shard.add(at.scale)


def _always(_: Scheme) -> bool:
    return True


def _has_list(scheme: Scheme) -> bool:
    return scheme.has_list


def _makes_powers(scheme: Scheme) -> bool:
    return scheme.policy in ("ceil", "floor", "round") and is_float(scheme.coding)


def _may_have_an_index(scheme: Scheme) -> bool:
    """What the table of schemes allows one beside, or a bitmask."""
    wraps = ("plain", "packed words", "GPTQ", "sparse FP8", "sparse INT8")
    return scheme.scale_dtype in _FLOATS and scheme.wraps in wraps


PLANTS: Final = MappingProxyType[str, tuple[Callable[[Site], None], Callable[[Scheme], bool]]](
    {
        "missing_scale": (missing_scale, _always),
        "orphan_scale": (orphan_scale, _always),
        "scale_shape": (scale_shape, _always),
        "listed_but_quantized": (listed_but_quantized, _has_list),
        "unlisted_but_unquantized": (unlisted_but_unquantized, _has_list),
        "dead_skip_entry": (dead_skip_entry, _has_list),
        "ambiguous_skip_entry": (ambiguous_skip_entry, _has_list),
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
        "not_decoded": (not_decoded, lambda scheme: scheme.dialect != "gptq"),
        "zero_point_range": (
            zero_point_range,
            lambda scheme: scheme.ranged and scheme.wraps in ("plain", "packed words"),
        ),
        "packed_shape": (
            packed_shape,
            lambda scheme: (
                scheme.wraps == "packed words" or scheme.coding in (NF4, FP4) or scheme.is_sparse
            ),
        ),
        "code_places": (code_places, _may_have_an_index),
        "scale_in_other_shard": (scale_in_other_shard, _always),
    }
)
"""Rule -> what plants its fault, and the schemes that can have it."""


_OF_ONE_MATRIX: Final = ("unlisted_but_unquantized", "not_decoded")
"""Rules whose faults put another matrix in the place of a module's, which is not fused."""


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
    layers = 5 if scheme.fused else 3
    stored = stored_by(scheme, np.random.default_rng(rng.getrandbits(32)), layers=layers)
    free = [one for one in stored.weights if ".layers.0." not in one]
    rng.shuffle(free)
    for rule in planted:
        fits = (one for one in free if rule not in _OF_ONE_MATRIX or not scheme.is_fused(one))
        module = next(fits)
        free.remove(module)
        PLANTS[rule][0](Site(stored, module, rng))
    return Draw(scheme.name, tuple(planted), tuple(rules_of(audited(stored.model))))
