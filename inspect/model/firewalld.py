"""The model of firewalld: what its own files settle.  Pure data.

What it does with packets is in the rules, which are read as everybody's are;
this is only what the rules don't tell.

Source: firewalld.conf(5), firewalld.zone(5), firewalld.zones(5).
"""

from __future__ import annotations

from dnet_tui.inspect.model.coverage.sections import NOT_READ, Lack, Section, Unread, known_items, owned_by
from dnet_tui.inspect.model.links import ModelStruct

SHIPPED_ZONES = frozenset({
    "block", "dmz", "docker", "drop", "external", "home", "internal", "libvirt", "libvirt-routed", "nm-shared",
    "public", "trusted", "work", "FedoraServer", "FedoraWorkstation",
})  # fmt: skip
"""The zones that come with firewalld, engines and distributions; others are called as somebody liked."""


class FirewalldZone(ModelStruct, frozen=True, kw_only=True):
    """A zone's permanent settings, as a file of its own has them.

    ``target`` is ``ACCEPT``, ``DROP``, ``%%REJECT%%`` or empty (the default).
    Interfaces and sources that were only added at runtime aren't here.
    """

    name: str
    target: str = ""
    interfaces: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class Firewalld(ModelStruct, frozen=True, kw_only=True, tag_field="read", tag="yes"):
    """A firewalld that runs in the host's network namespace.

    ``settled`` says that its settings file was read, so that defaults hold for
    what isn't in it; ``strict_forward_ports`` is None where that is not known.
    ``zones`` are those with a file in its own folder, not those it ships with.
    ``lacks`` says what of all this could not be read, and why.
    """

    pid: int
    settled: bool = False
    backend: str = ""
    default_zone: str = ""
    strict_forward_ports: bool | None = None
    zones: Section[FirewalldZone] = Unread(reason=NOT_READ)
    lacks: tuple[Lack, ...] = ()

    def __post_init__(self) -> None:
        owned_by(self, {"zones": "firewalld"}, "firewalld")

    @property
    def own_zones(self) -> tuple[str, ...]:
        """The names of zones that somebody made up."""
        names = (self.default_zone, *(zone.name for zone in known_items(self.zones)))
        return tuple(name for name in dict.fromkeys(names) if name and name not in SHIPPED_ZONES)

    def zones_of(self, interface: str) -> tuple[str, ...]:
        """The zones whose permanent settings name an interface."""
        return tuple(zone.name for zone in self.zones if interface in zone.interfaces)
