"""Foreign text made safe, and numbers for people. Names come out of strangers' files."""

import json
import unicodedata
from html import escape as html_escape
from typing import Final

_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, bidirectional overrides, surrogates, line separators: nothing that a name needs."""

_FORMULA_STARTS: Final = ("=", "+", "-", "@")


def escape(text: str) -> str:
    r"""Control and formatting characters as `\x1b` or `\u202e`; all else as it is.

    >>> escape("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter
        if unicodedata.category(letter) not in _UNSAFE_CATEGORIES
        else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in text
    )


def html_text(text: str) -> str:
    r"""Foreign text as text of a page, or as the value of an attribute in quotes.

    >>> html_text("<b>\x1b")
    '&lt;b&gt;\\x1b'
    """
    return html_escape(escape(text))


def json_safe(text: str) -> str:
    r"""The same JSON with what `escape` would change as `\u` escapes; JSON demands few of them.

    >>> json_safe('["a\u202eb"]')
    '["a\\u202eb"]'
    """
    if text.isascii() and "\x7f" not in text:
        return text
    unsafe = {
        ord(letter): json.dumps(letter)[1:-1].replace("\x7f", "\\u007f")
        for letter in set(text)
        if letter != "\n" and unicodedata.category(letter) in _UNSAFE_CATEGORIES
    }
    return text.translate(unsafe) if unsafe else text


def csv_safe(text: str) -> str:
    """Text that a spreadsheet does not take for a formula.

    >>> csv_safe("=1+1")
    "'=1+1"
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def decimal_bytes(count: int) -> str:
    """Bytes in decimal units, three digits.

    >>> decimal_bytes(40_877_744), decimal_bytes(999), decimal_bytes(918_967_561_616)
    ('40.9 MB', '999 B', '919 GB')
    """
    if count < 1000:
        return f"{count} B"
    value, unit = count / 1e3, "kB"
    for larger in ("MB", "GB", "TB", "PB"):
        if value >= 999.5:
            value, unit = value / 1e3, larger
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"


def short_count(count: int) -> str:
    """A count in thousands, millions or billions, four digits.

    >>> short_count(916_895_660_360), short_count(512)
    ('916.9 B', '512')
    """
    if count < 10_000:
        return f"{count:,}"
    for limit, unit in ((1e6, "K"), (1e9, "M"), (1e12, "B")):
        if count < limit:
            return f"{count / (limit / 1000):.4g} {unit}"
    return f"{count / 1e12:.4g} T"


def counted(count: int, noun: str) -> str:
    """A count and its noun, in the plural where it is one.

    >>> counted(1, "file"), counted(184, "file")
    ('1 file', '184 files')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short_age(seconds: int) -> str:
    """How long ago, in the largest unit that it fills.

    >>> short_age(59), short_age(3600), short_age(200_000)
    ('59 s', '1 h', '2 d')
    """
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"


def plain_number(value: float | None) -> str:
    """A figure to four digits; nothing where there is none."""
    return "" if value is None else f"{value:.4g}"


def percent(share: float) -> str:
    """A share in percent, three digits.

    >>> percent(0.024391), percent(1.0), percent(0.0000442)
    ('2.44 %', '100 %', '0.00442 %')
    """
    return f"{100 * share:.3g} %"
