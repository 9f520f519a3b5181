import json
from collections import Counter
from pathlib import Path

import pytest
from safetensors import safe_open

from tests import qwen3
from tests.intern_s1_pro import (
    SCALE_SUFFIX,
    Architecture,
    config,
    modules_to_not_convert,
    tensor_specs,
)
from tests.replica import INDEX_NAME, write_replica

EXPERT = "model.language_model.layers.0.mlp.experts.{}.gate_proj"


def stored_tensor(directory: Path, name: str) -> bytes:
    """The bytes of one tensor, by the index and the shard's header."""
    shard: str = json.loads((directory / INDEX_NAME).read_text())["weight_map"][name]
    with (directory / shard).open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        start, stop = json.loads(file.read(header_bytes))[name]["data_offsets"]
        file.seek(8 + header_bytes + start)
        return file.read(stop - start)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("replica")
    write_replica(directory, layers=1, experts=4, shard_bytes=10**9, fill=[(0, 2)])
    return directory


def test_full_scale_counts_are_those_of_the_published_model() -> None:
    specs = list(tensor_specs(Architecture()))
    elements = Counter[str]()
    for spec in specs:
        elements[spec.dtype] += spec.elements
    assert len(specs) == len({spec.name for spec in specs}) == 290_292
    assert elements["F8_E4M3"] == 915_088_080_896
    assert sum(spec.name.endswith(SCALE_SUFFIX) for spec in specs) == 144_760
    assert len(set(modules_to_not_convert(Architecture()))) == 623


def test_the_reference_has_as_many_parameters_as_the_published_one() -> None:
    specs = list(qwen3.tensor_specs())
    assert len(specs) == len({spec.name for spec in specs})
    assert sum(spec.elements for spec in specs) == qwen3.PARAMETERS


def test_fope_tables_are_45_frequencies_square_for_each_key_value_head() -> None:
    shapes = {spec.shape for spec in tensor_specs(Architecture()) if spec.name.endswith("_coef")}
    assert shapes == {(4, 45, 45)}


def test_no_skipped_module_is_quantized_and_every_other_matrix_is() -> None:
    architecture = Architecture(layers=2, experts=3)
    skipped = set(modules_to_not_convert(architecture))
    for spec in tensor_specs(architecture):
        module = spec.name.removesuffix(".weight")
        if spec.name.endswith(".weight") and len(spec.shape) == 2:
            assert (spec.dtype == "BF16") == (module in skipped), spec.name


def test_safetensors_opens_every_shard_of_a_small_replica(small: Path) -> None:
    expected = {spec.name: spec for spec in tensor_specs(Architecture(layers=1, experts=4))}
    found: set[str] = set()
    for shard in sorted(small.glob("*.safetensors")):
        with safe_open(shard, framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118  safe_open is no mapping
                part = opened.get_slice(name)
                assert tuple(part.get_shape()) == expected[name].shape
                assert part.get_dtype() == expected[name].dtype
                found.add(name)
    assert found == set(expected)


def test_filled_codes_hold_no_nan_and_reach_the_largest_value(small: Path) -> None:
    codes = set(stored_tensor(small, EXPERT.format(2) + ".weight"))
    assert {0x7E, 0xFE} <= codes
    assert not {0x7F, 0xFF} & codes


def test_filled_scales_are_plausible_and_no_powers_of_two(small: Path) -> None:
    scales = memoryview(stored_tensor(small, EXPERT.format(2) + SCALE_SUFFIX)).cast("f").tolist()
    assert len(scales) == 12 * 32
    assert all(1e-4 <= scale <= 3e-4 for scale in scales)
    assert not any(float(scale).hex().startswith("0x1.0000000") for scale in scales)


def test_other_experts_are_holes(small: Path) -> None:
    assert not any(stored_tensor(small, EXPERT.format(1) + ".weight"))
    assert sum(path.stat().st_blocks for path in small.iterdir()) * 512 < 30_000_000


def test_the_seed_decides_the_filled_bytes(tmp_path: Path) -> None:
    name = EXPERT.format(0) + ".weight"
    for directory, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_replica(tmp_path / directory, layers=1, experts=1, fill=[(0, 0)], seed=seed)
    first, again, other = (stored_tensor(tmp_path / directory, name) for directory in "abc")
    assert first == again
    assert first != other


def test_split_scales_go_to_other_shards_than_their_weights(tmp_path: Path) -> None:
    write_replica(tmp_path, layers=1, experts=2, shard_bytes=10**6, split_scales=True)
    shard_of = json.loads((tmp_path / INDEX_NAME).read_text())["weight_map"]
    weight = EXPERT.format(0) + ".weight"
    assert shard_of[weight] != shard_of[EXPERT.format(0) + SCALE_SUFFIX]


def test_config_names_its_own_layers_and_experts(small: Path) -> None:
    written = json.loads((small / "config.json").read_text())
    assert written == config(Architecture(layers=1, experts=4))
    assert written["text_config"]["num_hidden_layers"] == 1
    assert written["quantization_config"]["weight_block_size"] == [128, 128]


def test_an_expert_that_does_not_exist_cannot_be_filled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no such .* \[\(0, 4\)\]"):
        write_replica(tmp_path, layers=1, experts=4, fill=[(0, 4)])
