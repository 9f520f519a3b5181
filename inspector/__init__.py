"""Look into open-weight checkpoints by byte range, without the download.

    >>> from inspector import open_checkpoint
    >>> with open_checkpoint("sample_shards/s1-pro-mini") as model:
    ...     model["layers.1.mlp.experts.20.up_proj"].rows(0, 8).shape
    (8, 256)

Everything that is public is named here, and is loaded when it is first asked for.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from inspector.analysis.params.terms import Conventions, Included
    from inspector.catalog import TensorRow
    from inspector.errors import (
        AccessDenied,
        BudgetExceeded,
        ConfigError,
        DecodeError,
        DeviceNotThere,
        FormatError,
        InspectorError,
        LayoutError,
        NameNotFound,
        ObjectNotFound,
        OutputError,
        Place,
        Problem,
        RangeNotHonored,
        Severity,
        SourceChanged,
        SourceError,
        UsageError,
    )
    from inspector.library import (
        AuditReport,
        CheckReport,
        CompareReport,
        DequantReport,
        OpenCheckpoint,
        ParamsReport,
        Report,
        SimilarityReport,
        TensorTable,
        Weight,
        open_checkpoint,
        read_report,
    )
    from inspector.version import __version__

__all__ = [
    "AccessDenied",
    "AuditReport",
    "BudgetExceeded",
    "CheckReport",
    "CompareReport",
    "ConfigError",
    "Conventions",
    "DecodeError",
    "DequantReport",
    "DeviceNotThere",
    "FormatError",
    "Included",
    "InspectorError",
    "LayoutError",
    "NameNotFound",
    "ObjectNotFound",
    "OpenCheckpoint",
    "OutputError",
    "ParamsReport",
    "Place",
    "Problem",
    "RangeNotHonored",
    "Report",
    "Severity",
    "SimilarityReport",
    "SourceChanged",
    "SourceError",
    "TensorRow",
    "TensorTable",
    "UsageError",
    "Weight",
    "__version__",
    "open_checkpoint",
    "read_report",
]

_ELSEWHERE: Final = MappingProxyType(
    {
        "Conventions": "inspector.analysis.params.terms",
        "Included": "inspector.analysis.params.terms",
        "TensorRow": "inspector.catalog",
        "__version__": "inspector.version",
    }
)
_LIBRARY: Final = "inspector.library"
_ERRORS: Final = "inspector.errors"


def __getattr__(name: str) -> object:
    """A public name, loaded now: `--help` must not wait for numpy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    errors = import_module(_ERRORS)
    if name in _ELSEWHERE:
        found: object = getattr(import_module(_ELSEWHERE[name]), name)
    else:
        found = getattr(errors if hasattr(errors, name) else import_module(_LIBRARY), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
