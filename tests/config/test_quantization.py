import json
from typing import Any

import pytest

from inspector.config.quantization import (
    MODELOPT_NAME,
    Dialect,
    QuantConfig,
    parse_modelopt,
    quantization_of,
)
from inspector.config.skip_list import Syntax
from inspector.errors import ConfigError


def claim(**quantization: Any) -> QuantConfig:
    found = quantization_of({"quantization_config": quantization}, file="config.json")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("stated", "dialect", "key", "syntax"),
    [
        ({"quant_method": "fp8", "modules_to_not_convert": ["a"]},
         Dialect.FP8, "modules_to_not_convert", Syntax.REGEX),
        ({"quant_method": "fp8", "ignored_layers": ["a"]},
         Dialect.FP8, "ignored_layers", Syntax.REGEX),
        ({"quant_method": "fbgemm_fp8", "modules_to_not_convert": ["a"]},
         Dialect.FBGEMM_FP8, "modules_to_not_convert", Syntax.REGEX),
        ({"quant_method": "compressed-tensors", "ignore": ["a"]},
         Dialect.COMPRESSED_TENSORS, "ignore", Syntax.NAME),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["a"]},
         Dialect.MODELOPT, "ignore", Syntax.GLOB),
        ({"quant_algo": "FP8", "exclude_modules": ["a"]},
         Dialect.MODELOPT, "exclude_modules", Syntax.GLOB),
        ({"quant_method": "mxfp4", "modules_to_not_convert": ["a"]},
         Dialect.MXFP4, "modules_to_not_convert", Syntax.REGEX),
        ({"config_groups": {}, "ignore": ["a"]},
         Dialect.COMPRESSED_TENSORS, "ignore", Syntax.NAME),
    ],
)  # fmt: skip
def test_each_dialect_lists_what_is_left_alone_under_its_own_key(
    stated: dict[str, Any], dialect: Dialect, key: str, syntax: Syntax
) -> None:
    found = claim(**stated)
    assert (found.dialect, found.skip_key, found.skip.syntax) == (dialect, key, syntax)
    assert found.skip.entries == ("a",)


@pytest.mark.parametrize("method", ["awq", "gptq", "bitsandbytes"])
def test_other_methods_are_named_and_not_understood(method: str) -> None:
    found = claim(quant_method=method, bits=4)
    assert (found.method, found.dialect) == (method, None)


def test_no_list_is_something_else_than_an_empty_one() -> None:
    assert claim(quant_method="fp8").skip_key is None
    assert claim(quant_method="fp8", modules_to_not_convert=[]).skip_key is not None
    assert claim(quant_method="fp8", modules_to_not_convert=None).skip_key is None


def test_a_claim_may_stand_in_the_text_model() -> None:
    inner = {"text_config": {"quantization_config": {"quant_method": "fp8"}}}
    found = quantization_of(inner, file="config.json")
    assert found is not None
    assert found.where == "config.json: text_config.quantization_config"


def test_no_claim_is_none() -> None:
    assert quantization_of({"hidden_size": 1}, file="config.json") is None


def test_groups_of_compressed_tensors_are_read() -> None:
    weights = {"num_bits": 4, "type": "int", "group_size": 32, "symmetric": True}
    groups = {"group_0": {"targets": ["Linear"], "weights": {**weights, "strategy": "group"}}}
    (group,) = claim(quant_method="compressed-tensors", config_groups=groups).groups
    assert (group.targets, group.bits, group.group_size) == (("Linear",), 4, 32)
    assert (group.number_type, group.strategy, group.symmetric) == ("int", "group", True)


def test_modelopt_states_it_in_a_file_of_its_own() -> None:
    text = {"quantization": {"quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}}
    found = parse_modelopt(json.dumps(text).encode(), file=MODELOPT_NAME)
    assert (found.dialect, found.fmt) == (Dialect.MODELOPT, "NVFP4")
    assert found.skip.entries == ("lm_head",)
    assert found.where == "hf_quant_config.json: quantization"


@pytest.mark.parametrize("entries", ["lm_head", [1], {"a": 1}])
def test_a_list_that_is_none_counts_as_absent_and_says_so(entries: object) -> None:
    found = claim(quant_method="fp8", modules_to_not_convert=entries)
    assert found.skip.entries == ()
    (malformed,) = found.malformed
    assert malformed.where == "config.json: quantization_config.modules_to_not_convert"
    assert malformed.expected == "a list of names"
    assert found.has_malformed_list
    assert found.skip_key is None


def test_both_lists_of_fp8_are_kept_and_the_first_is_that_of_transformers() -> None:
    found = claim(quant_method="fp8", ignored_layers=["b"], modules_to_not_convert=["a"])
    assert dict(found.lists) == {"modules_to_not_convert": ("a",), "ignored_layers": ("b",)}
    assert (found.skip_key, found.skip.entries) == ("modules_to_not_convert", ("a",))
    assert not found.has_malformed_list


def weights(**stated: Any) -> dict[str, Any]:
    return {"config_groups": {"group_0": {"weights": stated}}}


WEIGHTS = "config_groups.group_0.weights"


@pytest.mark.parametrize(
    ("stated", "where", "expected"),
    [
        ({"weight_block_size": 128}, "weight_block_size", "two positive integers"),
        ({"weight_block_size": [128, 0]}, "weight_block_size", "two positive integers"),
        ({"weight_block_size": [128, True]}, "weight_block_size", "two positive integers"),
        ({"quant_method": 8}, "quant_method", "a string"),
        ({"scale_fmt": ["ue8m0"]}, "scale_fmt", "a string"),
        ({"config_groups": [1, 2]}, "config_groups", "an object"),
        ({"config_groups": {"group_0": 1}}, "config_groups.group_0", "an object"),
        (weights(num_bits="4"), f"{WEIGHTS}.num_bits", "a positive integer"),
        (weights(group_size=True), f"{WEIGHTS}.group_size", "a positive integer"),
        (weights(block_structure="128"), f"{WEIGHTS}.block_structure", "two positive integers"),
        (weights(symmetric=0), f"{WEIGHTS}.symmetric", "true or false"),
        ({"bits": 0}, "bits", "a positive integer"),
        ({"quant_algo": 1}, "quant_algo", "a string"),
    ],
    ids=str,
)
def test_a_field_of_a_wrong_type_counts_as_absent_and_is_noted(
    stated: dict[str, Any], where: str, expected: str
) -> None:
    found = claim(**stated)
    (malformed,) = found.malformed
    assert malformed.where == f"config.json: quantization_config.{where}"
    assert malformed.expected == expected
    assert found.weight_block_size is None
    assert not any(coding.block or coding.bits for coding in found.codings)


@pytest.mark.parametrize("text", [b"[]", b"{}", b"not json", b'{"quantization": 3}'])
def test_a_modelopt_file_without_its_object_is_refused(text: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_modelopt(text, file=MODELOPT_NAME)
