"""Builds a host of the differential lab inside a private host, takes its snapshot and sends the probes.

The outer half, :func:`observe`, starts a sandbox and gives it a spec; the
inner half, :func:`main`, runs in it as one process that has sockets in all
namespaces.  Nothing of the machine's own network is touched.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_interface
from pathlib import Path

import msgspec

from dnet_tui.actions.demo.build import require_private_host
from dnet_tui.actions.demo.sandbox import Sandbox
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.model import Namespace, Snapshot, require
from lab.differential import trace
from lab.differential.send import SENDING, Agent
from lab.differential.spec import (
    HOST,
    OUTSIDE,
    OUTSIDE_ADDRESS,
    OUTSIDE_ADDRESS6,
    OUTSIDE_SERVER,
    OUTSIDE_SERVER6,
    UPLINK,
    UPLINK_ADDRESS,
    UPLINK_ADDRESS6,
    HostSpec,
    Observation,
    Probe,
    Proxy,
    leg_mac,
)

_TESTS = str(Path(__file__).resolve().parents[2])
_INNER = f"import sys; sys.path[:0] = [{_TESTS!r}]; from lab.differential.host import main; main()"
_NETNS = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_BUILTIN = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
MOST_CONNECTIONS = 20000
"""Tracked connections that are read at most; a host has far fewer."""

LIMIT = SENDING + 120.0
"""Seconds until one host must have been built and answered; it takes a few, and more where packets go one by one."""


def observe(spec: HostSpec, environment: dict[str, str] | None = None) -> Observation:
    """Build the host, send its probes, and return what the kernel did.

    Raises:
        DnetError: the sandbox can't be had, or a command of the build failed (its words are in the message).
    """
    with Sandbox.start("differential", environment=environment) as sandbox:
        return observe_in(sandbox, spec, environment)


def observe_in(sandbox: Sandbox, spec: HostSpec, environment: dict[str, str] | None = None) -> Observation:
    """Do it in a sandbox that is there; it may have a host in it already (``spec.existing``).

    Raises:
        DnetError: a command failed (its words are in the message).
    """
    argv = [sys.executable, "-P", "-c", _INNER]
    result = sandbox.run(argv, stdin=msgspec.json.encode(spec), timeout=LIMIT, check=True, environment=environment)
    return msgspec.json.decode(result.stdout, type=Observation)


# -- inside ---------------------------------------------------------------------------------


class Spaces:
    """The host's namespaces, to be entered by name.  The process is in the host's own in between."""

    def __init__(self, existing: dict[str, str]) -> None:
        self.existing = existing
        self._libc = ctypes.CDLL(None, use_errno=True)  # os.setns is Python 3.12's
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    @contextmanager
    def inside(self, place: str) -> Iterator[None]:
        """Be in a place's network namespace; sockets that are opened there stay there."""
        if place == HOST:
            yield
            return
        fd = os.open(self.path(place), os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._set(fd)
            yield
        finally:
            self._set(self._home)
            os.close(fd)

    def path(self, place: str) -> Path:
        """The file of a place's namespace."""
        if place == HOST:
            return Path("/proc/self/ns/net")
        return Path(self.existing.get(place) or _NETNS / place)

    def _set(self, fd: int) -> None:
        if self._libc.setns(fd, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns failed")


def main() -> None:
    """Run inside: spec on stdin, observation on stdout."""
    faulthandler.dump_traceback_later(LIMIT - 10, exit=True)  # so that it says where it stood
    require_private_host()
    from dnet_tui.inspect.snapshot.take_snapshot import Options, take_snapshot  # noqa: PLC0415 - only needed here

    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=HostSpec)
    spaces = Spaces(spec.existing)
    if not spec.existing:
        build(spec, spaces)
    agent = Agent(spec, spaces)
    proxies: list[subprocess.Popen[bytes]] = []
    if not spec.existing:
        agent.meet_neighbours()
        prepare(spec, spaces)
        agent.listen_on_addresses()
        proxies = [start_proxy(proxy) for proxy in spec.proxies]
    snapshot = take_snapshot(Options(conntrack=MOST_CONNECTIONS))
    agent.start_tracing()
    moments: dict[int, msgspec.Raw] = {}

    def look(probe: Probe) -> None:
        now = take_snapshot(Options(conntrack=MOST_CONNECTIONS))
        moments[probe.number] = msgspec.Raw(msgspec.json.encode(without_own_tables(now)))

    observation = Observation(
        namespaces={place: f"net:[{spaces.path(place).stat().st_ino}]" for place in spec.places},
        snapshot=msgspec.Raw(msgspec.json.encode(snapshot)),
        outcomes=agent.send(look),
        moments=moments,
    )
    agent.stop_tracing()
    for process in proxies:
        process.kill()
    sys.stdout.buffer.write(msgspec.json.encode(observation))


def without_own_tables(snapshot: Snapshot) -> Snapshot:
    """The snapshot without the tables by which packets are watched."""

    def cleaned(ns: Namespace) -> Namespace:
        tables = tuple(table for table in require(ns.firewall).tables if table.name != trace.TABLE)
        return msgspec.structs.replace(ns, firewall=msgspec.structs.replace(require(ns.firewall), tables=tables))

    spaces = tuple(cleaned(ns) for ns in require(snapshot.namespaces))
    return msgspec.structs.replace(snapshot, namespaces=spaces)


def start_proxy(proxy: Proxy) -> subprocess.Popen[bytes]:
    """Start a proxy; returns once it listens."""
    argv = [sys.executable, "-P", "-S", str(Path(__file__).with_name("userland_proxy.py")), "-proto", "tcp"]
    argv += ["-host-ip", proxy.address, "-host-port", str(proxy.port)]
    argv += ["-container-ip", proxy.to, "-container-port", str(proxy.to_port)]
    # Nothing of ours may stay open in it: whoever runs us waits for its end.
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise ActionFailedError(f"the proxy of port {proxy.port} didn't start")
    return process


def run(argv: tuple[str, ...], text: str = "") -> None:
    """Run a command here; raise ActionFailedError with its words when it fails."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise ActionFailedError(f"{' '.join(argv)} failed: {done.stderr.strip()}\n{text}")


def build(spec: HostSpec, spaces: Spaces) -> None:
    """Make links, addresses and routes."""
    for key in ("ip_forward", "conf/default/forwarding"):
        Path("/proc/sys/net/ipv4", key).write_text("1", encoding="ascii")
    _skip_duplicate_detection()
    run(("ip", "-batch", "-"), "\n".join([*_links(spec), ""]))
    for place in spec.places:
        with spaces.inside(place):
            if place != HOST:
                _skip_duplicate_detection()
                run(("ip", "-batch", "-"), "\n".join([*_inner(spec, place), ""]))
            # Nothing of the machine's defaults, no rate limit that hides an ICMP error, and no answer that is sent
            # again while a later packet is watched: it would have neighbours asked for that nobody knew before.
            write = {"icmp_ratelimit": "0", "conf/all/rp_filter": "0", "tcp_synack_retries": "0"}
            devices = [path.name for path in Path("/proc/sys/net/ipv4/conf").iterdir()]
            write |= {f"conf/{name}/rp_filter": "0" for name in devices}
            forwards = {HOST, *(item.name for item in spec.extras if item.forwards)}
            if place != HOST:
                write |= {f"conf/{name}/forwarding": str(int(place in forwards)) for name in devices}
            for key, value in write.items():
                Path("/proc/sys/net/ipv4", key).write_text(value, encoding="ascii")
            _remember_neighbours()
            if spec.has_ipv6:
                run(("sysctl", "-q", "-w", "net.ipv6.icmp.ratelimit=0"))
                run(("sysctl", "-q", "-w", f"net.ipv6.conf.all.forwarding={int(place == HOST)}"))


def _skip_duplicate_detection() -> None:
    """Have link-local addresses at once.

    For a second after a link is up a host would ask nobody with them, and what
    waits for one such question would hide what comes after it.
    """
    for device in Path("/proc/sys/net/ipv6/conf").iterdir():
        (device / "accept_dad").write_text("0", encoding="ascii")


def _remember_neighbours() -> None:
    """Let what is known of a neighbour stay known.

    An entry that is asked about anew, and fails, changes a host between the
    look at it and the packet.
    """
    for version in ("ipv4", "ipv6"):
        for device in Path("/proc/sys/net", version, "neigh").iterdir():
            for key, value in (("base_reachable_time_ms", "3600000"), ("delay_first_probe_time", "3600")):
                (device / key).write_text(value, encoding="ascii")


def _links(spec: HostSpec) -> Iterator[str]:
    yield f"netns add {OUTSIDE}"
    yield f"link add {UPLINK} type veth peer name eth0 netns {OUTSIDE}"
    yield f"address add {UPLINK_ADDRESS}/24 dev {UPLINK}"
    yield f"link set {UPLINK} up"
    yield f"route add default via {OUTSIDE_ADDRESS}"
    if spec.has_ipv6:
        yield f"address add {UPLINK_ADDRESS6}/64 dev {UPLINK} nodad"
        yield f"route add default via {OUTSIDE_ADDRESS6}"
    for number, bridge in enumerate(spec.bridges):
        # A MAC of its own, as engines give it: otherwise it changes with the ports, and neighbours go stale.
        yield f"link add {bridge.name} address 02:00:5e:00:00:{number:02x} type bridge"
        yield f"address add {bridge.address} dev {bridge.name}"
        if bridge.address6:
            yield f"address add {bridge.address6} dev {bridge.name} nodad"
        yield f"link set {bridge.name} up"
    for box in spec.boxes:
        yield f"netns add {box.name}"
        for number, leg in enumerate(box.legs):
            mac = leg_mac(spec, box.name, number)
            yield f"link add v{box.name}{number} type veth peer name eth{number} address {mac} netns {box.name}"
            yield f"link set v{box.name}{number} master {leg.bridge} up"
    for extra in spec.extras:
        yield f"netns add {extra.name}"
        yield from extra.links


def _inner(spec: HostSpec, place: str) -> Iterator[str]:
    yield "link set lo up"
    if place == OUTSIDE:
        yield f"address add {OUTSIDE_ADDRESS}/24 dev eth0"
        yield f"address add {OUTSIDE_SERVER}/32 dev lo"
        yield "link set eth0 up"
        if spec.has_ipv6:
            yield f"address add {OUTSIDE_ADDRESS6}/64 dev eth0 nodad"
            yield f"address add {OUTSIDE_SERVER6}/128 dev lo nodad"
        for bridge in spec.bridges:  # some hosts' containers are reachable directly
            yield f"route add {ip_interface(bridge.address).network} via {UPLINK_ADDRESS}"
            if bridge.address6:
                yield f"route add {ip_interface(bridge.address6).network} via {UPLINK_ADDRESS6}"
        return
    extra = next((item for item in spec.extras if item.name == place), None)
    if extra is not None:
        yield from extra.inner
        return
    box = next(item for item in spec.boxes if item.name == place)
    gateways = {bridge.name: str(ip_interface(bridge.address).ip) for bridge in spec.bridges}
    for number, leg in enumerate(box.legs):
        yield f"address add {leg.address} dev eth{number}"
        yield f"link set eth{number} up"
        if leg.address6:
            yield f"address add {leg.address6} dev eth{number} nodad"
    yield f"route add default via {gateways[box.legs[0].bridge]}"
    if spec.has_ipv6:
        gateways = {bridge.name: str(ip_interface(bridge.address6).ip) for bridge in spec.bridges}
        yield f"route add default via {gateways[box.legs[0].bridge]}"


def prepare(spec: HostSpec, spaces: Spaces) -> None:
    """Make the host peculiar: steps, iptables of both backends, native nftables."""
    for step in spec.steps:
        with spaces.inside(step.place):
            run(step.argv)
    for (place, backend, family), text in restore_texts(spec).items():
        with spaces.inside(place):
            program = f"{'ip6tables' if family == 'ip6' else 'iptables'}-{backend}-restore"
            run((program, "-w"), text)
    for native in spec.natives:
        with spaces.inside(native.place):
            run(("nft", "-f", "-"), native.text)


def restore_texts(spec: HostSpec) -> dict[tuple[str, str, str], str]:
    """The iptables-restore input for each (place, backend, family)."""
    texts: dict[tuple[str, str, str], str] = {}
    keys = [(chain.place, chain.backend, chain.family) for chain in spec.chains]
    keys += [(rule.place, rule.backend, rule.family) for rule in spec.rules]
    for key in dict.fromkeys(keys):
        chains = [item for item in spec.chains if (item.place, item.backend, item.family) == key]
        rules = [item for item in spec.rules if (item.place, item.backend, item.family) == key]
        lines: list[str] = []
        for table in dict.fromkeys([*(chain.table for chain in chains), *(rule.table for rule in rules)]):
            named = {item.name: item.policy or "-" for item in chains if item.table == table}
            builtin = {name: named.pop(name, "ACCEPT") for name in _BUILTIN[table]}
            lines.append(f"*{table}")
            lines += [f":{name} {policy} [0:0]" for name, policy in (builtin | named).items()]
            lines += [f"-A {rule.chain} {rule.text}" for rule in rules if rule.table == table]
            lines.append("COMMIT")
        texts[key] = "\n".join([*lines, ""])
    return texts
