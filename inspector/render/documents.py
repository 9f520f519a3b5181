"""The view of any document, also of one that was read back from JSON."""

from inspector.analysis.compare.report import CompareDocument
from inspector.analysis.documents import Answer
from inspector.analysis.expert_report import SimilarityDocument
from inspector.analysis.integrity import CheckDocument
from inspector.analysis.params.report import ParamsDocument
from inspector.analysis.quant.report import AuditDocument
from inspector.render.audit import audit_view
from inspector.render.check import check_view
from inspector.render.compare import compare_view
from inspector.render.params import params_view
from inspector.render.similarity import similarity_view
from inspector.render.values import values_view
from inspector.render.view import View


def view_of(document: Answer, *, limit: int | None = None) -> View:
    """What the command that wrote a document shows; `limit` as its own."""
    if isinstance(document, AuditDocument):
        return audit_view(document, limit=limit)
    if isinstance(document, CheckDocument):
        return check_view(document, limit=limit)
    if isinstance(document, CompareDocument):
        return compare_view(document, differences_only=False)
    if isinstance(document, SimilarityDocument):
        return similarity_view(document, limit=limit)
    if isinstance(document, ParamsDocument):
        return params_view(document)
    return values_view(document)
