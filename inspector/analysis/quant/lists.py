"""The list of modules left alone against what is stored. Pure.

The list is read as its dialect defines it; how loaders read it is `loaders/`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from inspector.analysis.name_lists import name_patterns
from inspector.analysis.quant.modules import KINDS, Mask, Members, Modules, other_names
from inspector.analysis.quant.rules import finding
from inspector.config.quantization import EVERY_LINEAR, Dialect, QuantConfig
from inspector.config.skip_list import SkipList, Syntax
from inspector.errors import Problem
from inspector.layout.modules import CLASS_KINDS, QUANTIZABLE, ModuleKind

_NO_LIST: Final = SkipList((), Syntax.NAME)

_CLASS_NAME: Final = re.compile(r"[A-Z]\w*")
"""Modules are named in small letters, and their classes are not."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list covers: `[n]` modules, and by which entries those stored quantized are."""

    modules: Mask
    quantized_by: dict[int, list[int]]
    entries_used: Mask
    entries_on_unquantized: Mask

    def take(self, members: Members) -> "Listed":
        """The same of some modules; what the entries cover stays what it is of all."""
        quantized_by = {
            at: self.quantized_by[member]
            for at, member in enumerate(members.tolist())
            if member in self.quantized_by
        }
        return replace(self, modules=self.modules[members], quantized_by=quantized_by)


def covered_by(modules: Modules, claim: QuantConfig | None) -> Listed:
    """Which modules the list of a claim covers; none where there is no list."""
    skip = claim.skip if claim else _NO_LIST
    classes = _classes(claim) if claim else {}
    listed = np.zeros(len(modules), dtype=np.bool_)
    used = np.zeros(len(skip), dtype=np.bool_)
    on_unquantized = np.zeros(len(skip), dtype=np.bool_)
    quantized_by = {}
    counts = modules.of_kinds(QUANTIZABLE | {ModuleKind.ROUTER, ModuleKind.HEAD})
    used[list(classes)] = True
    kinds = modules.kind_ids.tolist()
    for member, name in enumerate(modules.names() if len(skip) else ()):
        entries = skip.covering(name)
        entries += [at for at, of_class in classes.items() if KINDS[kinds[member]] in of_class]
        if not entries:
            continue
        listed[member] = True
        used[entries] = True
        if modules.quantized[member]:
            quantized_by[member] = entries
        elif counts[member]:
            on_unquantized[entries] = True
    return Listed(listed, quantized_by, used, on_unquantized)


def _classes(claim: QuantConfig) -> dict[int, frozenset[ModuleKind]]:
    """The entries that name a class, by position, and the kinds of modules that are of it.

    compressed-tensors reads an entry as a name or as a class (0.20 `utils/match.py`, `is_match`).
    Of which class a module is, names tell for a few classes only: any other covers nothing here.
    """
    if claim.dialect is not Dialect.COMPRESSED_TENSORS:
        return {}
    return {
        at: CLASS_KINDS.get(entry, frozenset())
        for at, entry in enumerate(claim.skip.entries)
        if _CLASS_NAME.fullmatch(entry)
    }


def check_list(
    modules: Modules, claim: QuantConfig, listed: Listed, unlisted: Mask
) -> Iterator[Problem]:
    """Findings on what the list covers and does not, each cause once; dead entries are apart.

    A module that is listed and quantized is the fault of the entry where that covers unquantized
    modules too, else its own.
    """
    by_wide_entry: dict[int, list[int]] = {}
    blamed = np.zeros(len(modules), dtype=np.bool_)
    for member, entries in listed.quantized_by.items():
        narrow = [entry for entry in entries if not listed.entries_on_unquantized[entry]]
        blamed[member] = bool(narrow)
        if not narrow:
            by_wide_entry.setdefault(entries[0], []).append(member)
    yield from _listed_but_quantized(modules, blamed)
    for entry, members in by_wide_entry.items():
        yield _ambiguous(modules, claim, entry, members)
    yield from _unlisted(modules, unlisted)


def unlisted_but_unquantized(modules: Modules, claim: QuantConfig | None, listed: Listed) -> Mask:
    """`[n]` modules that nothing leaves out, and that are stored unquantized.

    Where there is a list, every linear layer and expert that it does not cover is to be quantized;
    where there is none, one whose like in other layers is.
    """
    if claim is None or claim.dialect is None:
        return np.zeros(len(modules), dtype=np.bool_)
    kinds = QUANTIZABLE if claim.dialect is not Dialect.MXFP4 else {ModuleKind.EXPERTS}
    candidates = modules.of_kinds(frozenset(kinds)) & ~listed.modules & ~modules.quantized
    if claim.skip_key is not None:
        return candidates & _targeted(modules, claim)
    has_quantized_like = np.zeros(len(modules), dtype=np.bool_)
    for _, members in modules.by_template(np.arange(len(modules))):
        has_quantized_like[members] = modules.quantized[members].any()
    return candidates & has_quantized_like


def _targeted(modules: Modules, claim: QuantConfig) -> Mask:
    """Which modules any group of the config is for."""
    targets = [target for group in claim.groups for target in group.targets]
    if not targets or EVERY_LINEAR in targets:
        return np.ones(len(modules), dtype=np.bool_)
    named = SkipList(targets, Syntax.NAME)
    return np.array([bool(named.covering(name)) for name in modules.names()], dtype=np.bool_)


def _listed_but_quantized(modules: Modules, blamed: Mask) -> Iterator[Problem]:
    for pattern, members in modules.families(np.flatnonzero(blamed)):
        yield finding(
            "listed_but_quantized", pattern, "in the list of modules left alone, and quantized",
            expected="stored unquantized", found=f"{_dtypes(modules, members)} x{len(members):,}",
        )  # fmt: skip


def _unlisted(modules: Modules, mask: Mask) -> Iterator[Problem]:
    for pattern, members in modules.families(np.flatnonzero(mask)):
        yield finding(
            "unlisted_but_unquantized", pattern, "not left out by the config, and not quantized",
            expected="stored quantized, or an entry in the list",
            found=f"{_dtypes(modules, members)} x{len(members):,}",
        )  # fmt: skip


def _ambiguous(modules: Modules, claim: QuantConfig, entry: int, members: list[int]) -> Problem:
    covered = ", ".join(pattern for pattern, _ in modules.families(np.array(members)))
    return finding(
        "ambiguous_skip_entry", None,
        f"{claim.skip.entries[entry]!r} covers unquantized modules, and {covered}",
        expected="an entry that covers unquantized modules only",
        found=f"{len(members):,} quantized modules covered too",
    )  # fmt: skip


def dead_entries(modules: Modules, claim: QuantConfig | None, listed: Listed) -> Iterator[Problem]:
    """Entries that cover no module, no parameter and nothing that holds modules.

    Of all modules of the checkpoint: the list is one for all of them.
    """
    if claim is None or claim.dialect is None:
        return
    unused = np.flatnonzero(~listed.entries_used).tolist()
    if not unused:
        return
    rest = SkipList([claim.skip.entries[entry] for entry in unused], claim.skip.syntax)
    alive: set[int] = set()
    for name in other_names(modules):
        alive.update(rest.covering(name))
    dead = [rest.entries[at] for at in range(len(rest)) if at not in alive]
    for pattern in name_patterns(dead):
        yield finding(
            "dead_skip_entry", None, f"{pattern.name} names nothing in this checkpoint",
            expected="a module or parameter of that name",
            found=f"none for {pattern.entries:,} {'entry' if pattern.entries == 1 else 'entries'}",
        )  # fmt: skip


def _dtypes(modules: Modules, members: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
    catalog = modules.catalog
    ids = np.unique(catalog.dtype_ids[modules.rows[members]]).tolist()
    return ", ".join(str(catalog.dtypes[at]) for at in ids)
