"""What can be made from the app: the forms with their fields, and what a filled-in one comes to.  Pure."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

FormKind = Literal["network", "connection", "port", "route"]
Names = Literal["", "networks", "containers", "bridged"]
"""What a field is completed with: names of networks, of containers, or of networks with a bridge."""


class FormField(NamedTuple):
    """One field.  ``hint`` stands in it while it is empty; ``yes`` is what one of yes or no means when it is empty."""

    id: str
    label: str
    hint: str = ""
    needed: bool = False
    names: Names = ""
    yes: bool | None = None


class ChangeForm(NamedTuple):
    """A form: what it makes, and the fields in their order."""

    kind: FormKind
    title: str
    about: str
    fields: tuple[FormField, ...]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A form as it is filled in; an empty field isn't in it."""

    kind: FormKind
    values: dict[str, str] = {}

    def value(self, field: str) -> str:
        """Return what is in a field."""
        return self.values.get(field, "")

    def words(self, field: str) -> tuple[str, ...]:
        """Return the words in a field."""
        return tuple(self.value(field).replace(",", " ").split())


class PlannedChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft comes to on the host as it was read: ``plan`` is what the actions know it by."""

    draft: Draft
    plan: Any
    title: str
    commands: tuple[str, ...]
    undo: tuple[str, ...]
    notes: tuple[str, ...] = ()
    persists: bool = False


_ENGINE = FormField("engine", "engine", "docker, podman or linux")

FORMS: dict[FormKind, ChangeForm] = {
    "network": ChangeForm(
        "network",
        "Network",
        "a new bridge network of an engine, or of plain Linux",
        (
            FormField("name", "name", "how it is called", needed=True),
            _ENGINE,
            FormField("subnet", "subnet", "a free one; 10.30.0.0/24"),
            FormField("gateway", "gateway", "the first address"),
            FormField("mtu", "mtu", "the engine's own"),
            FormField("bridge", "bridge", "the engine's own name"),
            FormField("internal", "internal", yes=False),
            FormField("masquerade", "masquerade", yes=True),
            FormField("icc", "icc", yes=True),
            FormField("isolated", "isolated", yes=True),
        ),
    ),
    "connection": ChangeForm(
        "connection",
        "Connection",
        "a running container, or a plain namespace, on one more network",
        (
            FormField("container", "container", "type to complete", needed=True, names="containers"),
            FormField("network", "network", "type to complete", needed=True, names="bridged"),
            FormField("address", "address", "a free one"),
            FormField("alias", "aliases", "names for its neighbours"),
        ),
    ),
    "port": ChangeForm(
        "port",
        "Published port",
        "a port of a running container, published by rules: it isn't restarted",
        (
            FormField("container", "container", "type to complete", needed=True, names="containers"),
            FormField("port", "port", "8080:80 or 192.0.2.1:53:53/udp", needed=True),
            FormField("localhost", "localhost too", yes=False),
        ),
    ),
    "route": ChangeForm(
        "route",
        "Route",
        "to a container subnet of another host, accepted by the firewall both ways",
        (
            FormField("subnet", "subnet", "10.60.0.0/24", needed=True),
            FormField("gateway", "via", "the other host's address", needed=True),
            FormField("network", "networks", "all of this host", names="bridged"),
        ),
    ),
}


def missing(draft: Draft) -> tuple[str, ...]:
    """Return the labels of the fields that are still to be filled in."""
    return tuple(field.label for field in FORMS[draft.kind].fields if field.needed and not draft.value(field.id))


def flag(draft: Draft, field: FormField) -> bool | None:
    """Return what a field of yes or no says; None when it says neither."""
    text = draft.value(field.id).lower()
    if not text:
        return field.yes
    return True if "yes".startswith(text) else False if "no".startswith(text) else None
