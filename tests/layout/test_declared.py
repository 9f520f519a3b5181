import json
from pathlib import Path
from typing import Any

import pytest

from inspector.config import parse_config
from inspector.layout.declared import Declared, declared_by

CONFIGS = Path(__file__).parents[3] / "shared" / "data" / "configs"

Widths = tuple[tuple[int, int | None], ...]
Blocks = tuple[tuple[int, int], ...]


def declared(stated: object, /, **fields: object) -> Declared:
    text = json.dumps({"quantization_config": stated, **fields}).encode()
    return declared_by(parse_config(text, file="config.json").quantization)


def groups(*weights: dict[str, object]) -> dict[str, object]:
    return {"config_groups": {str(at): {"weights": one} for at, one in enumerate(weights)}}


def test_no_config_declares_nothing() -> None:
    assert declared_by(None) == Declared()
    assert declared({}) == Declared()


DYNAMIC = {"+:.*down_proj": {"bits": 8, "group_size": 32}, "-:lm_head": {}}


@pytest.mark.parametrize(
    ("quantization", "blocks", "integers"),
    [
        ({"weight_block_size": [128, 64]}, ((128, 64),), ()),
        (groups({"num_bits": 4, "group_size": 32}), ((1, 32),), ((4, 32),)),
        (groups({"num_bits": 8, "group_size": None}), (), ((8, None),)),
        (groups({"num_bits": 8, "group_size": -1}), (), ((8, None),)),
        (groups({"num_bits": 16}), (), ()),
        (groups({"block_structure": [128, 128]}), ((128, 128),), ()),
        (groups({"block_structure": "128x128"}), ((128, 128),), ()),
        (groups({"group_size": 32}, {"group_size": 64}), ((1, 32), (1, 64)), ()),
        (groups({"group_size": 32}, {"group_size": 32}), ((1, 32),), ()),
        ({"quant_algo": "FP8_PB_WO"}, ((128, 128),), ()),
        ({"quant_algo": "NVFP4", "group_size": 16}, ((1, 16),), ()),
        ({"quant_algo": "MIXED_PRECISION", "quantized_layers": {
            "a": {"quant_algo": "FP8"}, "b": {"quant_algo": "NVFP4", "group_size": 16}}},
         ((1, 16),), ()),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": DYNAMIC},
         ((1, 128), (1, 32)), ((4, 128), (8, 32))),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1}, (), ((4, None),)),
        ({"group_size": 64, "bits": 4, "mode": "affine",
          "model.layers.0.mlp.down_proj": {"group_size": 32, "bits": 6}, "lm_head": False},
         ((1, 64), (1, 32)), ((4, 64), (6, 32))),
        ({"quant_method": "exl2", "bits": 4.25}, (), ()),
    ],
    ids=str,
)  # fmt: skip
def test_every_dialect_declares_blocks_and_widths(
    quantization: dict[str, object], blocks: Blocks, integers: Widths
) -> None:
    found = declared(quantization)
    assert (found.blocks, found.integers, found.malformed) == (blocks, integers, ())


@pytest.mark.parametrize("key", ["quantization_config", "compression_config", "quantization"])
def test_the_text_model_may_declare_it(key: str) -> None:
    text_config = {key: groups({"num_bits": 4, "group_size": 32})}
    found = declared(None, text_config=text_config)
    assert (found.blocks, found.integers) == (((1, 32),), ((4, 32),))


def test_mlx_has_a_key_of_its_own() -> None:
    found = declared(None, quantization={"group_size": 64, "bits": 8})
    assert (found.method, found.integers) == ("mlx", ((8, 64),))


@pytest.mark.parametrize(
    ("stated", "less_one"),
    [
        ({"quant_method": "gptq"}, True),
        ({"quant_method": "gptq", "checkpoint_format": "gptq"}, True),
        ({"quant_method": "gptq", "checkpoint_format": "gptq_v2"}, False),
        ({"quant_method": "gptq", "checkpoint_format": "marlin"}, None),
        ({"quant_method": "gptq", "checkpoint_format": ["gptq"]}, None),
        ({"quant_method": "gptq", "checkpoint_format": None}, True),
        ({"quant_method": "auto-round"}, None),
    ],
    ids=str,
)
def test_a_config_says_how_gptq_stores_zero_points(
    stated: dict[str, Any], *, less_one: bool | None
) -> None:
    assert declared(stated).zeros_less_one is less_one


FP8 = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic"}
BY_CHANNEL: dict[str, Any] = {
    "actorder": None, "block_structure": None, "dynamic": False, "group_size": None, "num_bits": 8,
    "observer": "mse", "observer_kwargs": {}, "strategy": "channel", "symmetric": True,
    "type": "float",
}  # fmt: skip
BY_TOKEN = {**BY_CHANNEL, "dynamic": True, "observer": None, "strategy": "token"}
LLAMA_4 = {
    "quant_method": "compressed-tensors", "format": "float-quantized", "kv_cache_scheme": None,
    "global_compression_ratio": None, "ignore": ["lm_head"], "quantization_status": "compressed",
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": BY_CHANNEL,
                                  "input_activations": BY_TOKEN, "output_activations": None}},
}  # fmt: skip
BLOCKS_OF_128: tuple[Blocks, Widths] = (((128, 128),), ())
NOTHING: tuple[Blocks, Widths] = ((), ())

FACTS: dict[str, tuple[dict[str, Any] | None, tuple[Blocks, Widths]]] = {
    "Intern-S1-Pro":
        ({**FP8, "scale_fmt": "ue8m0", "weight_block_size": [128, 128]}, BLOCKS_OF_128),
    "MiniMaxAI--MiniMax-M2.5":
        ({**FP8, "fmt": "float8_e4m3fn", "weight_block_size": [128, 128]}, BLOCKS_OF_128),
    "Qwen--Qwen3-235B-A22B-FP8": ({**FP8, "weight_block_size": [128, 128]}, BLOCKS_OF_128),
    "Qwen--Qwen3-30B-A3B-FP8": ({**FP8, "weight_block_size": [128, 128]}, BLOCKS_OF_128),
    "Qwen--Qwen3-235B-A22B": (None, NOTHING),
    "Qwen3-VL-235B-A22B-Instruct": (None, NOTHING),
    "deepseek-ai--DeepSeek-V3.2":
        ({**FP8, "scale_fmt": "ue8m0", "weight_block_size": [128, 128]}, BLOCKS_OF_128),
    "deepseek-ai--DeepSeek-V4-Flash":
        ({**FP8, "scale_fmt": "ue8m0", "weight_block_size": [128, 128]}, BLOCKS_OF_128),
    "llama-4-scout-17b-16e-instruct-fp8-dynamic": (LLAMA_4, ((), ((8, None),))),
    "mixtral-8x7b-v0.1": (None, NOTHING),
    "moonshotai--Kimi-K2-Instruct": ({**FP8, "weight_block_size": [128, 128]}, BLOCKS_OF_128),
    "nvidia--Qwen3-235B-A22B-NVFP4": (None, NOTHING),
    "openai--gpt-oss-20b": ({"quant_method": "mxfp4"}, NOTHING),
    "zai-org--GLM-5-FP8": ({**FP8, "weight_block_size": [128, 128]}, BLOCKS_OF_128),
}  # fmt: skip
"""What published configs state of their codes, without the lists of modules left alone."""


@pytest.mark.parametrize("model", FACTS)
def test_what_published_models_declare(model: str) -> None:
    stated, expected = FACTS[model]
    found = declared(stated)
    assert (found.blocks, found.integers, found.malformed) == (*expected, ())


@pytest.mark.skipif(not CONFIGS.is_dir(), reason="published configs are kept apart")
@pytest.mark.parametrize("model", FACTS)
def test_what_published_configs_declare_is_what_the_facts_do(model: str) -> None:
    path = CONFIGS / f"{model}.config.json"
    config = parse_config(path.read_bytes(), file=path.name)
    assert config.malformed == ()
    assert declared_by(config.quantization) == declared(FACTS[model][0])


@pytest.mark.skipif(not CONFIGS.is_dir(), reason="published configs are kept apart")
def test_every_published_config_has_its_facts() -> None:
    assert {path.name.removesuffix(".config.json") for path in CONFIGS.iterdir()} == set(FACTS)
