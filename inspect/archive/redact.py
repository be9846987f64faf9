"""A snapshot to give away: the same host with other addresses and names.  Pure.

Replaced, each by the same thing everywhere: IPv4, IPv6 and MAC addresses (so
that all still fits, see :mod:`dnet_tui.inspect.archive.address_map`); the names of the
host, of containers, networks, images, zones, named namespaces and processes;
interfaces called after one of those; comments, log prefixes and other free
text in rules; aliases; an engine's options that aren't known; users' names in
paths.

Kept: interfaces' own names, ids, ports, versions, chains' and sets' names
(unless a name is in them), the kernel's parameters, special addresses.  A
name that is also a word of the format (a container called ``tcp``) is
replaced where it is the name, and left where it may be that word.

Without the key nobody can tell the original addresses; with the same key two
snapshots are redacted alike, as far as their addresses go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from dnet_tui.inspect.archive.redact_addresses import PATTERN, Addresses
from dnet_tui.inspect.archive.redact_words import USUAL_NETWORKS, USUAL_PROCESSES, Names
from dnet_tui.inspect.archive.snapshot_texts import all_names, processes, strings, subnets
from dnet_tui.inspect.model import (
    Container,
    Endpoint,
    Engine,
    Firewalld,
    Host,
    Lack,
    Link,
    Namespace,
    Network,
    Process,
    Settings,
    Snapshot,
    Socket,
    TunProgram,
    Unread,
    WireGuardDevice,
    WireGuardPeer,
    known_items,
    network_label,
)
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.startup_errors import recognise
from dnet_tui.inspect.model.firewall import Firewall, Rule

_T = TypeVar("_T")

_TOKEN = re.compile(
    r"(?P<option>(?<!\S)--?[A-Za-z][\w-]*)"
    rf"|{PATTERN}"
    r"|(?P<url>[A-Za-z][A-Za-z0-9+.-]*://)(?P<server>[^/\s]+)"
    r"|(?P<home>/home/)(?P<user>[^/\s]+)"
    r"|(?P<word>\w[\w.-]*)"
)
_ESCAPED = re.compile(r"\\(.)")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_FREE = re.compile(
    rf"(?P<before>--(?:comment|log-prefix|nflog-prefix|string|hex-string|path|cgroup)\s+)(?P<value>{_QUOTED}|\S+)"
    rf"|(?P<named>\b(?:comment|prefix)\s+)(?P<said>{_QUOTED})"
    rf"|(?P<quoted>{_QUOTED})"
)
_DEVICE = re.compile(r"[\w.:@-]{1,15}[*+]?")
_OWNER = re.compile(r"(?P<whose>\S+ (?:network|container|port)) (?P<name>.+?)(?P<port>:\d+/\w+)?")

_ASIS = frozenset({
    "tool_version", "taken_at", "read_at", "firewall_at", "kernel", "version", "family", "backend", "kind", "hook",
    "proto", "protocol", "state", "operstate", "mode", "engine", "driver", "network_backend", "section", "time",
    "place", "actions",
})  # fmt: skip
"""Fields with a vocabulary of their own, and versions, which may look like addresses."""

_SHORT_ID = 12
"""A container that nobody could tell the name of is called by so many characters of its id."""
_USUAL_OPTIONS = ("com.docker.", "io.podman.", "mtu", "vlan", "mode", "parent", "isolate", "metric", "no_default_route",
                  "vrf", "ipvlan_", "macvlan_", "bclim", "host_interface_name", "interface_name")  # fmt: skip
_OPTION_WORDS = frozenset(
    {"nat", "nat-unprotected", "routed", "isolated", "true", "false", "strict", "managed", "unmanaged"}
)


def redact(snapshot: Snapshot, key: bytes) -> Snapshot:
    """Return the snapshot with addresses and names replaced.

    Args:
        snapshot: what to redact; it is left as it is.
        key: random bytes that nobody else knows.
    """
    return _Redaction(snapshot, key).snapshot()


class _Redaction:
    """The replacements for one snapshot, and their application."""

    def __init__(self, snapshot: Snapshot, key: bytes) -> None:
        self._original = snapshot
        self._names = Names(all_names(snapshot))
        self._ids: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._rule_texts: dict[str, str] = {}
        self._addresses = Addresses(key, strings(snapshot), subnets(snapshot))
        self._special: dict[tuple[type, str], Callable[[Any], Any]] = {
            (Container, "id"): self._id, (Container, "joined"): self._id, (Network, "id"): self._id,
            (Endpoint, "network"): self._id, (Gap, "scope"): self._id, (Lack, "scope"): self._id,
            (Network, "gateway_mode4"): str, (Network, "gateway_mode6"): str,
            (Container, "name"): self._known, (Container, "image"): self._known, (Network, "name"): self._network,
            (Namespace, "names"): lambda names: tuple(self._known(name) for name in names),
            (Namespace, "path"): self._path, (Engine, "socket"): self._path,
            (Engine, "iptables_program"): self._path, (Engine, "iptables_backend"): str,
            (Namespace, "firewall"): self._firewall,
            (Settings, "values"): self._sysctls,
            (Container, "error"): self._error,
            (Process, "name"): self._known, (Socket, "process"): self._known,
            (Host, "hostname"): self._known,
            (Link, "name"): self._known, (Link, "alias"): self._alias,
            (Network, "options"): self._options,
            (WireGuardDevice, "key"): self._key, (WireGuardPeer, "key"): self._key,
            (TunProgram, "name"): self._known, (TunProgram, "link"): self._known,
        }  # fmt: skip
        self._inside: dict[tuple[type, str], Callable[[Any], Any]] = {
            (Rule, "comment"): self._comment,
            (Rule, "owner"): self._owner,
        }
        self._introduce()

    def snapshot(self) -> Snapshot:
        return self._all(self._original, self._special, self._text)

    # -- names --------------------------------------------------------------

    def _introduce(self) -> None:
        """Give every name its replacement, in the snapshot's order."""
        host, names = self._original, self._names
        containers, networks = known_items(host.containers), known_items(host.networks)
        self._introduce_host(host.host.hostname)
        for container in containers:
            if len(container.name) < _SHORT_ID or not container.id.startswith(container.name):  # else it has none
                names.give(container.name, "container")
        for network in networks:
            if network.name not in USUAL_NETWORKS:
                names.give(network.name, "network")
        for container in containers:
            names.give(container.image, "image")
        for name in (name for ns in known_items(host.namespaces) for name in ns.names):
            names.give(name, "namespace")
        for zone in host.firewalld.own_zones if isinstance(host.firewalld, Firewalld) else ():
            names.give(zone, "zone")
        for process in (name for name in processes(host) if name not in USUAL_PROCESSES):
            names.give(process, "process")
        self._introduce_links()
        self._ids |= {item.id: self._new_id(item.id, item.name) for item in containers}
        self._ids |= {item.id: self._new_id(item.id, item.name) for item in networks}
        self._ids |= {engine.name: engine.name for engine in known_items(host.engines)}

    def _introduce_host(self, hostname: str) -> None:
        short, _, domain = hostname.partition(".")
        new = self._names.give(short, "host")
        if domain:
            self._names.keep(hostname, f"{new}.{self._names.give(domain, 'domain')}")

    def _introduce_links(self) -> None:
        """Interfaces that are called after something get that thing's new name."""
        candidates = self._names.in_links()
        links = dict.fromkeys(
            link.name for ns in known_items(self._original.namespaces) for link in known_items(ns.links)
        )
        for link in links:
            if self._names.known(link) is not None:
                continue
            derived = next((name for name in candidates if name in link), None)
            new = self._names.in_run(link) if derived is None else link.replace(derived, self._known(derived))
            if new != link:
                self._names.keep(link, new)

    def _new_id(self, ident: str, name: str) -> str:
        """An id with the name in it, as ``netns:web``, follows the name; a number stays."""
        head, colon, tail = ident.rpartition(":")
        return f"{head}{colon}{self._known(tail)}" if tail == name or self._names.known(tail) else self._text(ident)

    def _known(self, name: str) -> str:
        found = self._names.known(name)
        return name if found is None else found

    def _network(self, name: str) -> str:
        return name if name in USUAL_NETWORKS else self._known(name)

    def _id(self, ident: str | None) -> str | None:
        if ident is None:
            return None
        return self._ids.get(ident) or self._names.known(ident) or self._text(ident)

    # -- text ---------------------------------------------------------------

    def _text(self, text: str) -> str:
        """Any text, with its addresses and the names in it replaced."""
        found = self._texts.get(text)
        if found is None:
            found = self._texts[text] = _TOKEN.sub(self._token, self._names.in_odd(text))
        return found

    def _token(self, found: re.Match[str]) -> str:
        if found["word"]:
            word = self._names.in_run(found["word"])
            return word if word != found["word"] else self._addresses.in_word(word)
        if found["option"]:
            return found[0]
        if found["url"]:
            return f"{found['url']}redacted"
        if found["home"]:
            return found["home"] + self._names.give(found["user"], "user")
        new = self._addresses.replace(found)
        return _WORD.sub(lambda word: self._names.in_run(word[0]), found[0]) if new is None else new

    def _path(self, path: str) -> str:
        head, slash, tail = path.rpartition("/")
        return self._text(head) + slash + (self._names.known(tail) or self._text(tail))

    def _error(self, said: str) -> str:
        """An engine's words about a failure: only what is known of them can be told from names and paths."""
        failure = recognise(said)
        return self._text(failure.text) if failure is not None else "redacted"

    def _key(self, key: str) -> str:
        """A public key: no secret, and yet it tells whose host this is."""
        return self._names.give(key, "key") if key else ""

    def _alias(self, alias: str) -> str:
        said = network_label.decode(alias)
        if said is None:
            return self._names.give(alias, "alias")
        return network_label.encode(msgspec.structs.replace(said, name=self._known(said.name)))

    def _options(self, options: dict[str, str]) -> dict[str, str]:
        # An option's own words stay what they are, whatever bears such a name as well.
        usual = {
            key: value if value in _OPTION_WORDS else self._text(value)
            for key, value in options.items()
            if key.startswith(_USUAL_OPTIONS)
        }
        others = [key for key in options if key not in usual]
        return usual | {self._names.give(key, "label"): "redacted" for key in others}

    def _sysctls(self, sysctls: dict[str, str]) -> dict[str, str]:
        """Kernel parameters: only the interface in a name is anybody's (its dots are slashes)."""
        return {".".join(self._sysctl(key.split("."))): self._text(value) for key, value in sysctls.items()}

    def _sysctl(self, parts: list[str]) -> list[str]:
        return [
            self._known(part.replace("/", ".")).replace(".", "/") if at == 3 else part for at, part in enumerate(parts)
        ]

    # -- rules --------------------------------------------------------------

    def _firewall(self, firewall: Firewall | Unread) -> Firewall | Unread:
        return self._all(firewall, self._inside, self._rule_text)

    def _rule_text(self, text: str) -> str:
        found = self._rule_texts.get(text)
        if found is None:
            found = self._rule_texts[text] = self._new_rule_text(text)
        return found

    def _new_rule_text(self, text: str) -> str:
        text, out, at = self._names.in_odd(text, devices_only=True), [], 0
        for found in _FREE.finditer(text):
            out += [_TOKEN.sub(self._token, text[at : found.start()]), self._free(found)]
            at = found.end()
        return "".join([*out, _TOKEN.sub(self._token, text[at:])])

    def _free(self, found: re.Match[str]) -> str:
        """Free text in a rule; in quotation marks it may also be an interface's name."""
        value = found["value"] or found["said"] or found["quoted"]
        inner = value[1:-1] if value.startswith('"') else value
        if found["quoted"] and _DEVICE.fullmatch(inner):
            return f'"{_TOKEN.sub(self._token, inner)}"'
        quote = '"' if value.startswith('"') else ""
        new = self._names.give(_ESCAPED.sub(r"\1", inner), "text")
        return f"{found['before'] or found['named'] or ''}{quote}{new}{quote}"

    def _comment(self, comment: str) -> str:
        return "; ".join(self._names.give(part, "text") for part in comment.split("; "))

    def _owner(self, owner: str) -> str:
        found = _OWNER.fullmatch(owner)
        if found is None:
            return self._text(owner)
        return f"{found['whose']} {self._names.known(found['name']) or self._text(found['name'])}{found['port'] or ''}"

    # -- the tree -----------------------------------------------------------

    def _all(self, value: _T, special: dict[tuple[type, str], Callable[[Any], Any]], text: Callable[[str], str]) -> _T:
        """The same data with ``special`` applied to its fields and ``text`` to every other string."""

        def again(item: Any) -> Any:
            if isinstance(item, str):
                return text(item)
            if isinstance(item, tuple):
                return tuple(map(again, item))
            if isinstance(item, dict):
                return {again(key): again(value) for key, value in item.items()}
            if not isinstance(item, msgspec.Struct):
                return item
            kind, changed = type(item), {}
            for field in kind.__struct_fields__:
                if field not in _ASIS:
                    old = getattr(item, field)
                    make = special.get((kind, field), again)
                    if (isinstance(old, msgspec.Struct) or old) and (new := make(old)) != old:
                        changed[field] = new
            return msgspec.structs.replace(item, **changed) if changed else item

        result: _T = again(value)
        return result


_WORD = re.compile(r"\w[\w.-]*")
