"""Every rule of `compare` has a case that breaks it, and no other."""

import json
from typing import Any

import pytest

from inspector.analysis.compare.files import SideFiles
from inspector.analysis.compare.report import Comparison, Side, differences_of
from inspector.analysis.compare.rules import COMPARE_RULES
from inspector.analysis.compare.weight_diff import Equal, WeightRow
from tests.analysis.compare.both import compared, side

CONFIG: dict[str, Any] = {"hidden_size": 8}
NAME = "model.norm.weight"


def with_files(**documents: Any) -> Side:
    """A model with these small files, `__` for a dot."""
    contents = {
        name.replace("__", "."): value if isinstance(value, bytes) else json.dumps(value).encode()
        for name, value in documents.items()
    }
    return side("m", CONFIG, files=SideFiles(dict.fromkeys(contents, 1), contents))


def with_config(**fields: Any) -> Side:
    return side("m", {**CONFIG, **fields})


def with_tensor(name: str, dtype: str, *shape: int) -> Side:
    return side("m", None, [("kept", "F32", [1]), (name, dtype, shape)])


def weights(equal: Equal) -> Comparison:
    row = WeightRow(
        name="norm.weight", component="norms", layer=None, cosine=1.0, relative_change=0.1,
        equal=equal, cosine_interval=None, relative_change_interval=None, noise=None,
        largest_change=0.1, rows=1, rows_of=1,
    )  # fmt: skip
    plain = compared(with_config(), with_config())
    return Comparison(
        config=plain.config, parameters=plain.parameters, files=plain.files, tensors=None,
        weights=[row], left_out=[], lineage=None,
    )  # fmt: skip


THINKING = b"{% if enable_thinking %}<think>{% endif %}"
CASES = {
    "config_changed": compared(with_config(vocab_size=1), with_config(vocab_size=2)),
    "config_in_one": compared(with_config(vocab_size=1), with_config()),
    "config_beside": compared(with_config(transformers_version="4"), with_config()),
    "setting_changed": compared(
        with_files(generation_config__json={"top_k": 1}),
        with_files(generation_config__json={"top_k": 2}),
    ),
    "special_token_changed": compared(
        with_files(special_tokens_map__json={"eos_token": "a"}),
        with_files(special_tokens_map__json={"eos_token": "b"}),
    ),
    "token_changed": compared(
        with_files(added_tokens__json={"a": 1}), with_files(added_tokens__json={"a": 2})
    ),
    "token_in_one": compared(
        with_files(added_tokens__json={"a": 1, "b": 2}), with_files(added_tokens__json={"a": 1})
    ),
    "file_in_one": compared(
        with_files(merges__txt=b"", vocab__json=b""), with_files(vocab__json=b"")
    ),
    "thinking_switch": compared(
        with_files(chat_template__jinja=THINKING), with_files(chat_template__jinja=b"")
    ),
    "tensor_in_one": compared(with_tensor(NAME, "F32", 2), side("m", None, [("kept", "F32", [1])])),
    "tensor_shape": compared(with_tensor(NAME, "F32", 2), with_tensor(NAME, "F32", 3)),
    "tensor_storage": compared(with_tensor(NAME, "F32", 2), with_tensor(NAME, "BF16", 2)),
    "weights_changed": weights(Equal.NO),
    "weights_rounded": weights(Equal.QUANTIZATION),
}


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == set(COMPARE_RULES)


@pytest.mark.parametrize("rule", CASES)
def test_a_difference_is_one_finding_of_its_rule(rule: str) -> None:
    (found,) = differences_of(CASES[rule])
    assert found.rule == rule
    assert found.severity == COMPARE_RULES[rule][0]
    assert str(found.where)
    assert found.expected != found.found


@pytest.mark.parametrize("equal", [Equal.BYTES, Equal.VALUES])
def test_equal_weights_are_no_finding(equal: Equal) -> None:
    assert differences_of(weights(equal)) == []


def test_a_model_does_not_differ_from_itself() -> None:
    one = side("m", CONFIG, [(NAME, "F32", [2])])
    assert differences_of(compared(one, one)) == []
