"""What an audit reads, in how many requests, and what it says of the numbers."""

from collections.abc import Iterable

import numpy as np
import pytest

from inspector.analysis.quant.audit import Audit, Facts, audit, audit_facts
from inspector.analysis.quant.chosen import Chosen
from inspector.analysis.quant.sample import Look, affordable, in_file_order, spans_of
from inspector.analysis.quant.summary import chosen_of, loader_table, observed_of
from inspector.errors import UsageError
from inspector.format.spans import Span
from inspector.source.base import MemorySource
from tests.analysis.quant.faults import FAULTS
from tests.quantized import E8M0, Model, audited, opened, qwen_like, rules_of


def facts_of(model: Model) -> Facts:
    checkpoint, _ = opened(model)
    return audit_facts(checkpoint.weights, checkpoint.claim)


@pytest.mark.parametrize("rounding", ["amax/448", "ceil", "floor", "round"])
def test_the_rounding_of_a_producer_is_named(rounding: str) -> None:
    model = qwen_like(rounding=rounding)
    del model.config["quantization_config"]["scale_fmt"]
    found = audited(model)
    assert observed_of(found).rounding == rounding
    assert found.findings == ()


def test_scales_stored_as_exponents_are_what_ue8m0_declares() -> None:
    found = audited(qwen_like(scale_dtype=E8M0))
    observed = observed_of(found)
    assert found.findings == ()
    assert list(observed.scale_dtype) == ["F8_E8M0"]
    assert observed.power_of_two_fraction == 1.0


def test_scales_that_are_no_powers_of_two_are_one_finding_with_counts() -> None:
    found = audited(qwen_like(rounding="amax/448"))
    (finding,) = found.findings
    assert finding.rule == "scale_not_power_of_two"
    observed = observed_of(found)
    assert observed.numbers.bfloat16_amax_fraction == 1.0
    assert finding.found == f"{observed.numbers.powers_of_two} of {observed.looked_into.scales} are"


def test_the_smallest_exponent_is_a_power_of_two() -> None:
    model = qwen_like()
    name = "model.layers.0.mlp.experts.0.gate_proj"
    model.tensors[f"{name}.weight_scale_inv"][:] = 2.0**-127
    codes = model.tensors[f"{name}.weight"].view(np.uint8)
    codes[codes == 0x7E] = 0x7D  # 2^-127 is a power of two and minimal for 0x77 and more
    assert rules_of(audited(model)) == []


def test_a_largest_code_of_224_is_undecided_and_one_of_208_is_not() -> None:
    for top, rules in ((0x76, []), (0x75, ["scale_not_minimal"])):
        model = qwen_like()
        codes = model.tensors["model.layers.1.self_attn.o_proj.weight"].view(np.uint8)
        magnitude = np.minimum(codes[:128, :128] & 0x7F, top)
        magnitude[0, 0] = top
        codes[:128, :128] = magnitude
        found = audited(model)
        assert rules_of(found) == rules
        assert observed_of(found).numbers.minimum_undecided >= (top == 0x76)


def test_a_scale_at_a_producers_floor_need_not_be_minimal() -> None:
    model = qwen_like()
    model.tensors["model.layers.1.self_attn.o_proj.weight_scale_inv"][0, 0] = 2.0**-22
    model.tensors["model.layers.1.self_attn.o_proj.weight"].view(np.uint8)[:128, :128] = 0x10
    assert rules_of(audited(model)) == []


def test_a_block_whose_largest_code_became_nan_is_not_said_to_have_too_large_a_scale() -> None:
    model = qwen_like()
    codes = model.tensors["model.layers.1.self_attn.o_proj.weight"].view(np.uint8)
    codes[:128, :128] = np.where(codes[:128, :128] & 0x7F > 0x74, 0x7F, codes[:128, :128])
    assert rules_of(audited(model)) == ["nan_codes"]


def test_nan_codes_below_a_zero_scale_are_not_reported_again() -> None:
    model = qwen_like()
    module = "model.layers.1.self_attn.o_proj"
    model.tensors[f"{module}.weight_scale_inv"][0, 0] = 0
    model.tensors[f"{module}.weight"].view(np.uint8)[:128, :128] = 0x7F
    found = audited(model)
    assert rules_of(found) == ["zero_scale"]
    assert observed_of(found).numbers.nan_codes_excused == 128 * 128


def test_dead_weights_and_blocks_are_counted() -> None:
    model = qwen_like()
    model.tensors["model.layers.1.mlp.experts.0.down_proj.weight"].view(np.uint8)[:] = 0x80
    model.tensors["model.layers.1.mlp.experts.1.down_proj.weight"].view(np.uint8)[:128, :128] = 0
    numbers = observed_of(audited(model)).numbers
    assert numbers.dead_weights == 1
    assert numbers.zero_blocks == 4 + 1


def test_constant_scales_are_counted_and_are_no_finding() -> None:
    model = qwen_like()
    del model.config["quantization_config"]["scale_fmt"]
    for name in model.tensors:
        if name.endswith("scale_inv"):
            model.tensors[name][:] = 1.0
    found = audited(model)
    assert "scale_not_minimal" not in rules_of(found)
    assert observed_of(found).numbers.constant_scales > 50


def test_a_sample_of_none_reads_no_number() -> None:
    checkpoint, source = opened(qwen_like())
    facts = audit_facts(checkpoint.weights, checkpoint.claim)
    reads = len(source.reads)
    found = audit(facts, facts.looks(0), checkpoint.reader)
    assert len(source.reads) == reads
    assert found.findings == ()
    assert observed_of(found).power_of_two_fraction is None


def test_all_scales_of_a_shard_that_lie_together_are_one_request_of_a_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MemorySource, "kind", "s3")
    checkpoint, source = opened(qwen_like())
    facts = audit_facts(checkpoint.weights, checkpoint.claim)
    looks = [
        Look(look.member, look.weight, None, look.turn) for look in in_file_order(facts.looks(None))
    ]
    planned = checkpoint.reader.expect_spans(spans_of(looks))
    before = len(source.reads)
    audit(facts, looks, checkpoint.reader)
    assert len(source.reads) - before == planned.requests
    assert planned.requests <= 2


def test_a_plan_is_what_is_read() -> None:
    checkpoint, source = opened(qwen_like())
    facts = audit_facts(checkpoint.weights, checkpoint.claim)
    looks = in_file_order(facts.looks(2))
    planned = checkpoint.reader.plan_spans(spans_of(looks))
    assert checkpoint.reader.expect_spans(spans_of(looks)) == planned
    before = len(source.reads)
    audit(facts, looks, checkpoint.reader)
    spans = [span for _, span in source.reads[before:]]
    assert (len(spans), sum(map(len, spans))) == (planned.requests, planned.bytes)


def test_a_sample_takes_codes_of_so_many_weights_of_each_family() -> None:
    facts = facts_of(qwen_like())
    looks = facts.looks(2)
    with_codes = [look for look in looks if look.rows is not None]
    assert len(with_codes) == 2 * 7
    assert len(looks) == int(facts.modules.quantized.sum())


def test_a_budget_keeps_some_of_every_family_first() -> None:
    looks = facts_of(qwen_like()).looks(3)

    def cost(spans: Iterable[tuple[str, Span]]) -> int:
        return sum(len(span) for _, span in spans)

    everything = cost(spans_of(looks))
    assert affordable(looks, cost, everything) == sorted(
        looks, key=lambda look: (look.rows is None, look.turn)
    )
    kept = affordable(looks, cost, everything // 2)
    assert cost(spans_of(kept)) <= everything // 2
    families = {look.weight.name.rpartition("layers.")[2].partition(".")[2] for look in kept}
    assert len({name.rpartition(".")[0].rpartition(".")[2] for name in families}) == 7
    assert affordable(looks, cost, 0) == []


def chosen_facts(model: Model, layers: set[int] | None, experts: set[int] | None) -> Facts:
    checkpoint, _ = opened(model)
    chosen = Chosen(
        None if layers is None else frozenset(layers),
        None if experts is None else frozenset(experts),
    )
    return audit_facts(checkpoint.weights, checkpoint.claim, chosen)


@pytest.mark.parametrize(
    ("layers", "experts", "quantized", "unquantized"),
    [({1}, None, 4 + 12, 3), ({1, 3}, {0}, 6, 0), (None, {2, 3}, 4 * 6, 0)],
)
def test_what_is_chosen_and_what_is_not_add_up(
    layers: set[int] | None, experts: set[int] | None, quantized: int, unquantized: int
) -> None:
    model = qwen_like()
    facts = chosen_facts(model, layers, experts)
    observed = observed_of(Audit(facts, {}, 0))
    assert (observed.quantized_modules, observed.unquantized_modules) == (quantized, unquantized)
    assert sum(one.modules for one in observed.quantized) == quantized
    assert sum(one.modules for one in observed.unquantized) == unquantized
    chosen = chosen_of(facts)
    assert chosen is not None
    assert chosen.modules == quantized + unquantized
    assert chosen.of_modules == len(facts_of(model).modules)
    table = loader_table(facts)
    assert table.vllm is not None
    assert table.vllm.quantized + table.vllm.unquantized == chosen.modules
    assert {look.member for look in facts.looks(None)} == set(
        np.flatnonzero(facts.modules.quantized).tolist()
    )


def test_to_choose_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="layer 9: there is no such module"):
        chosen_facts(qwen_like(), {9}, None)


def test_findings_are_of_what_is_chosen_but_for_dead_entries() -> None:
    """The list is one for all: what is dead in it is dead whatever is chosen."""
    model = qwen_like()
    for plant in FAULTS.values():
        plant(model)
    checkpoint, _ = opened(model)
    of_layer = {}
    for layer in range(4):
        facts = chosen_facts(model, {layer}, None)
        of_layer[layer] = rules_of(audit(facts, facts.looks(None), checkpoint.reader))
    assert of_layer[0] == ["ambiguous_skip_entry", "dead_skip_entry"]
    found = {rule for rules in of_layer.values() for rule in rules}
    assert found == set(FAULTS) - {"loader_disagreement"}
    assert sum(map(len, of_layer.values())) == len(found) + 3  # the dead entry in each


def test_a_layer_unlike_the_others_is_found_when_it_alone_is_chosen() -> None:
    model = qwen_like()
    del model.config["quantization_config"]["modules_to_not_convert"]
    name = "model.layers.2.self_attn.o_proj"
    model.tensors[f"{name}.weight"] = model.tensors[f"{name}.weight"].astype("float32")
    del model.tensors[f"{name}.weight_scale_inv"]
    facts = chosen_facts(model, {2}, None)
    assert [finding.rule for finding in facts.findings] == ["unlisted_but_unquantized"]
    assert chosen_facts(model, {1}, None).findings == ()
