"""Which findings concern what is selected.  Pure.

A finding names its subject by kind and name.  The map shows links, networks
and containers; this module says which of them a finding is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dnet_tui.diagnostics.report.finding import Finding, Severity
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Container, Link, Network
from dnet_tui.tui.app.present.styled_text import CROSS, TextRole, TextSpan, say

SelectedSubject = tuple[str, str]
"""A kind and a name, as in a finding's subject."""

GLYPHS: dict[Severity, str] = {"error": CROSS, "warning": "!", "info": "i"}
_ROLES: dict[Severity, TextRole] = {"error": "bad", "warning": "warn", "info": "info"}
_OWN = frozenset({"network", "bridge", "container", "port", "link"})
"""Kinds of subjects that have a place of their own on the map; all others are the host's."""
_WORST: tuple[Severity, ...] = ("error", "warning", "info")


def mark(severity: Severity, *, word: bool = False) -> TextSpan:
    """Return the sign of a severity, with its word where there is room."""
    return say(f"{GLYPHS[severity]} {severity}" if word else GLYPHS[severity], _ROLES[severity])


def worst(findings: Iterable[Finding]) -> Severity | None:
    """Return the gravest severity among ``findings``."""
    return gravest(finding.severity for finding in findings)


def gravest(severities: Iterable[Severity | None]) -> Severity | None:
    """Return the gravest one."""
    seen = set(severities)
    return next((severity for severity in _WORST if severity in seen), None)


def of_link(link: Link, network: Network | None = None) -> frozenset[SelectedSubject]:
    """Return what a finding about this link (or the network on it) calls it."""
    names = {("link", link.name), ("bridge", link.name), ("sysctl", link.name)}
    if network is not None:
        names |= of_network(network)
    return frozenset(names)


def of_network(network: Network) -> frozenset[SelectedSubject]:
    """Return what a finding about this network calls it."""
    names = {("network", network.name), ("network", network.id)}
    if network.bridge:
        names |= {("bridge", network.bridge), ("link", network.bridge), ("network", network.bridge)}
    return frozenset(names)


def of_container(container: Container) -> frozenset[SelectedSubject]:
    """Return what a finding about this container, or a port it publishes, calls it."""
    ports = {
        ("port", form)
        for port in container.published
        for form in (
            f"{port.host_port}",
            f"{port.host_port}/{port.proto}",
            f"{port.host_ip}:{port.host_port}",
            f"{port.host_ip}:{port.host_port}/{port.proto}",
            f"{container.name}:{port.container_port}",
        )
    }
    return frozenset({("container", container.name), ("container", container.id), *ports})


def concerning(report: Report | None, subjects: frozenset[SelectedSubject]) -> tuple[Finding, ...]:
    """Return the findings whose subject is one of ``subjects``, or that hit one of them; in the report's order."""
    if report is None:
        return ()
    return tuple(
        finding for finding in report.findings if subjects & _names(finding) or not subjects.isdisjoint(_hit(finding))
    )


class FindingsIndex:
    """The findings of a report by what they name and hit, for lists that ask of thousands of things."""

    def __init__(self, report: Report | None, networks: Iterable[Network] = ()) -> None:
        self.report = report
        self._networks = {network.id: network.name for network in networks}
        self._found: dict[SelectedSubject, list[int]] = {}
        for number, finding in enumerate(report.findings if report is not None else ()):
            for name in {*_names(finding), *_hit(finding)}:
                self._found.setdefault(name, []).append(number)

    def concerning(self, subjects: frozenset[SelectedSubject]) -> tuple[Finding, ...]:
        """As :func:`concerning`."""
        if self.report is None:
            return ()
        numbers = sorted({number for subject in subjects for number in self._found.get(subject, ())})
        return tuple(self.report.findings[number] for number in numbers)

    def concerning_container(self, container: Container) -> tuple[Finding, ...]:
        """Those that concern a container, and the faults that hit a network which it is on."""
        on = frozenset(("network", self._networks.get(end.network, "")) for end in container.endpoints)
        own, shared = self.concerning(of_container(container)), self.concerning(on)
        more = tuple(item for item in shared if item.severity != "info" and item not in own)
        return (*own, *more)


def _hit(finding: Finding) -> Iterator[SelectedSubject]:
    """Whom a fault hits; mere information concerns its subject alone."""
    if finding.severity != "info":
        yield from ((item.kind, item.name) for item in finding.affects)


def concerning_host(report: Report | None) -> tuple[Finding, ...]:
    """Return the findings about the host as a whole: its own state, rules and sysctls of no one interface."""
    if report is None:
        return ()
    return tuple(
        finding
        for finding in report.findings
        if finding.subject.kind not in _OWN and not (finding.subject.kind == "sysctl" and len(_names(finding)) > 1)
    )


def _names(finding: Finding) -> frozenset[SelectedSubject]:
    """The names by which a subject may be known; an interface's sysctl is also that interface's."""
    kind, name = finding.subject.kind, finding.subject.name
    names = {(kind, part) for part in name.split(", ")}
    if kind == "sysctl":
        parts = name.split(".")
        if len(parts) > 4 and parts[2] in {"conf", "neigh"} and parts[3] not in {"all", "default"}:
            names.add(("sysctl", parts[3].replace("/", ".")))
    if ":" in name and kind in {"link", "container"}:
        names.add(("container", name.partition(":")[0]))
    return frozenset(names)
