"""Which code a measure depends on: its module and all that those import, within this project."""

import ast
import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def version_of(function: Callable[..., object]) -> str:
    """Sixteen digits of a sha256 over the sources of a function's module and of its imports.

    `__init__.py` of packages that are only passed through do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(sources_of(function.__module__)):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def sources_of(module: str) -> frozenset[Path]:
    """The files of a module and of everything it imports, in turn."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if path is None or name in found:
            continue
        found[name] = path
        waiting += _imports(ast.parse(path.read_bytes()))
    return frozenset(found.values())


def _imports(tree: ast.Module) -> Iterator[str]:
    """Names that may be modules, those of `from package import name` among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _path(module: str) -> Path | None:
    """The file of a module of this project."""
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
