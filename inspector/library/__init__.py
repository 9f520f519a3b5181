"""The commands as a library: an open checkpoint, its tensors and weights, reports of it.

`inspector` has the names that are public; it loads this package when one is first asked for.
"""

from inspector.library.model import OpenCheckpoint
from inspector.library.opening import open_checkpoint
from inspector.library.reports import (
    AuditReport,
    CheckReport,
    CompareReport,
    DequantReport,
    ParamsReport,
    Report,
    SimilarityReport,
    read_report,
)
from inspector.library.tensors import TensorTable
from inspector.library.weight import Weight

__all__ = [
    "AuditReport",
    "CheckReport",
    "CompareReport",
    "DequantReport",
    "OpenCheckpoint",
    "ParamsReport",
    "Report",
    "SimilarityReport",
    "TensorTable",
    "Weight",
    "open_checkpoint",
    "read_report",
]
