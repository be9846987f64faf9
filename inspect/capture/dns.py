"""DNS messages in a few words: the question and, in an answer, what came of it (RFC 1035).  Pure."""

from __future__ import annotations

import socket
import struct

from dnet_tui.inspect.text.sanitize import clean

_TYPES = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    64: "SVCB",
    65: "HTTPS",
    255: "ANY",
}
_CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_SHOWN = 3  # answers
_MAX_NAME = 255
_MAX_RECORDS = 16


def decode_dns(data: bytes) -> str:
    """Such as ``DNS query 7 A example.org``, ``DNS answer 7 A example.org 203.0.113.7``; empty for other bytes.

    Never raises.
    """
    try:
        ident, flags, questions, answers = struct.unpack_from("!HHHH", data, 0)
        if questions == 0 and answers == 0:
            return ""
        at, words = 12, [f"DNS {'answer' if flags & 0x8000 else 'query'} {ident}"]
        if questions:
            name, at = read_name(data, at)
            (kind,) = struct.unpack_from("!H", data, at)
            at += 4
            words.append(f"{_TYPES.get(kind, f'TYPE{kind}')} {name}")
        if flags & 0x8000:
            words.append(_outcome(data, at, flags & 0x0F, answers if questions <= 1 else 0))
    except (struct.error, IndexError, ValueError):
        return "DNS [truncated]"
    return " ".join(word for word in words if word)


def _outcome(data: bytes, at: int, code: int, answers: int) -> str:
    if code:
        return _CODES.get(code, f"code {code}")
    shown: list[str] = []
    for _ in range(min(answers, _MAX_RECORDS)):
        try:
            _, at = read_name(data, at)
            kind, _, _, size = struct.unpack_from("!HHIH", data, at)
            value = data[at + 10 : at + 10 + size]
            if kind in (1, 28) and len(value) == (4 if kind == 1 else 16):
                shown.append(socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, value))
            elif kind == 5:
                shown.append(f"CNAME {read_name(data, at + 10)[0]}")
        except (struct.error, IndexError, ValueError):
            break
        at += 10 + size
    more = f" (+{answers - _SHOWN})" if answers > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more if shown else f"{answers} records"


def read_name(data: bytes, at: int) -> tuple[str, int]:
    """A name and where what follows it begins.  Pointers only lead backwards, so a loop can't be built.

    Raises:
        ValueError: it is no name.
        IndexError: it is cut off.
    """
    labels: list[str] = []
    after, size, limit = -1, 0, at
    while (length := data[at]) != 0:
        if length & 0xC0 == 0xC0:
            target = (length & 0x3F) << 8 | data[at + 1]
            if after < 0:
                after = at + 2
            if target >= limit:
                raise ValueError
            at = limit = target
            continue
        label = data[at + 1 : at + 1 + length]
        size += length + 1
        if length & 0xC0 or len(label) < length or size > _MAX_NAME:
            raise ValueError
        labels.append(label.decode("ascii", "backslashreplace").replace(".", "\\."))
        at += 1 + length
    return clean(".".join(labels)) or ".", (after if after >= 0 else at + 1)
