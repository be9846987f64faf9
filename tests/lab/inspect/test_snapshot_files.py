"""Snapshots of a real Docker host as files: kept, given away, compared."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.archive.redact import redact
from dnet_tui.inspect.archive.redact_words import is_common
from dnet_tui.inspect.archive.snapshot_file import encode, load, save
from dnet_tui.inspect.model import Address, Snapshot
from lab.machines.docker_host import DockerHost

KEY = b"a key for tests"
USUAL = {"bridge", "host", "none"}


def names(snapshot: Snapshot) -> set[str]:
    found = {item.name for item in snapshot.containers} | {item.image for item in snapshot.containers}
    found |= {item.name for item in snapshot.networks} - USUAL
    found |= {snapshot.host.hostname} | {name for ns in snapshot.namespaces for name in ns.names}
    return {name for name in found if name and not is_common(name)}


def addresses(snapshot: Snapshot) -> set[str]:
    return {item.address for ns in snapshot.namespaces for item in ns.addresses if not _is_special(item.address)}


def _is_special(address: str) -> bool:
    return (
        address.startswith(("127.", "203.0.113.", "198.51.100.", "192.0.2.", "fe80:", "2001:db8:")) or address == "::1"
    )


@contextmanager
def broken(host: DockerHost, *faults: str) -> Iterator[Snapshot]:
    with ExitStack() as stack:
        for name in faults:
            stack.enter_context(host.fault(name))
        yield host.snapshot()


@pytest.mark.parametrize(
    "faults",
    [(), ("ip-forward-off",), ("masq-missing",), ("user-chain-drop",), ("isolation-missing", "fwd-off-uplink")],
)
def test_the_doctor_says_the_same_of_a_redacted_host(docker_host: DockerHost, faults: tuple[str, ...]) -> None:
    with broken(docker_host, *faults) as snapshot:
        original, redacted = run_checks(snapshot), run_checks(redact(snapshot, KEY))

    assert [(item.check, item.severity, item.subject.kind) for item in redacted.findings] == [
        (item.check, item.severity, item.subject.kind) for item in original.findings
    ]
    assert [(item.id, item.outcome) for item in redacted.checks] == [
        (item.id, item.outcome) for item in original.checks
    ]
    assert bool(original.findings) == bool(faults)


def test_nothing_of_the_host_is_left_in_a_redacted_snapshot(docker_host: DockerHost) -> None:
    snapshot = docker_host.snapshot()
    new = redact(snapshot, KEY)
    text = "\n".join(_texts(json.loads(encode(new))))

    for name in names(snapshot):
        assert not re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", text), name
    given = {one.address: other.address for one, other in _side_by_side(snapshot, new)}
    assert all(given[address] != address for address in addresses(snapshot))
    for address in addresses(snapshot) - set(given.values()):
        assert not re.search(rf"(?<![\w.:]){re.escape(address)}(?![\w:]|\.\d)", text), address
    macs = {link.mac for ns in snapshot.namespaces for link in ns.links if link.mac not in {"", "00:00:00:00:00:00"}}
    assert not [mac for mac in macs if mac in text]


def _texts(value: object) -> Iterator[str]:
    """Every text in a snapshot's JSON; of the keys only kernel parameters and options, not the format's own."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (key for key in value if "." in key)
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _side_by_side(snapshot: Snapshot, new: Snapshot) -> Iterator[tuple[Address, Address]]:
    for one, other in zip(snapshot.namespaces, new.namespaces, strict=True):
        yield from zip(one.addresses, other.addresses, strict=True)


def test_a_saved_snapshot_is_its_owners_alone_and_redacted_only_when_asked(docker_host: DockerHost) -> None:
    docker_host.dnet("snapshot", "save", "/run/lab/plain.json")
    docker_host.dnet("snapshot", "save", "--redact", "/run/lab/redacted.json")
    modes = docker_host.run("stat", "-c", "%a", "/run/lab/plain.json", "/run/lab/redacted.json").stdout.split()

    assert modes == [b"600", b"600"]
    plain, redacted = (docker_host.run("cat", f"/run/lab/{name}.json").stdout for name in ("plain", "redacted"))
    assert b'"app1"' in plain
    assert b'"app1"' not in redacted


def test_what_was_done_between_two_snapshots_is_told(docker_host: DockerHost) -> None:
    docker_host.dnet("snapshot", "save", "--force", "/run/lab/before.json")
    inside = docker_host.enter("app1")
    docker_host.run(*inside, "ip", "link", "set", "eth0", "down")
    docker_host.run("sysctl", "-w", "net.ipv4.ip_forward=0")
    docker_host.run("iptables-nft", "-I", "FORWARD", "-s", "198.51.100.7", "-j", "DROP")
    docker_host.docker("network", "disconnect", "app", "app2")
    try:
        same = docker_host.dnet("snapshot", "diff", "/run/lab/before.json", "/run/lab/before.json")
        told = docker_host.dnet("snapshot", "diff", "/run/lab/before.json")
        data = json.loads(docker_host.dnet("snapshot", "diff", "--format", "json", "/run/lab/before.json").stdout)
    finally:
        docker_host.docker("network", "connect", "app", "app2")
        docker_host.run("iptables-nft", "-D", "FORWARD", "-s", "198.51.100.7", "-j", "DROP")
        docker_host.run("sysctl", "-w", "net.ipv4.ip_forward=1")
        docker_host.run(*inside, "ip", "link", "set", "eth0", "up")
    text = told.stdout.decode()
    said = {f"{change['scope']}: {change['text']}" for change in data["changes"]}

    assert (same.returncode, told.returncode) == (0, 1)
    assert "\nhost\n" in f"\n{text}"
    assert {
        "app1: eth0 went down",
        "host: net.ipv4.ip_forward 1 → 0",
        "host: filter FORWARD: rule “-s 198.51.100.7/32 -j DROP” inserted as number 1",
    } <= said
    assert any(item.startswith("app2: left network app") for item in said)
    assert any(item.startswith("app2: eth0 is gone") for item in said)
    print(text)


def test_a_saved_file_is_loaded_again(docker_host: DockerHost, tmp_path: Path) -> None:
    snapshot = docker_host.snapshot()
    save(snapshot, tmp_path / "host.json")

    assert load(tmp_path / "host.json") == snapshot
    assert stat.S_IMODE((tmp_path / "host.json").stat().st_mode) == 0o600
