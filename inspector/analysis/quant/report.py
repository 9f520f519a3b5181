"""`s1inspect audit` as a document: what the config declares, what is stored, what loaders take."""

import msgspec

from inspector.analysis.name_lists import Names
from inspector.analysis.report import Document


class SkipListFacts(Names, frozen=True, kw_only=True):
    """The modules left alone: `key` is the list's name; `covered` counts the modules it covers."""

    key: str
    covered: int


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What the config claims. `understood` is false for a method that is only named here."""

    where: str
    quant_method: str
    understood: bool
    fmt: str | None
    scale_fmt: str | None
    activation_scheme: str | None
    weight_block_size: tuple[int, int] | None
    modules_to_not_convert: SkipListFacts | None


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Modules stored alike: a pattern of names and how many modules it is.

    `listed` counts those that the config's list covers; `scale_dtype`, `granularity` and `block`
    are null for modules stored unquantized.
    """

    name: str
    kind: str
    modules: int
    listed: int
    dtype: str
    shape: tuple[int, ...]
    scheme: str | None
    scale_dtype: str | None
    granularity: str | None
    block: tuple[int, int] | None


class LookedInto(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the quantized weights was read: `weights` their scales, `with_codes` codes too.

    `bitmasks` are weights that are not quantized, and of which was read what says where their
    values lie. `left_out` counts weights that were to be looked into and that --max-bytes left no
    room for; `axes_unknown` fused tensors that are not, whose shapes fit two axis orders or none.
    """

    weights: int
    with_codes: int
    bitmasks: int
    left_out: int
    axes_unknown: int
    scales: int
    blocks: int


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over the scales and codes that were read; fractions are of usable scales.

    `not_finite` and `zero` scales are not usable. `bfloat16_fraction`: BF16 holds the scale;
    `bfloat16_amax_fraction`: it is a BF16 magnitude / 448. `constant_scales`, `dead_weights` count
    weights; `nan_codes_excused` are NaN or infinite in blocks whose scale is not usable.
    `minimum_undecided` counts blocks whose largest code is that of half the largest value.
    `zero_points_off` are not finite, or no value of a code.
    """

    not_finite: int
    zero: int
    negative: int
    powers_of_two: int
    bfloat16_fraction: float | None
    bfloat16_amax_fraction: float | None
    zero_points: int
    zero_points_off: int
    constant_scales: int
    dead_weights: int
    zero_blocks: int
    nan_codes: int
    infinite_codes: int
    nan_codes_excused: int
    not_minimal: int
    minimum_undecided: int


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored. `scale_dtype` counts weights by the dtype of their scales.

    `power_of_two_fraction` and `rounding` are null where no scale, or no code, was read.
    """

    quantized_modules: int
    unquantized_modules: int
    scale_dtype: dict[str, int]
    power_of_two_fraction: float | None
    rounding: str | None
    looked_into: LookedInto
    numbers: Numbers
    quantized: list[Family]
    unquantized: list[Family]


class LoaderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a loader takes: modules by verdict. `refuses` says why it takes nothing at all."""

    version: str
    refuses: str | None
    quantized: int
    unquantized: int
    refused: int
    against_stored: int


class LoaderTable(msgspec.Struct, frozen=True, kw_only=True):
    """The loaders whose rules are known; null where the config makes no claim to read."""

    transformers: LoaderFacts | None
    vllm: LoaderFacts | None
    sglang: LoaderFacts | None
    lmdeploy: LoaderFacts | None


class ModuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """One module: what it is, whether it is quantized, listed, and what each loader takes it for.

    The counts are null where its scales, or its codes, were not read.
    """

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    quantized: bool
    listed: bool
    scale_dtype: str | None
    scale_shape: tuple[int, ...] | None
    transformers: str | None
    vllm: str | None
    sglang: str | None
    lmdeploy: str | None
    scales: int | None
    powers_of_two: int | None
    zero_scales: int | None
    blocks: int | None
    nan_codes: int | None


class ChosenFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What --layers and --experts chose: `modules` of `of_modules`. A null is all of them."""

    layers: list[int] | None
    experts: list[int] | None
    modules: int
    of_modules: int


class AuditDocument(Document, frozen=True, kw_only=True):
    """`s1inspect audit --json`. `declared` is null where the config claims no quantization.

    `chosen` is null where nothing was left out; the rest of the document is of what was chosen.
    """

    chosen: ChosenFacts | None
    declared: Declared | None
    observed: Observed
    loaders: LoaderTable
    modules: list[ModuleRow]
