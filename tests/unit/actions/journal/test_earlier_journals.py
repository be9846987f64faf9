"""Entries that earlier versions wrote can still be read, shown and taken back: one of each kind, as it was written.

The file was written by the version whose changes of links, addresses and
routes were plain commands.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dnet_tui.actions.changes import bridges, docker_networks, trace_tables
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.execution.undo import UndoResult, preview, undo_entry
from dnet_tui.actions.journal.captured_state import BridgeState, DockerNetworkState
from dnet_tui.actions.journal.entries import StepLocation
from dnet_tui.actions.journal.journal import read
from unit.builders.fake_host import FakeHost

RECORDED = Path(__file__).parents[2] / "data" / "journal-format-1.jsonl"
HERE = StepLocation(netns=4026531840, cookie=7, boot="b")

PREVIEWS = {
    "0001": ("sysctl -w net.ipv4.ip_forward=0",),
    "0002": (
        "iptables-nft -w -t filter -D FORWARD -j DROP",
        "iptables-nft -w -t filter -I FORWARD 1 -j DROP -c 4 400",
    ),
    "0003": ("true link set dev br0 down",),
    "0004": ("ip link delete br-lab type bridge",),
    "0005": (
        "ip link add name br-lab address 02:00:00:00:00:05 mtu 1400 type bridge nf_call_iptables 1",
        "ip link set dev br-lab alias dnet-tui:lab",
        "ip address add 10.9.0.1/24 dev br-lab",
        "ip link set dev br-lab up",
    ),
    "0006": ("docker network rm app",),
    "0007": ("docker network create app",),
    "0008": ("nsenter --net=/proc/1/ns/net nft delete table inet dnet_tui_x1",),
    "0009": ("true podman network rm lab",),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(RECORDED, tmp_path / "journal.jsonl")
    (tmp_path / "journal.jsonl").chmod(0o600)
    return tmp_path


@pytest.fixture
def host() -> FakeHost:
    """The host as the recorded changes left it."""
    host = FakeHost()
    host.set_sysctl("net.ipv4.ip_forward", "1")
    host.chains["filter", "FORWARD"] = [('-i br0 -m comment --comment "a b" -j ACCEPT', 0, 0), ("-j DROP", 9, 900)]
    return host


def undo(host: FakeHost, folder: Path, entry: str) -> UndoResult:
    return undo_entry(HostExecutor(host), folder, entry, place=lambda: HERE)


def test_every_line_is_understood(folder: Path) -> None:
    entries, torn = read(folder)
    assert torn == 0
    assert [entry.status for entry in entries] == ["done"] * len(PREVIEWS)
    assert {entry.id: preview(entry) for entry in entries} == PREVIEWS


def test_a_kernel_parameter_is_taken_back_with_what_followed_it(host: FakeHost, folder: Path) -> None:
    undo(host, folder, "0001")
    assert host.values == FakeHost().values


def test_a_moved_rule_is_put_back_with_its_counters(host: FakeHost, folder: Path) -> None:
    undo(host, folder, "0002")
    assert host.chains["filter", "FORWARD"] == [
        ("-j DROP", 4, 400),
        ('-i br0 -m comment --comment "a b" -j ACCEPT', 0, 0),
    ]


def test_commands_are_taken_back_by_those_that_were_stated(host: FakeHost, folder: Path) -> None:
    result = undo(host, folder, "0003")
    assert host.log == [("true", "link", "set", "dev", "br0", "down")]
    assert result.notes == ("`true b` is taken back together with a command before it", "true link set dev br0 down")
    undo(host, folder, "0009")
    assert host.log[-1] == ("true", "podman", "network", "rm", "lab")


def test_bridges_networks_and_trace_tables_are_taken_back_by_what_was_captured(
    host: FakeHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, ...]] = []

    def revert(*given: object) -> str:
        seen.append(given)
        return "done"

    for module in (bridges, docker_networks, trace_tables):
        monkeypatch.setattr(module, "revert", revert)
    changes = {entry.id: entry.changes[0] for entry in read(folder)[0]}
    order = ("0008", "0007", "0006", "0005", "0004")  # the last first: the others have to do with each other
    for entry in order:
        assert undo(host, folder, entry).entry.status == "undone"
    assert [given[0] for given in seen] == [changes[entry].action for entry in order]
    table, removed, made, deleted, created = seen
    assert created[1:3] == (BridgeState(existed=False), BridgeState(existed=True, ifindex=5))
    assert isinstance(deleted[1], BridgeState)
    assert (deleted[1].mac, deleted[1].addresses) == ("02:00:00:00:00:05", ("10.9.0.1/24",))
    assert made[1:] == (DockerNetworkState(), DockerNetworkState(id="abc", name="app"))
    assert isinstance(removed[1], DockerNetworkState)
    assert removed[1].pools == ({"Subnet": "10.8.0.0/24", "Gateway": "10.8.0.1"},)
    assert table[1] is host
