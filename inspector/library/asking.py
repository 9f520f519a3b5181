"""Questions about one checkpoint, or several counted side by side, and the reports of them."""

from collections.abc import Sequence

from inspector.analysis.integrity import check_document
from inspector.analysis.params.report import params_document
from inspector.analysis.params.terms import Conventions
from inspector.analysis.quant.audit import audit_facts
from inspector.analysis.quant.chosen import Chosen
from inspector.analysis.quant.summary import audit_document, module_rows
from inspector.analysis.report import Model
from inspector.analysis.values import Looks, dequant_document, examine_weight
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.auditing import allowance_of, audit_checkpoint
from inspector.checkpoint.counting import params_of
from inspector.layout.weights import Weight
from inspector.library.reports import (
    AuditReport,
    CheckReport,
    DequantReport,
    ParamsReport,
    report_of,
)
from inspector.library.spending import Spending


def dequant_report(
    checkpoint: Checkpoint, weights: Sequence[Weight], spending: Spending
) -> DequantReport:
    """One pass over each of the weights; `spending` counts from when they were looked for."""
    looks, reader = Looks(norms=True), checkpoint.reader
    seen = [examine_weight(one, reader, (0, one.rows), looks=looks) for one in weights]
    document = dequant_document(seen, None, checkpoint.model, spending.cost, checkpoint.problems)
    return report_of(document, DequantReport)


def check_report(checkpoint: Checkpoint) -> CheckReport:
    """Every header, the index, the sizes."""
    spending = Spending([checkpoint.ledger])
    found, source = checkpoint.examine(), checkpoint.source
    model = Model(
        location=source.location, kind=source.kind, commit=source.commit, files=len(found.files)
    )
    return report_of(check_document(found, model, spending.cost), CheckReport)


def audit_report(checkpoint: Checkpoint, chosen: Chosen, sample: int | None) -> AuditReport:
    """Of the modules that are chosen; `sample` weights of each family are looked into."""
    spending = Spending([checkpoint.ledger])
    checkpoint.take_shapes()
    facts = audit_facts(checkpoint.weights, checkpoint.claim, chosen)
    found = audit_checkpoint(
        checkpoint, facts, facts.looks(sample), allowed=allowance_of(checkpoint)
    )
    document = audit_document(found, checkpoint.model, spending.cost, checkpoint.problems)
    return report_of(document, AuditReport, modules=list(module_rows(found)))


def params_report(
    checkpoints: Sequence[Checkpoint],
    conventions: Conventions,
    *,
    context: int | None,
    config_only: bool,
) -> ParamsReport:
    """Of the first checkpoint, the others beside it."""
    spending = Spending([one.ledger for one in checkpoints])
    found = [
        params_of(one, conventions, context=context, config_only=config_only) for one in checkpoints
    ]
    problems = [problem for one in checkpoints for problem in one.problems]
    document = params_document(found, conventions, spending.cost, problems)
    return report_of(document, ParamsReport)
