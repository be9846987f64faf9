"""A host in memory for the tests of actions: sysctls that spread as the kernel's do, and a small iptables.

It knows nothing of the code under test but the protocol :class:`dnet_tui.actions.host_access.HostAccess`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

from dnet_tui.actions.host_access import Ran
from dnet_tui.inspect.errors import ActionFailedError

DEVICES = ("all", "default", "lo", "eth0", "docker0", "eth0.100")


class FakeHost:
    """A host whose state is open to the tests.

    ``values`` holds the sysctls, ``chains`` each chain's texts and counters,
    ``log`` every writing command; ``child`` answers where Python is run.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        for name in DEVICES:
            for leaf, value in (("forwarding", "0"), ("accept_redirects", "1"), ("send_redirects", "1")):
                self.values[f"net.ipv4.conf.{name.replace('.', '/')}.{leaf}"] = value
        self.values["net.ipv4.ip_forward"] = "0"
        self.chains: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
        self.log: list[tuple[str, ...]] = []
        self.before_run: Callable[[tuple[str, ...]], None] = lambda _: None
        self.refuse: set[str] = set()
        self.links = {name: number for number, name in enumerate((*DEVICES, "v"), start=1)}
        self.port_state = "forwarding"
        self.packages: set[str] = set()
        self.child: Callable[[bytes], Ran] = lambda _: Ran(1, "", "no such module")

    # --- sysctls -------------------------------------------------------------------------------------------

    def sysctl(self, key: str) -> str | None:
        return self.values.get(key)

    def set_sysctl(self, key: str, value: str) -> None:
        if key in self.refuse or key not in self.values:
            raise ActionFailedError(f"could not set {key}")
        changed = self.values[key] != value
        self.values[key] = value
        if changed and key in ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"):
            self._forward_change(value)

    def _forward_change(self, value: str) -> None:
        """inet_forward_change() of net/ipv4/devinet.c."""
        self.values["net.ipv4.ip_forward"] = value
        self.values["net.ipv4.conf.all.accept_redirects"] = "0" if value == "1" else "1"
        for key in self.values:
            if key.startswith("net.ipv4.conf.") and key.endswith(".forwarding"):
                self.values[key] = value

    def interfaces(self, family: str) -> tuple[str, ...]:
        return DEVICES if family == "ipv4" else ()

    def sysctls_below(self, key: str) -> tuple[str, ...]:
        return tuple(item for item in self.values if item.rpartition(".")[0] == key)

    # --- iptables ------------------------------------------------------------------------------------------

    def run(self, argv: Sequence[str], *, limit: float = 1.0, given: bytes = b"") -> Ran:  # noqa: ARG002
        words = tuple(argv)
        self.before_run(words)
        if words[0] == sys.executable:
            return self.child(given)
        if words[0].endswith("-save"):
            return self._save(words)
        if words[-4:-1] == ("link", "show", "dev") and words[0] != "bridge":
            return Ran(0 if words[-1] in self.links else 1, "", "")
        if words[-3:] == ("-j", "link", "show"):
            shown = [{"ifindex": number, "ifname": name} for name, number in self.links.items()]
            return Ran(0, json.dumps(shown), "")
        if words[:2] == ("bridge", "-j"):
            return Ran(0, json.dumps([{"ifname": words[-1], "state": self.port_state}]), "")
        if words[4:5] == ("-C",):
            return self._check(words[3], words[5], words[6:])
        self.log.append(words)
        if words[0] == "nft":
            return Ran(1, "", "not here")
        if words[0] in ("ip", "bridge"):
            return Ran(0, "", "")
        if words[0] in ("true", "false"):
            return Ran(0 if words[0] == "true" else 1, "", "")
        return self._change(words)

    def _check(self, table: str, chain: str, spec: tuple[str, ...]) -> Ran:
        """A single address is printed with its length; nothing else is known of iptables' words here."""
        texts = [text.replace("/32 ", " ") for text, _, _ in self.chains.get((table, chain), [])]
        return Ran(0 if " ".join(spec) in texts else 1, "", "")

    def has(self, program: str) -> bool:
        return program != "nft"

    def has_package(self, name: str) -> bool:
        return name in self.packages

    def read(self, path: str) -> str | None:
        if path.endswith("_tables_names"):
            return "\n".join(sorted({table for table, _ in self.chains}))
        return None

    def texts(self, table: str, chain: str) -> list[str]:
        return [text for text, _, _ in self.chains[table, chain]]

    def _save(self, words: tuple[str, ...]) -> Ran:
        wanted = words[words.index("-t") + 1] if "-t" in words else None
        out: list[str] = []
        for table in sorted({table for table, _ in self.chains}):
            if wanted not in (None, table):
                continue
            out.append(f"*{table}")
            mine = {chain: rules for (name, chain), rules in self.chains.items() if name == table}
            out += [f":{chain} ACCEPT [7:99]" for chain in mine]
            out += [f"[{p}:{b}] -A {chain} {text}" for chain, rules in mine.items() for text, p, b in rules]
            out.append("COMMIT")
        return Ran(0, "\n".join([*out, ""]), "")

    def _change(self, words: tuple[str, ...]) -> Ran:
        table = words[words.index("-t") + 1]
        verb, chain, *rest = words[words.index("-t") + 2 :]
        rules = self.chains[table, chain]
        packets = octets = 0
        if "-c" in rest:
            at = rest.index("-c")
            packets, octets = int(rest[at + 1]), int(rest[at + 2])
            del rest[at : at + 3]
        if verb == "-I":
            number, text = int(rest[0]), " ".join(rest[1:])
            if not 1 <= number <= len(rules) + 1:
                return Ran(1, "", "iptables: Index of insertion too big.")
            rules.insert(number - 1, (text, packets, octets))
            return Ran(0, "", "")
        if len(rest) == 1 and rest[0].isdecimal():
            number = int(rest[0])
        else:
            texts = self.texts(table, chain)
            number = texts.index(" ".join(rest)) + 1 if " ".join(rest) in texts else 0
        if not 1 <= number <= len(rules):
            return Ran(1, "", "iptables: Bad rule.")
        del rules[number - 1]
        return Ran(0, "", "")
