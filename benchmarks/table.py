"""What a benchmark prints: a table of measurements, and the numbers to reach beside them."""

from collections.abc import Sequence


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in plain text; the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    print(title)
    for row in (columns, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(cells).rstrip())
    print()


def print_targets(targets: Sequence[tuple[str, float, str]]) -> None:
    """Numbers to reach: what, measured, and the bound as `>= 5` or `<= 0.6`."""
    for what, measured, bound in targets:
        verdict = "reached" if reaches(measured, bound) else "NOT reached"
        print(f"  {verdict}: {what} {measured:.3g}, to reach {bound}")
    print()


def reaches(measured: float, bound: str) -> bool:
    """Whether a measurement keeps a bound.

    >>> reaches(5.1, ">= 5"), reaches(0.7, "<= 0.6")
    (True, False)
    """
    relation, limit = bound.split()
    return measured >= float(limit) if relation == ">=" else measured <= float(limit)


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds, three digits."""
    value = seconds * 1000
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def megabytes(count: float) -> str:
    """Bytes as decimal megabytes, three digits."""
    value = count / 1e6
    return f"{value:.0f} MB" if value >= 100 else f"{value:.3g} MB"
