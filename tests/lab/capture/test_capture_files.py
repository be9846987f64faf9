"""What is written is what other programs read: Wireshark's and tcpdump."""

from __future__ import annotations

import subprocess
from pathlib import Path

from dnet_tui.inspect.capture.files.pcapng_blocks import FileInterface, FileStatistics
from dnet_tui.inspect.capture.files.pcapng_writer import PcapngWriter
from dnet_tui.inspect.capture.packet import ETHERNET, OUTGOING
from lab.machines.requirements import require_lab
from unit.builders.packets import TIME, A, ethernet, icmp, ipv4, packet


def test_other_programs_find_nothing_amiss(tmp_path: Path) -> None:
    require_lab("capinfos", "tcpdump")
    frame = ethernet(ipv4(1, icmp(8, 0, b"x" * 57, 5, 1)))
    points = [FileInterface(name=name, description="", linktype=ETHERNET, snaplen=262_144) for name in ("web", "eth0")]
    path = tmp_path / "a.pcapng"
    writer = PcapngWriter(str(path), points, names={A: "web"})
    writer.write([packet(frame), packet(frame, point=1, reception=OUTGOING, time_ns=TIME + 7, length=1500)])
    writer.close([FileStatistics(received=1, dropped=0)] * 2)
    told = subprocess.run(["capinfos", str(path)], capture_output=True, text=True, check=True).stdout
    assert "Number of packets:   2" in told
    assert "nanoseconds (9)" in told
    shown = subprocess.run(["tcpdump", "-n", "-r", str(path)], capture_output=True, text=True, check=True).stdout
    assert shown.count("ICMP echo request") == 2
