"""Captures of real packets: none lost, none twice, each at the right point, and losses told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dnet_tui.inspect.capture.files.capture_reader import CaptureReader
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.reports.capture.packet_json import PacketData
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, DemoHost, dnet_argv
from lab.machines.requirements import require_lab
from lab.packets.capturing import BURST
from lab.packets.traffic import Probe, Went, went
from unit.builders.published import misfits

SCRIPT = str(Path(__file__).parents[1] / "packets" / "capturing.py")
PATH = ("web:eth0", "veth-web", "br-front", "eth0")
"""The points a packet from ``web`` to the outside passes, in its order."""


def scenario(host: DemoHost, name: str, *arguments: str) -> dict[str, Any]:
    done = host.run(sys.executable, "-P", SCRIPT, name, *arguments, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@contextmanager
def capturing(host: DemoHost, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """``dnet-tui capture`` on the host, once it listens; ended by force if the test leaves it running."""
    pipe = subprocess.PIPE
    argv = dnet_argv("capture", *arguments)
    process = host.sandbox.popen(
        argv, stdout=pipe, stderr=pipe, environment=host.environment | {"SSH_CONNECTION": ""}, new_session=True
    )
    with process:
        try:
            assert process.stderr
            first = process.stderr.readline().decode()
            assert first.startswith("listening on "), first + process.stderr.read().decode()
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def finish(process: subprocess.Popen[bytes], *, interrupt: bool = False) -> tuple[bytes, str, int]:
    if interrupt:
        time.sleep(0.3)  # the last packet's way through the kernel's block
        # nsenter forks for the PID namespace, and passes the exit code of its child on.
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return out, err.decode(), process.returncode


def ping(host: DemoHost) -> None:
    assert went(host, Probe("web", OUTSIDE_SERVER, proto="icmp")) is Went.OK


def test_a_ping_is_one_row_at_every_point_on_its_way_and_back(demo_host: DemoHost) -> None:
    with capturing(demo_host, *PATH, "--filter", "icmp", "--format", "json", "--duration", "2") as process:
        for _ in range(3):
            ping(demo_host)
        out, err, code = finish(process)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == Exit.OK, err
    assert misfits("capture", out) == []
    assert [msgspec.to_builtins(msgspec.convert(row, PacketData)) for row in rows] == rows
    assert [[item["point"] for item in row["sightings"]] for row in rows] == [[*PATH], [*reversed(PATH)]] * 3, err
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)

    request, reply = rows[:2]
    assert (request["info"].split(",")[0], reply["info"].split(",")[0]) == ("echo request", "echo reply")
    web = demo_host.addresses["web"]
    assert [item["src"] for item in request["sightings"]] == [web, web, web, UPLINK_ADDRESS]  # masqueraded
    assert [item["dst"] for item in reply["sightings"]] == [UPLINK_ADDRESS, web, web, web]
    assert [item["direction"] for item in request["sightings"]] == ["out", "in", "in", "out"]
    assert (reply["answers"], request["src_name"], request["not_at"]) == (request["number"], "web", [])
    assert {trip["point"] for trip in reply["round_trips"]} == set(PATH)
    for point in PATH:
        assert f"{point}: 6 packets, 0 dropped by the kernel" in err
    assert "1 packet (" in err
    assert err.count("1 answered") == 3


def test_a_container_is_its_interface_its_veth_its_bridge_and_its_uplink(demo_host: DemoHost) -> None:
    with capturing(demo_host, "web", "--filter", "icmp", "--count", "2") as process:
        ping(demo_host)
        out, err, code = finish(process)
    assert code == Exit.OK, err
    header, request, reply = out.decode().splitlines()
    assert header.split() == ["time", *PATH, "packet"]
    assert f"{demo_host.addresses['web']} (web) ⇒ {UPLINK_ADDRESS} (host) > {OUTSIDE_SERVER}" in request
    assert f"{UPLINK_ADDRESS} (host) ⇒ {demo_host.addresses['web']} (web)" in reply
    assert "answers #1 after" in reply


def test_a_packet_that_is_dropped_on_its_way_is_missed_with_the_rule(demo_host: DemoHost) -> None:
    rule = ["FORWARD", "-s", demo_host.addresses["web"], "-p", "icmp", "-j", "DROP"]
    demo_host.run("iptables-nft", "-I", *rule)
    try:
        with capturing(demo_host, "along", "web", OUTSIDE_SERVER, "--filter", "icmp", "--count", "1") as process:
            went(demo_host, Probe("web", OUTSIDE_SERVER, proto="icmp"))
            out, err, code = finish(process)
    finally:
        demo_host.run("iptables-nft", "-D", *rule)
    assert code == Exit.OK, err
    row = out.decode().splitlines()[1]
    assert "NOT at eth0 within 200 ms: dropped by filter FORWARD rule 1" in row
    assert "-j DROP" in row
    assert "1 lost: not at eth0" in err


def test_a_packet_that_stays_on_its_bridge_is_missed_nowhere(demo_host: DemoHost) -> None:
    with capturing(demo_host, *PATH, "--filter", "icmp", "--count", "2") as process:
        assert went(demo_host, Probe("web", "api", proto="icmp")) is Went.OK
        out, err, code = finish(process)
    assert code == Exit.OK, err
    assert "NOT" not in out.decode()


def test_only_what_was_asked_for_is_shown(demo_host: DemoHost) -> None:
    with capturing(
        demo_host, *PATH, "--show", "host web and not answered", "--filter", "icmp", "--count", "1"
    ) as process:
        ping(demo_host)
        out, err, code = finish(process)
    assert code == Exit.OK, err
    assert "echo request" in out.decode().splitlines()[1]


def test_a_lone_ping_is_shown_promptly(demo_host: DemoHost) -> None:
    with capturing(demo_host, "br-front", "web:eth0", "--filter", "icmp") as process:
        ping(demo_host)
        began = time.monotonic()
        assert process.stdout
        process.stdout.readline()  # the header
        assert b"echo request" in process.stdout.readline()
        assert time.monotonic() - began < 10.0  # what is kept back until a buffer is full comes never
        _, err, code = finish(process, interrupt=True)
    assert code == Exit.INTERRUPTED, err
    assert "br-front: 2 packets" in err


def test_a_file_has_every_point_and_packet_and_survives_an_interrupt(demo_host: DemoHost, tmp_path: Path) -> None:
    require_lab("tcpdump")
    path = tmp_path / "ping.pcapng"
    with capturing(demo_host, *PATH, "--filter", "icmp", "--write", str(path)) as process:
        ping(demo_host)
        out, err, code = finish(process, interrupt=True)
    assert (out, code) == (b"", Exit.INTERRUPTED), err
    assert f"8 packets are in {path}" in err
    read = subprocess.run(["tcpdump", "-n", "-r", str(path)], capture_output=True, text=True, check=True, timeout=30)
    assert read.stdout.count("ICMP echo request") == 4
    assert read.stdout.count("ICMP echo reply") == 4
    for name in PATH:
        assert name.encode() in path.read_bytes()


def records(path: Path) -> list[CapturedPacket]:
    reader = CaptureReader(str(path), [])
    packets = list(reader.packets())
    reader.close()
    assert reader.notes == []
    return packets


def held(path: Path) -> int:
    """How many packets are in a file that may still be written."""
    reader = CaptureReader(str(path), [])
    count = len(list(reader.packets()))
    reader.close()
    return count


def test_a_file_equals_what_tcpdump_writes_beside_it(demo_host: DemoHost, tmp_path: Path) -> None:
    require_lab("tcpdump")
    dumps = {point: tmp_path / f"{point}.pcap" for point in ("veth-web", "br-front", "eth0")}
    ours = tmp_path / "ours.pcapng"
    running = []
    for point, path in dumps.items():
        command = [
            "tcpdump",
            "-i",
            point,
            "-n",
            "-U",
            "--immediate-mode",
            "--time-stamp-precision=nano",
            "-Z",
            "root",
            "-w",
            str(path),
            "icmp",
        ]
        running.append(demo_host.sandbox.popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL))
        assert running[-1].stderr
        assert b"listening on" in running[-1].stderr.readline()
    with capturing(demo_host, *dumps, "--filter", "icmp", "--write", str(ours)) as process:
        for _ in range(5):
            ping(demo_host)
        _, err, _ = finish(process, interrupt=True)
    until = time.monotonic() + 60
    while time.monotonic() < until and any(held(path) < 10 for path in dumps.values()):
        time.sleep(0.1)  # tcpdump gets its packets some time after us
    for dump in running:
        (child,) = Path(f"/proc/{dump.pid}/task/{dump.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGINT)
        dump.communicate(timeout=60)
    written = records(ours)
    for index, path in enumerate(dumps.values()):
        mine, theirs = [item for item in written if item.point == index], records(path)
        assert [(item.data, item.length) for item in mine] == [(item.data, item.length) for item in theirs], err
        assert len(mine) == 10
        assert max(abs(a.time_ns - b.time_ns) for a, b in zip(mine, theirs, strict=True)) < 1_000_000


def test_a_pcap_file_is_written_by_libpcap_and_read_again(demo_host: DemoHost, tmp_path: Path) -> None:
    path = tmp_path / "ping.pcap"
    with capturing(demo_host, "web:eth0", "--filter", "icmp", "--write", str(path)) as process:
        ping(demo_host)
        out, err, code = finish(process, interrupt=True)
    assert (out, code) == (b"", Exit.INTERRUPTED), err
    assert "web:eth0: 2 packets, 0 dropped by the kernel" in err
    assert len(records(path)) == 2
    assert path.stat().st_mode & 0o777 == 0o600
    done = demo_host.dnet("capture", "web:eth0", "--write", str(path), "--duration", "0.1")
    assert "is there already" in done.stderr.decode()
    done = demo_host.dnet("capture", "web", "--write", str(tmp_path / "b.pcap"), "--duration", "0.1")
    assert done.returncode == Exit.USAGE
    assert "room for one point" in done.stderr.decode()


@pytest.mark.parametrize("name", ["flood.pcap", "flood.pcapng"])
def test_a_full_disk_ends_the_capture_with_a_whole_file(demo_host: DemoHost, tmp_path: Path, name: str) -> None:
    path = Path("/mnt") / name
    demo_host.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt")
    try:
        with capturing(demo_host, "veth-web", "--filter", "udp port 9", "--write", str(path)) as process:
            scenario(demo_host, "send", "4000")
            _, err, code = finish(process)
        copy = tmp_path / name
        copy.write_bytes(demo_host.run("cat", str(path)).stdout)
    finally:
        demo_host.run("umount", "/mnt")
    assert code == Exit.CANNOT_INSPECT, err
    assert f"Can't write {path}: No space left on device; what was captured before is whole." in err
    assert f"{len(records(copy))} packets are in {path}" in err or name.endswith("ng")


def test_a_written_file_shows_the_same_rows(demo_host: DemoHost, tmp_path: Path) -> None:
    path = tmp_path / "ping.pcapng"
    with capturing(demo_host, *PATH, "--filter", "icmp", "--write", str(path)) as process:
        ping(demo_host)
        finish(process, interrupt=True)
    done = demo_host.dnet("capture", "--read", str(path), "--format", "json")
    assert done.returncode == Exit.OK, done.stderr.decode()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [[item["point"] for item in row["sightings"]] for row in rows] == [[*PATH], [*reversed(PATH)]]
    assert (rows[0]["src_name"], rows[1]["answers"]) == ("web", 1)


def test_a_file_can_be_piped(demo_host: DemoHost) -> None:
    with capturing(demo_host, "web:eth0", "--filter", "icmp", "--write", "-", "--count", "2") as process:
        ping(demo_host)
        out, err, code = finish(process)
    assert code == Exit.OK, err
    assert out[:4] == b"\x0a\x0d\x0d\x0a"


def test_a_reader_that_goes_away_ends_the_capture(demo_host: DemoHost) -> None:
    with capturing(demo_host, "web", "--filter", "icmp") as process:
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        ping(demo_host)
        _, err, code = finish(process)
    assert code == Exit.READER_GONE, err
    assert "Traceback" not in err


def test_no_packet_of_a_burst_is_lost(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "burst")
    assert [(point["received"], point["dropped"]) for point in seen["points"]] == [(BURST, 0), (BURST, 0)]
    assert seen["complete"] == [True, True]
    assert seen["ordered"]


def test_every_point_counts_the_same_packets_of_steady_traffic(demo_host: DemoHost) -> None:
    counts = scenario(demo_host, "span", "10")["counts"]
    assert [len(set(run)) for run in counts] == [1] * 10, counts
    assert all(run[0] > 100 for run in counts)


def test_what_does_not_fit_is_counted_to_the_last_packet(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "overrun")
    (point,) = seen["points"]
    assert point["dropped"] > 0
    assert point["received"] == seen["read"]
    assert point["received"] + point["dropped"] == BURST


def test_a_count_is_exact_over_all_points(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "count")
    assert len(seen["packets"]) == sum(point["received"] for point in seen["points"]) == 7


def test_a_duration_ends_the_capture(demo_host: DemoHost) -> None:
    assert 0.3 <= scenario(demo_host, "duration")["took"] < 10


def test_a_vanished_interface_is_told_and_the_others_go_on(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "vanish")
    assert seen["notes"] == ["veth-web: the interface is gone."]
    assert [(point["state"], point["received"]) for point in seen["points"]] == [("gone", 1), ("open", 2)]


def test_a_capture_does_not_keep_a_namespace_alive(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "namespace_ends")
    assert seen["notes"] == ["brief:eth0: its namespace has ended."]
    assert seen["points"][0]["state"] == "gone"


def test_an_interface_that_was_down_is_captured_again(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "down")
    assert len(seen["notes"]) == 1
    assert "down" in seen["notes"][0]
    assert seen["packets"]


def test_a_vlan_tag_is_found_and_kept(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "tagged")
    assert seen["whole"] == [seen["sent"]]
    assert seen["packets"][0]["info"].startswith("vlan 5, ")


def test_the_own_ssh_session_is_left_out_and_nothing_else(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "own_ssh")
    assert seen == {"without": [80, 45002], "with": [80, 45001, 45002]}


def test_loopback_shows_each_packet_once(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "loopback")
    assert len([item for item in seen["packets"] if item["proto"] == "UDP"]) == 3


def test_nothing_stays_open(demo_host: DemoHost) -> None:
    seen = scenario(demo_host, "leaks")
    assert seen["before"] == seen["after"]
    assert seen["threads"] == 1
    assert len(seen["errors"]) == 2
    assert all("Can't capture at br-front: the interface is gone." in error for error in seen["errors"])


def test_without_permission_it_says_what_is_needed(demo_host: DemoHost) -> None:
    if shutil.which("setpriv") is None:
        require_lab("setpriv")
    command = [*dnet_argv("capture", "br-front", "--duration", "1")]
    done = demo_host.run("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", *command, check=False)
    assert done.returncode == Exit.CANNOT_INSPECT, done.stderr.decode()
    assert "Can't capture at br-front: packet sockets are not permitted." in done.stderr.decode()
    assert "CAP_NET_RAW" in done.stderr.decode()
