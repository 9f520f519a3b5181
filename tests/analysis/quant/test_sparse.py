"""Audits of weights of which only what is not zero is stored, unquantized, and a bitmask."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest

from inspector.analysis.quant.audit import audit_facts
from inspector.analysis.quant.evidence import Evidence, look_into
from inspector.analysis.quant.sample import Look, spans_of
from inspector.analysis.quant.summary import module_rows, observed_of
from inspector.format.spans import Span
from tests.decode.test_sparse import compressed, pruned, thinned
from tests.encoding import BF16
from tests.quantized import Array, Model, audited, opened, rules_of

CONFIG: Final = {
    "model_type": "llama", "hidden_size": 64,
    "quantization_config": {
        "quant_method": "compressed-tensors",
        "sparsity_config": {"format": "sparse-bitmask", "targets": ["Linear"]},
    },
}  # fmt: skip
MODULES: Final = tuple(
    f"model.layers.{layer}.self_attn.{part}_proj" for layer in range(6) for part in "qo"
)
SPOILT: Final = MODULES[5]


def sparse(form: str, rows: int = 32) -> Model:
    """Twelve matrices in one of both forms, and a norm; no two of them are as sparse."""
    store = compressed if form == "run" else pruned
    tensors: dict[str, Array] = {"model.norm.weight": np.ones(64, BF16)}
    for seed, module in enumerate(MODULES):
        stored = store(thinned((rows, 64), 0.5, seed).astype(BF16))
        tensors |= {f"{module}{end}": one for end, one in stored.items()}
    return Model(tensors, dict(CONFIG))


def _of_spoilt(end: str, change: Callable[[Array], Array]) -> Callable[[Model], None]:
    def spoil(model: Model) -> None:
        name = f"{SPOILT}{end}"
        model.tensors[name] = change(model.tensors[name].copy())

    return spoil


def _with(place: tuple[int, ...] | int, value: int) -> Callable[[Array], Array]:
    def change(tensor: Array) -> Array:
        tensor[place] = value
        return tensor

    return change


def _flipped(tensor: Array) -> Array:
    tensor[7, 3] ^= 1
    return tensor


FAULTS: Final = {
    "run: a bit": ("code_places", _of_spoilt(".bitmask", _flipped)),
    "run: a value too many": (
        "code_places",
        _of_spoilt(".compressed", lambda one: np.append(one, one[:1])),
    ),
    "run: a value too few": ("code_places", _of_spoilt(".compressed", lambda one: one[:-1])),
    "run: offsets of other rows": (
        "code_places",
        _of_spoilt(".row_offsets", lambda one: np.append(one[:-1], one[-1] - 1)),
    ),
    "run: offsets that go backwards": ("code_places", _of_spoilt(".row_offsets", _with(2, 1000))),
    "run: offsets of fewer rows": ("code_places", _of_spoilt(".row_offsets", lambda one: one[:-1])),
    "run: fewer columns": ("packed_shape", _of_spoilt(".bitmask", lambda one: one[:, :-1])),
    "run: another shape": ("packed_shape", _of_spoilt(".shape", _with(1, 72))),
    "run: no offsets": (
        "code_places",
        lambda model: model.tensors.pop(f"{SPOILT}.row_offsets"),
    ),
    "run: no mask": ("code_places", lambda model: model.tensors.pop(f"{SPOILT}.bitmask")),
    "run: no values": ("orphan_scale", lambda model: model.tensors.pop(f"{SPOILT}.compressed")),
    "two of four: a bit": ("code_places", _of_spoilt(".bitmask", _flipped)),
    "two of four: fewer values": ("code_places", _of_spoilt(".compressed", lambda one: one[:, 4:])),
    "two of four: another shape": ("packed_shape", _of_spoilt(".shape", _with((0, 0), 33))),
}  # fmt: skip


@pytest.mark.parametrize("form", ["run", "two of four"])
def test_a_sound_sparse_checkpoint_has_no_findings(form: str) -> None:
    found = audited(sparse(form))
    assert rules_of(found) == []
    observed = observed_of(found)
    assert (observed.quantized_modules, observed.unquantized_modules) == (0, 13)
    looked = observed.looked_into
    assert (looked.weights, looked.with_codes, looked.bitmasks) == (0, 0, 12)
    assert [(one.name, one.modules, one.shape) for one in observed.unquantized] == [
        ("model.layers.{0..5}.self_attn.o_proj", 6, (32, 64)),
        ("model.layers.{0..5}.self_attn.q_proj", 6, (32, 64)),
        ("model.norm", 1, (64,)),
    ]
    assert {one.scheme for one in observed.unquantized} == {None}
    assert {row.scales for row in module_rows(found)} == {None}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_one_finding_at_its_module(fault: str) -> None:
    rule, spoil = FAULTS[fault]
    model = sparse(fault.partition(":")[0])
    spoil(model)
    found = audited(model)
    (finding,) = found.findings
    tensor = f"{SPOILT}.bitmask" if rule == "orphan_scale" else SPOILT
    assert (finding.rule, finding.where.tensor) == (rule, tensor)


def test_codes_in_a_run_are_not_decoded_and_no_fault() -> None:
    model = sparse("run")
    for module in MODULES:
        name = f"{module}.compressed"
        model.tensors[name] = np.ones(model.tensors[name].shape, np.int8)
        model.tensors[f"{module}.weight_scale"] = np.ones((32, 1), np.float32)
    weights = {"num_bits": 8, "type": "int", "strategy": "channel"}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    model.config["quantization_config"] = {
        "quant_method": "compressed-tensors", "format": "int-quantized", "config_groups": groups,
    }  # fmt: skip
    found = audited(model)
    assert set(rules_of(found)) == {"not_decoded"}
    assert "I8 codes in a run (sparse-bitmask) are not decoded" in found.findings[0].message


def test_a_run_of_more_axes_is_not_decoded_and_no_fault() -> None:
    model = sparse("run")
    stored = compressed(thinned((4, 8, 64), 0.5))
    model.tensors |= {f"{SPOILT}{end}": one for end, one in stored.items()}
    (finding,) = audited(model).findings
    assert (finding.rule, finding.where.tensor) == ("not_decoded", SPOILT)
    assert finding.message.endswith("sparse-bitmask of 3 axes is not decoded: [4, 8, 8]")


@pytest.mark.parametrize("form", ["run", "two of four"])
def test_a_look_at_places_reads_masks_and_no_value(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of large masks some rows, others each turn; of small ones all, as all are few bytes."""
    monkeypatch.setattr("inspector.analysis.quant.sample._WHOLE_WEIGHT", 512)
    monkeypatch.setattr("inspector.analysis.quant.sample._PIECE", 100)
    model = sparse(form, rows=640)
    looks = looks_of(model, sample=3)
    assert [look.rows for look in looks] == [(128, 256), (384, 512), (0, 128)] * 2
    checkpoint, source = opened(model)
    facts = audit_facts(checkpoint.weights, checkpoint.claim)
    looks = facts.looks(3)
    tensors = checkpoint.catalog.rows(checkpoint.catalog.all_rows)
    values = [tensor for tensor in tensors if tensor.name.endswith(".compressed")]
    planned = set(spans_of(looks))
    source.reads.clear()
    for look in looks:
        assert look_into(look, checkpoint.reader) == Evidence(bitmasks=1)
    assert set(source.reads) == planned
    assert len(planned) == len(looks) * (len(looks[0].weight.states) + 11)
    assert not [
        one for one in planned if any(_meets(one, value.shard, value.span) for value in values)
    ]


def test_a_sample_of_none_reads_no_mask() -> None:
    assert looks_of(sparse("run"), sample=0) == []


def looks_of(model: Model, sample: int | None) -> list[Look]:
    checkpoint, _ = opened(model)
    return audit_facts(checkpoint.weights, checkpoint.claim).looks(sample)


def _meets(read: tuple[str, Span], shard: str, span: Span) -> bool:
    return read[0] == shard and read[1].start < span.stop and span.start < read[1].stop
