"""Headers that were valid once: files of a few small tensors, damaged where it may hurt a parser.

Everything is drawn from a `random.Random`, so that a seed gives the same files on every machine and
hypothesis can shrink them.
"""

import json
import math
import re
from random import Random
from typing import Final

_DTYPE_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "BF16": 16, "F16": 16, "I32": 32, "F32": 32, "C64": 64, "U64": 64,
}  # fmt: skip
_NAMES: Final = (
    "a",
    "b",
    "layers.0.w",
    "layers.10.w",
    "",
    "é",
    "\U0001f600",
    "a-0",
    "dtype",
    "__metadata",
)
_TOKEN: Final = re.compile(
    rb'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[\[\]{}:,]|[^"\[\]{}:,\d]+|.', re.DOTALL
)
_NUMBERS: Final = (
    b"0", b"1", b"2", b"3", b"4", b"7", b"8", b"16", b"127", b"255", b"-1", b"-0", b"-0.0", b"1.0",
    *(b"%d" % (2**bits + add) for bits in (31, 32, 53, 61, 62, 63, 64) for add in (-1, 0, 1)),
    *(b"%d" % 10**digits for digits in (308, 309, 400)), b"1e0", b"1e300", b"1E400", b"-1e-400",
    b"00", b"0x1", b"1_0", b"+1", b".5", b"1.", b"1e", b"NaN", b"Infinity", b"-Infinity",
)  # fmt: skip
_VALUES: Final = (
    b"null", b"true", b"[]", b"{}", b"[[]]", b"[0]", b"[0,4]", b"[4,0]", b"[1,1,1]", b'""',
    b'"F32"', b'"f32"', b'"U8"', b'"F8_E4M3FN"', b'{"U8":null}', b'["U8",[1],[0,1]]',
    b'{"a":"b"}', b'{"a":1}', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"',
    b'"\\u0061"', b'"\x01"', b'"\xff"', b'"\xed\xa0\x80"', b"[" * 3000,
    b"[" * 120 + b"]" * 120, b"[" * 126 + b"]" * 126,
)  # fmt: skip
_BYTES: Final = (
    b"", b" ", b"\n", b"\t", b"\r", b"\x0c", b"\x00", b"\xff", b"\xc3", b"\xef\xbb\xbf", b'"',
    b"\\", b"{", b"}", b"[", b"]", b",", b":", b"-", b"0", b"9", b".", b"e", b"/", b"*", b"'",
)  # fmt: skip
_KEYS: Final = (
    b'"__metadata__"', b'"dtype"', b'"shape"', b'"data_offsets"', b'"a"', b'"b"', b'"x"',
    b'"\\u0061"', b'"\\u005f_metadata__"', b'"d\\u0074ype"',
)  # fmt: skip


def mutated_file(random: Random) -> bytes:
    """A file whose header was valid before up to three mutations; one in eight still is."""
    text, data_bytes = _valid_header(random)
    for _ in range(random.choice((0, 1, 1, 1, 1, 2, 2, 3))):
        text, data_bytes = random.choice(_MUTATIONS)(random, text, data_bytes)
    length = len(text)
    if random.randrange(16) == 0:
        length = random.choice(
            (0, length - 1, length + 1, length + 8, 10**8, 10**8 + 1, 2**40, 2**64 - 1)
        )
    content = (length % 2**64).to_bytes(8, "little") + text + bytes(data_bytes)
    return content[: random.randrange(12)] if random.randrange(64) == 0 else content


def _valid_header(random: Random) -> tuple[bytes, int]:
    """The text of a sound header, and how many bytes of data it describes."""
    members: dict[str, object] = {}
    if random.randrange(3) == 0:
        members["__metadata__"] = {"format": "pt"} if random.randrange(3) else {}
    stop = 0
    for name in random.sample(_NAMES, random.randrange(6)):
        dtype = random.choice(tuple(_DTYPE_BITS))
        shape = [random.randrange(4) for _ in range(random.randrange(4))]
        if math.prod(shape) * _DTYPE_BITS[dtype] % 8:
            shape.append(4)
        start, stop = stop, stop + math.prod(shape) * _DTYPE_BITS[dtype] // 8
        members[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}
    style = random.randrange(4)
    text = json.dumps(
        members,
        separators=(", ", ": ") if style == 0 else (",", ":"),
        ensure_ascii=style == 1,
    ).encode()
    return (text.ljust(-(-len(text) // 8) * 8) if style == 2 else text), stop


def _change_bytes(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    at = random.randrange(len(text) + 1)
    width = random.randrange(3)
    new = bytes([random.randrange(256)]) if random.randrange(2) else random.choice(_BYTES)
    return text[:at] + new + text[at + width :], data_bytes


def _flip_bit(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    if not text:
        return text, data_bytes
    at = random.randrange(len(text))
    flipped = text[at] ^ (1 << random.randrange(8))
    return text[:at] + bytes([flipped]) + text[at + 1 :], data_bytes


def _cut(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    return text[: random.randrange(len(text) + 1)], data_bytes


def _resize(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    return text, max(0, data_bytes + random.choice((-8, -4, -1, 1, 4, 8)))


def _pad(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    padding = random.choice((b" ", b"        ", b"\n", b"\t\r\n", b"\x00", b"\x0c", b"{}"))
    return (padding + text if random.randrange(3) == 0 else text + padding), data_bytes


def _replace_number(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    tokens = _TOKEN.findall(text)
    places = [at for at, token in enumerate(tokens) if token[:1].isdigit()]
    if not places:
        return text, data_bytes
    at = random.choice(places)
    if random.randrange(2) and tokens[at].isdigit():
        tokens[at] = str(max(0, int(tokens[at]) + random.choice((-4, -1, 1, 4)))).encode()
    elif random.randrange(3) == 0:
        other = random.choice(places)
        tokens[at], tokens[other] = tokens[other], tokens[at]
    else:
        tokens[at] = random.choice(_NUMBERS)
    return b"".join(tokens), data_bytes


def _change_tokens(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    tokens = _TOKEN.findall(text)
    if not tokens:
        return text, data_bytes
    at, other = random.randrange(len(tokens)), random.randrange(len(tokens))
    match random.randrange(5):
        case 0:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        case 1:
            del tokens[at]
        case 2:
            tokens.insert(other, tokens[at])
        case 3:
            tokens[at] = random.choice(_VALUES)
        case _:
            tokens[at] = random.choice(_KEYS)
    return b"".join(tokens), data_bytes


def _double_member(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    """A member of some object once more, in its own object or in another."""
    members = [*_MEMBER.finditer(text)]
    if not members:
        return text, data_bytes
    chosen = random.choice(members)
    after = random.choice((chosen, random.choice(members)))
    return text[: after.end()] + b"," + chosen[0] + text[after.end() :], data_bytes


def _add_member(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    places = [match.end() for match in re.finditer(rb"\{(?=\s*\")", text)]
    if not places:
        return text, data_bytes
    at = random.choice(places)
    value = random.choice((*_VALUES, *_NUMBERS))
    return text[:at] + random.choice(_KEYS) + b":" + value + b"," + text[at:], data_bytes


def _escape_letter(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    places = [match.start() for match in re.finditer(rb"[A-Za-z_]", text)]
    if not places:
        return text, data_bytes
    at = random.choice(places)
    return text[:at] + b"\\u%04x" % text[at] + text[at + 1 :], data_bytes


def _swap_members(random: Random, text: bytes, data_bytes: int) -> tuple[bytes, int]:
    """Two members change places: harmless at the top, or a field where a tensor was."""
    members = [*_MEMBER.finditer(text)]
    if len(members) < 2:
        return text, data_bytes
    one, two = sorted(random.sample(members, 2), key=lambda match: match.start())
    if one.end() > two.start():
        return text, data_bytes
    between = text[one.end() : two.start()]
    return text[: one.start()] + two[0] + between + one[0] + text[two.end() :], data_bytes


_MEMBER: Final = re.compile(rb'"(?:[^"\\]|\\.)*"\s*:\s*(?:\{[^{}]*\}|\[[^\[\]]*\]|"[^"]*"|\d+)')
_MUTATIONS: Final = (
    _change_bytes, _flip_bit, _cut, _resize, _pad, _replace_number, _replace_number, _change_tokens,
    _change_tokens, _double_member, _add_member, _escape_letter, _swap_members,
)  # fmt: skip
