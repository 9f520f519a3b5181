"""A module is found by reading little, and what is found is what all headers would have told."""

import json
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.catalog import TensorRow
from inspector.checkpoint import Checkpoint, ReadPolicy
from inspector.checkpoint.locate import PROBE_BYTES, PROBES_AT_A_TIME, WORTH_LOCATING
from inspector.format.header import header_span
from inspector.format.spans import Span
from inspector.layout.select import select
from inspector.source.base import Ledger, MemorySource
from tests.hostile.build import shard, tensor

PARTS: Final = ("down_proj.weight", "gate_proj.weight", "up_proj.weight")
SCALE: Final = "_scale_inv"
LAYERS: Final = 24
EXPERTS: Final = 12
PREFIX: Final = "model.language_model."
PADDING: Final = 20_000
"""Spaces that make each header longer than what is read of it at first."""

Shards = list[list[str]]
Disorder = Callable[[Shards], Shards]


def expert(layer: int, number: int) -> list[str]:
    return [f"{PREFIX}layers.{layer}.mlp.experts.{number}.{part}" for part in PARTS]


def layer_names(layer: int) -> list[str]:
    first, last = (f"{PREFIX}layers.{layer}.{name}.weight" for name in ("attn.q_proj", "norm"))
    return [first, *(name for number in range(EXPERTS) for name in expert(layer, number)), last]


NAMES: Final = [
    "lm_head.weight",
    *(name for layer in range(LAYERS) for name in layer_names(layer)),
    *(f"model.visual.blocks.{number}.norm1.weight" for number in range(40)),
]


def cut(names: Sequence[str], edges: Sequence[int]) -> Shards:
    """Names in pieces that begin at some edges."""
    ends = [0, *sorted(edges), len(names)]
    return [list(names[start:stop]) for start, stop in pairwise(ends)]


def even(names: Sequence[str], count: int) -> Shards:
    return cut(names, [len(names) * number // count for number in range(1, count)])


def source_of(
    shards: Sequence[Sequence[str]], *, padding: int = 0, dtype: str = "F32"
) -> MemorySource:
    """A series on a hub, in memory: names in each header by letter, as writers sort them."""
    files = {
        f"model-{number:05d}-of-{len(shards):05d}.safetensors": content_of(names, padding, dtype)
        for number, names in enumerate(shards, 1)
    }
    source = MemorySource(files)
    source.kind = "hub"
    return source


def content_of(names: Sequence[str], padding: int, dtype: str) -> bytes:
    """A shard of tensors of four bytes; scales are F32."""
    kinds = {"F32": [1], "F8_E4M3": [4]}
    dtypes = {name: "F32" if SCALE in name else dtype for name in names}
    header = {
        name: tensor(4 * at, 4 * at + 4, dtype=dtypes[name], shape=kinds[dtypes[name]])
        for at, name in enumerate(sorted(names))
    }
    return shard(json.dumps(header).encode() + b" " * padding, bytes(4 * len(names)))


def header_reads(source: MemorySource) -> set[str]:
    """The shards of which more than the beginning was asked for."""
    return {
        name for name, span in source.reads if span.stop > PROBE_BYTES or len(span) < PROBE_BYTES
    }


def found(source: MemorySource, target: str, *, by_name: bool = True) -> list[TensorRow]:
    """What a target selects."""
    checkpoint = Checkpoint(source, Ledger(), ReadPolicy(jobs=4))
    if by_name:
        checkpoint.only_naming([target])
    catalog = checkpoint.catalog
    return list(catalog.rows(select(catalog.names, target)))


def everywhere(source: MemorySource, target: str) -> list[TensorRow]:
    """What a target selects where all headers are read; `reads` stays as it is."""
    reads = list(source.reads)
    rows = found(source, target, by_name=False)
    source.reads[:] = reads
    return rows


def holding(shards: Sequence[Sequence[str]], names: Sequence[str]) -> list[str]:
    """The files that hold some of these names."""
    count = len(shards)
    return [
        f"model-{number:05d}-of-{count:05d}.safetensors"
        for number, held in enumerate(shards, 1)
        if set(held) & set(names)
    ]


def rests(source: MemorySource) -> list[str]:
    """The shards of whose headers more than the beginning was read."""
    return [name for name, span in source.reads if span.start == PROBE_BYTES]


@pytest.mark.parametrize("spelled", [False, True], ids=["by number", "by letter"])
@pytest.mark.parametrize("at", [(0, 0), (3, 7), (9, 11), (10, 0), (23, 11), (12, 5)])
def test_an_expert_is_found_by_beginnings_and_few_headers(
    at: tuple[int, int], *, spelled: bool
) -> None:
    shards = even(sorted(NAMES) if spelled else NAMES, 60)
    target = f"layers.{at[0]}.mlp.experts.{at[1]}"
    source = source_of(shards, padding=PADDING)
    assert found(source, target) == everywhere(source, target)
    beginnings = [name for name, span in source.reads if span == Span(0, PROBE_BYTES)]
    assert len(beginnings) == len(set(beginnings)) <= 2 * PROBES_AT_A_TIME + 2
    assert set(holding(shards, expert(*at))) <= set(rests(source))
    assert len(rests(source)) <= (5 if at == (23, 11) else 3)  # nothing comparable follows it
    assert len(source.reads) == len(beginnings) + len(rests(source))


def test_a_header_that_shows_both_neighbours_is_the_only_one_that_is_read_whole() -> None:
    edges = [NAMES.index(expert(12, number)[0]) for number in (3, 9)]
    shards = cut(NAMES, sorted({*edges, *range(20, edges[0], 20), *range(460, len(NAMES), 20)}))
    source = source_of(shards, padding=PADDING)
    (place,) = holding(shards, expert(12, 6))
    found(source, "layers.12.mlp.experts.6")
    whole = [(name, span) for name, span in source.reads if span.start]
    stop = header_span(source.read(place, Span(0, 8)), shard=place).stop
    assert whole == [(place, Span(PROBE_BYTES, stop))]


def test_a_module_across_two_shards_is_read_from_both() -> None:
    edge = NAMES.index(expert(12, 6)[1])
    shards = cut(NAMES, sorted({edge, *range(20, len(NAMES), 20)}))
    source = source_of(shards, padding=PADDING)
    assert [row.name for row in found(source, "layers.12.mlp.experts.6")] == expert(12, 6)
    assert sorted(rests(source)) == holding(shards, expert(12, 6))
    assert len(rests(source)) == 2


def test_a_whole_layer_is_read_from_all_of_its_shards_and_no_other() -> None:
    shards = even(NAMES, 60)
    source = source_of(shards, padding=PADDING)
    assert {row.name for row in found(source, "layers.12")} == set(layer_names(12))
    assert sorted(rests(source)) == holding(shards, layer_names(12))


@pytest.mark.parametrize(
    "target", ["lm_head", "visual", "layers.99.mlp", "layers.3.mlp.experts.99", "q_proj"]
)
def test_what_cannot_be_located_is_looked_for_in_every_header(target: str) -> None:
    shards = even(NAMES, 40)
    source = source_of(shards)
    assert found(source, target) == everywhere(source, target)
    assert len(header_reads(source)) == 40


@pytest.mark.parametrize(
    "disorder",
    [
        lambda shards: random.Random(4).sample(shards, len(shards)),
        lambda shards: even(random.Random(4).sample(NAMES, len(NAMES)), 40),
        lambda shards: shards[::-1],
        lambda shards: even(sorted(NAMES, key=lambda name: name.split(".")[-2]), 40),
    ],
    ids=["shuffled shards", "shuffled tensors", "last shard first", "projections apart"],
)
def test_shards_in_no_known_order_are_all_read(disorder: Disorder) -> None:
    shards = disorder(even(NAMES, 40))
    source = source_of(shards)
    target = "layers.12.mlp.experts.6"
    rows = found(source, target)
    assert rows == everywhere(source, target)
    assert len(rows) == len(PARTS)
    assert len(header_reads(source)) == 40


def test_scales_that_lie_in_a_shard_of_their_own_are_found() -> None:
    """The weights stand in order, their scales where nobody looks."""
    codes = [name for name in NAMES if name.endswith("_proj.weight")]
    scales = [f"{name}{SCALE}" for name in codes]
    shards = even(codes, 39)
    shards.insert(3, scales)
    source = source_of(shards, dtype="F8_E4M3")
    names = {row.name for row in found(source, "layers.12.mlp.experts.6")}
    assert names == {*expert(12, 6), *(f"{name}{SCALE}" for name in expert(12, 6))}


def test_a_second_tower_that_is_seen_makes_the_target_ambiguous_as_everywhere() -> None:
    twin = [name.replace(PREFIX, "mtp.") for name in layer_names(23)]
    shards = even([*NAMES, *twin], 40)
    source = source_of(shards)
    rows = found(source, "layers.23.mlp.experts.6")
    assert rows == everywhere(source, "layers.23.mlp.experts.6")
    assert len(rows) == 2 * len(PARTS)


def test_a_module_that_lacks_what_its_neighbours_have_is_looked_for_everywhere() -> None:
    """The shard that goes on with the module stands elsewhere, where nothing may have looked."""
    edge = NAMES.index(expert(12, 6)[1])
    shards = cut(NAMES, sorted({edge, *range(20, len(NAMES), 20)}))
    later = next(number for number, held in enumerate(shards) if expert(12, 6)[1] in held)
    for other in range(len(shards)):
        exchanged = list(shards)
        exchanged[later], exchanged[other] = shards[other], shards[later]
        rows = found(source_of(exchanged), "layers.12.mlp.experts.6")
        assert {row.name for row in rows} == set(expert(12, 6))


@pytest.mark.parametrize("layer", range(1, LAYERS - 1))
def test_a_module_across_two_shards_is_found_from_either(layer: int) -> None:
    edges = {NAMES.index(expert(each, 6)[1]) for each in range(LAYERS)}
    shards = cut(NAMES, sorted({*edges, *range(20, len(NAMES), 20)}))
    source = source_of(shards, padding=PADDING)
    rows = found(source, f"layers.{layer}.mlp.experts.6")
    assert [row.name for row in rows] == expert(layer, 6)
    assert all(span.stop <= PROBE_BYTES or span.start for _, span in source.reads)


def test_few_shards_are_read_at_once() -> None:
    shards = even(NAMES, WORTH_LOCATING - 1)
    source = source_of(shards)
    found(source, "layers.12.mlp.experts.6")
    assert len(source.reads) == len(shards)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_located_is_what_all_headers_tell(data: st.DataObject) -> None:
    """Any cuts, shards in order, by letter, exchanged, or tensors anywhere."""
    order = data.draw(st.sampled_from(["numbers", "letters", "exchanged", "anywhere"]))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = random.Random(seed)
    names = {"letters": sorted(NAMES), "anywhere": rng.sample(NAMES, len(NAMES))}.get(order, NAMES)
    count = data.draw(st.integers(WORTH_LOCATING, 80))
    shards = cut(names, rng.sample(range(1, len(names)), count - 1))
    if order == "exchanged":
        one, other = rng.sample(range(count), 2)
        shards[one], shards[other] = shards[other], shards[one]
    layer, number = rng.randrange(LAYERS), rng.randrange(EXPERTS)
    target = rng.choice(
        [f"layers.{layer}", f"layers.{layer}.mlp.experts.{number}", f"layers.{layer}.attn",
         f"experts.{number}.up_proj", f"layers.{layer}.mlp.experts.{number}.up_proj"]
    )  # fmt: skip
    source = source_of(shards)
    assert found(source, target) == everywhere(source, target)
