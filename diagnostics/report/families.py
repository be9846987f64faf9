"""One cause that is met by IPv4 and by IPv6 is one finding, which names both families.  Pure.

Engines and people write each rule twice, and a link or a sysctl has two sets
of addresses: what is said of one and of the other differs in addresses and in
the names of programs alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_interface
from typing import NamedTuple

import msgspec

from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.causality import SEVERITIES, STOPPED
from dnet_tui.diagnostics.report.finding import Evidence, Finding

BOTH = " (IPv4 and IPv6)"
_IPV6 = "ipv6"

_ADDRESS = re.compile(
    r"(?<![\w:.])(?:\[([0-9a-f:]+)\]|((?:\d{1,3}\.){3}\d{1,3}(?:/\d+)?)|([0-9a-f]*:[0-9a-f]*:[0-9a-f:]*(?:/\d+)?))"
)
_LIST = re.compile(r"→(, →)*( and \d+ more)?")
_MORE = re.compile(r" \(and (\d+) more\)")
_COUNTERS = re.compile(r"  \[\d+ packets, \d+ bytes\]")
_NUMBER = re.compile(r"\b([Rr]ule|metric) \d+|(?<= )\d+$")
_SPELLINGS = (
    ("ip6tables", "iptables"),
    ("icmp6-", "icmp-"),
    ("ipv6-icmp", "icmp"),
    ("icmpv6", "icmp"),
    ("icmp6", "icmp"),
    ("net.ipv6.", "net.ipv4."),
    ("ip -6 ", "ip "),
    ("ip6 ", "ip "),
    (" (IPv6)", ""),
    ("IPv4 ", ""),
    ("IPv6 ", ""),
    (" by IPv6", ""),
    (" for IPv6", ""),
    ("/128 dev lo", "/128"),
)
_CHAIN6 = re.compile(r"\b(ufw|DOCKER|csf)6(?=-)")
_OF_SIX = re.compile(r"ip6tables|ip -6 |\bip6 |IPv6|net\.ipv6\.|icmp6|icmpv6|bridge-nf-call-ip6")


class _Key(NamedTuple):
    """What two findings of one cause have in common; ``rules`` are the texts of the rules they show."""

    check: str
    owner: object
    subject: tuple[str, str]
    words: str
    rules: tuple[str, ...]
    remedy: object


def merged(findings: Sequence[Finding], networks: Iterable[str] = ()) -> list[Finding]:
    """The findings, where each that has a twin in the other family is one with it, in the place of the first.

    First those that speak of the very same ``networks``, then those of which one's are among the other's: not every
    network has both families.
    """
    names = frozenset(networks)
    once = _paired(findings, frozenset())
    return _paired(once, names) if names else once


def _paired(findings: Sequence[Finding], names: frozenset[str]) -> list[Finding]:
    """Those paired that only differ in family; with ``names`` also in which of these networks they speak of."""
    groups: defaultdict[_Key, dict[bool, list[int]]] = defaultdict(lambda: {False: [], True: []})
    for index, finding in enumerate(findings):
        six = _is_of_six(finding)
        if six is not None:
            groups[_key(finding, names)][six].append(index)
    done: dict[int, Finding | None] = {}
    for group in groups.values():
        fours, sixes = group[False], group[True]
        if len(fours) != len(sixes):
            continue
        for four, other in zip(fours, sixes, strict=True):
            if not names or _has_part(findings[four], findings[other], names):
                done[min(four, other)], done[max(four, other)] = _one(findings[four], findings[other]), None
    return [item for index, finding in enumerate(findings) if (item := done.get(index, finding)) is not None]


def _has_part(four: Finding, six: Finding, names: frozenset[str]) -> bool:
    """Whether the networks that the one speaks of are among those of the other."""
    mine, others = (names & set(re.findall(r"[\w.-]+", item.summary)) for item in (four, six))
    return bool(mine and others) and (mine <= others or others <= mine)


def _is_of_six(finding: Finding) -> bool | None:
    """Whether a finding is of IPv6 alone; None where it is of both."""
    if finding.summary.endswith(BOTH):
        return None
    said = [finding.summary, finding.subject.name]
    addresses = [address for text in said for address in _addresses(text)]
    if addresses:
        return any(":" in address for address in addresses)
    texts = [*said, *(text for item in _deciding(finding) for text in (item.source, item.what, item.value))]
    return _IPV6 in finding.symptoms or any(
        _OF_SIX.search(text) or any(":" in address for address in _addresses(text)) for text in texts
    )


def _deciding(finding: Finding) -> Iterator[Evidence]:
    return (item for item in finding.evidence if item.what != STOPPED)


def _key(finding: Finding, names: frozenset[str]) -> _Key:
    remedy = finding.remedy
    words, subject = _plain(_without_labels(finding)), _plain(finding.subject.name)
    return _Key(
        check=finding.check,
        owner=finding.owner,
        subject=(finding.subject.kind, _without_names(subject, names)),
        words=_without_names(words, names),
        rules=tuple(_plain(item.value) for item in _deciding(finding) if "tables-" in item.source),
        remedy=None if remedy is None else (remedy.risk, bool(remedy.steps), remedy.overrides),
    )


def _without_labels(finding: Finding) -> str:
    """The summary without the names of the flows that it begins with: not everybody has both families."""
    summary = finding.summary
    labels = [flow.label for flow in finding.flows]
    for label in sorted(set(labels), key=len, reverse=True):
        summary = summary.replace(label, "→")
    return _LIST.sub("→", summary)


def _without_names(text: str, names: frozenset[str]) -> str:
    """A text in which a list of networks says only that it is one."""
    if not names:
        return text
    each = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    one = rf"(?:{each})(?: \(#\))?"
    return re.sub(rf"(?<![\w-]){one}(?:, {one})*(?: …)?(?![\w-])", "~", text).replace("networks ", "network ")


def _plain(text: str) -> str:
    """A text without addresses, counts, and the words that tell the families apart."""
    text = _COUNTERS.sub("", text)
    for six, four in _SPELLINGS:
        text = text.replace(six, four)
    text = _CHAIN6.sub(r"\1", _MORE.sub("", text))
    return _NUMBER.sub(
        lambda found: found[1] or "", _ADDRESS.sub(lambda found: "#" if _is_address(found) else found[0], text)
    )


def _is_address(found: re.Match[str]) -> bool:
    try:
        ip_interface(_address(found))
    except ValueError:
        return False
    return True


def _address(found: re.Match[str]) -> str:
    return str(found[1] or found[2] or found[3])


def _addresses(text: str) -> list[str]:
    return [_address(found) for found in _ADDRESS.finditer(text) if _is_address(found)]


def _one(four: Finding, six: Finding) -> Finding:
    """Both as one: the words of IPv4's, with the other's addresses beside its own."""
    symptoms = tuple(dict.fromkeys(item for item in (*four.symptoms, *six.symptoms) if item != _IPV6))
    return msgspec.structs.replace(
        four,
        severity=min(four.severity, six.severity, key=lambda item: SEVERITIES[item]),
        summary=_both(four.summary, six.summary),
        symptoms=symptoms,
        evidence=tuple(dict.fromkeys((*four.evidence, *six.evidence))),
        remedy=_remedy(four.remedy, six.remedy),
        affects=tuple(dict.fromkeys((*four.affects, *six.affects))),
        flows=tuple(dict.fromkeys((*four.flows, *six.flows))),
    )


def _both(four: str, six: str) -> str:
    mine, others = _addresses(four), _addresses(six)
    more = [int(found[1]) for text in (four, six) if (found := _MORE.search(text))]
    text = _MORE.sub(f" (and {sum(more) + 1} more)", four) if more else four
    if len(mine) == len(others) == 1 and mine != others and f"{mine[0]}:" not in text:  # not where a port follows
        text = text.replace(mine[0], f"{mine[0]} and {others[0]}")
    return text.replace("IPv4 ", "") + BOTH


def _remedy(four: Remedy | None, six: Remedy | None) -> Remedy | None:
    """The steps of both, and back in the other order."""
    if four is None or six is None:
        return four or six
    return msgspec.structs.replace(
        four,
        summary=four.summary if four.summary == six.summary or not four.steps else _both(four.summary, six.summary),
        steps=tuple(dict.fromkeys((*four.steps, *six.steps))),
        undo=tuple(dict.fromkeys((*six.undo, *four.undo))),
        persists=four.persists and six.persists,
    )
