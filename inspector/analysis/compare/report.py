"""`compare` as a report: the differences of two models, each also a finding. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inspector.analysis.compare.aligned import Aligned, Label
from inspector.analysis.compare.config_diff import ConfigRow, Status, config_rows
from inspector.analysis.compare.derived import Derived, derived
from inspector.analysis.compare.files import FileRow, FilesDiff, SideFiles, files_diff
from inspector.analysis.compare.lineage import Lineage
from inspector.analysis.compare.rules import COMPARE_RULES
from inspector.analysis.compare.tensor_diff import TensorRow, TensorsDiff, tensors_diff
from inspector.analysis.compare.weight_diff import (
    Equal,
    WeightRow,
    WeightSummary,
    summaries,
)
from inspector.analysis.config_meaning import Section
from inspector.analysis.params.report import ModelParams, model_params
from inspector.analysis.params.terms import Conventions
from inspector.analysis.report import Cost, Document, Model
from inspector.catalog import Catalog
from inspector.config import ModelConfig
from inspector.errors import ConfigError, Place, Problem


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of one of the two models."""

    model: Model
    config: ModelConfig | None
    catalog: Catalog | None
    aligned: Mapping[Label, Aligned] | None
    files: SideFiles


@dataclass(frozen=True, slots=True)
class Weighed:
    """What was read of weights: pairs compared, names that cannot be decoded, the lineage."""

    weights: Sequence[WeightRow] = ()
    left_out: Sequence[str] = ()
    lineage: Lineage | None = None


class ParametersDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of both, and the quantities that their configs imply."""

    model: ModelParams | None
    ref: ModelParams | None
    derived: list[Derived]


class WeightGroups(msgspec.Struct, frozen=True, kw_only=True):
    """The compared weights by component and by layer."""

    by_component: list[WeightSummary]
    by_layer: list[WeightSummary]


class CompareDocument(Document, frozen=True, kw_only=True):
    """`s1inspect compare --json`. `ref` is the other checkpoint; what could not be told is null.

    `left_out` names the weights of both that cannot be decoded, and are not compared.
    """

    ref: Model
    config: list[ConfigRow]
    parameters: ParametersDiff
    files: FilesDiff
    tensors: TensorsDiff | None
    lineage: Lineage | None
    weight_groups: WeightGroups
    left_out: list[str]
    weights: list[WeightRow]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that was compared."""

    config: list[ConfigRow]
    parameters: ParametersDiff
    files: FilesDiff
    tensors: TensorsDiff | None
    weights: list[WeightRow]
    left_out: list[str]
    lineage: Lineage | None

    @property
    def weight_groups(self) -> WeightGroups:
        return WeightGroups(
            by_component=summaries(self.weights, by_layer=False),
            by_layer=summaries(self.weights, by_layer=True),
        )


def compare_sides(
    model: Side,
    ref: Side,
    weighed: Weighed,
    conventions: Conventions,
) -> Comparison:
    """How two models differ, from what is known of each."""
    ours, theirs = (side.config.raw if side.config else {} for side in (model, ref))
    tensors = None
    if model.aligned is not None and ref.aligned is not None:
        tensors = tensors_diff(model.aligned, ref.aligned)
    return Comparison(
        config=config_rows(ours, theirs),
        parameters=ParametersDiff(
            model=_params(model, conventions),
            ref=_params(ref, conventions),
            derived=derived(model.config, ref.config),
        ),
        files=files_diff(model.files, ref.files),
        tensors=tensors,
        weights=list(weighed.weights),
        left_out=list(weighed.left_out),
        lineage=weighed.lineage,
    )


def compare_document(
    found: Comparison, models: tuple[Model, Model], cost: Cost, problems: Sequence[Problem]
) -> CompareDocument:
    """The document of a comparison; its findings are the problems of both, then the differences."""
    model, ref = models
    return CompareDocument(
        schema="s1inspect/compare/1",
        model=model,
        cost=cost,
        findings=[*problems, *differences_of(found)],
        ref=ref,
        config=found.config,
        parameters=found.parameters,
        files=found.files,
        tensors=found.tensors,
        lineage=found.lineage,
        weight_groups=found.weight_groups,
        left_out=found.left_out,
        weights=found.weights,
    )


def _params(side: Side, conventions: Conventions) -> ModelParams | None:
    """The parameters of a side; None where its config says too little, and there are no weights."""
    if side.config is None and side.catalog is None:
        return None
    try:
        return model_params(side.model, side.config, side.catalog, conventions)
    except ConfigError:
        return None


def differences_of(found: Comparison) -> list[Problem]:
    """Every difference as a finding, under the rules of `COMPARE_RULES`."""
    return [
        *_of_config(found.config),
        *_of_files(found.files),
        *_of_tensors(found.tensors),
        *_of_weights(found.weights),
    ]


def _of_config(rows: Sequence[ConfigRow]) -> Iterator[Problem]:
    for row in rows:
        if row.status == Status.SAME:
            continue
        rule = "config_changed" if row.status == Status.CHANGED else "config_in_one"
        if row.section == Section.REST:
            rule = "config_beside"
        yield _problem(rule, Place(shard="config.json"), row.path, row.model, row.ref)


def _of_files(files: FilesDiff) -> Iterator[Problem]:
    for name in files.only_model:
        yield _problem("file_in_one", Place(shard=name), name, "there", None)
    for name in files.only_ref:
        yield _problem("file_in_one", Place(shard=name), name, None, "there")
    rules = (("setting_changed", files.generation), ("special_token_changed", files.special))
    for rule, rows in rules:
        yield from (_of_row(rule, row) for row in rows if row.status != Status.SAME)
    for row in files.tokens:
        yield _of_row("token_changed" if row.status == Status.CHANGED else "token_in_one", row)
    ours, theirs = files.chat_template_model, files.chat_template_ref
    if ours and theirs and ours.has_thinking_switch != theirs.has_thinking_switch:
        switches = ours.has_thinking_switch, theirs.has_thinking_switch
        yield _problem(
            "thinking_switch", Place(shard="chat_template"), "enable_thinking", *switches
        )


def _of_row(rule: str, row: FileRow) -> Problem:
    return _problem(rule, Place(shard=row.file), row.key, row.model, row.ref)


def _of_tensors(tensors: TensorsDiff | None) -> Iterator[Problem]:
    if tensors is None:
        return
    for row in (*tensors.only_model, *tensors.only_ref):
        yield _of_tensor("tensor_in_one", row)
    for row in tensors.changed:
        yield _of_tensor("tensor_shape" if "shape" in row.differs else "tensor_storage", row)


def _of_tensor(rule: str, row: TensorRow) -> Problem:
    sides = [
        side and f"{row.tensors:,} x {side.dtype} {list(side.shape)}"
        for side in (row.model, row.ref)
    ]
    return _problem(rule, Place(tensor=row.name), ", ".join(row.differs) or "tensors", *sides)


def _of_weights(weights: Sequence[WeightRow]) -> Iterator[Problem]:
    for row in weights:
        if row.equal in (Equal.BYTES, Equal.VALUES):
            continue
        rule = "weights_rounded" if row.equal == Equal.QUANTIZATION else "weights_changed"
        change = f"relative change {row.relative_change}"
        yield _problem(rule, Place(tensor=row.name), "weights", change, "relative change 0")


def _problem(rule: str, where: Place, what: str, model: object, ref: object) -> Problem:
    """A finding: the reference is what was expected, the model what was found."""
    severity, meaning = COMPARE_RULES[rule]
    return Problem(
        rule=rule,
        severity=severity,
        where=where,
        message=f"{what}: {meaning}",
        expected=_said(ref),
        found=_said(model),
    )


def _said(value: object) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
