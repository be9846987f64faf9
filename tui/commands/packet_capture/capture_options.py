"""The options of ``dnet-tui capture``, as typer reads them."""

from __future__ import annotations

from typing import Annotated

import typer

from dnet_tui.inspect.capture.packet import SNAPLEN
from dnet_tui.tui import completion

Points = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[POINT]...",
        autocompletion=completion.interfaces,
        help="An interface, a container, container:interface, or a network.",
    ),
]
CaptureFilter = Annotated[
    str, typer.Option("--filter", metavar="EXPR", help="Only packets that match, as in pcap-filter(7).")
]
Count = Annotated[int | None, typer.Option(min=1, help="End after this many packets.")]
Duration = Annotated[float | None, typer.Option(min=0, help="End after this many seconds.")]
ShowFilter = Annotated[
    str, typer.Option("--show", metavar="EXPR", help="Print only these: host web, port 80, lost, answered …")
]
WriteFile = Annotated[
    str, typer.Option(metavar="FILE", help="Write a pcapng file (- for stdout), or FILE.pcap by libpcap, fastest.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")]
Rotate = Annotated[str, typer.Option(metavar="LIMIT", help="A new file after this size or time: 100M, 2G, 10min, 1h.")]
Keep = Annotated[int, typer.Option(min=0, show_default=False, help="With --rotate: keep only the last files.")]
ReadFiles = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="Show a pcap or pcapng file instead (- for stdin); several are joined."),
]
PacketNumber = Annotated[
    int | None,
    typer.Option(
        "--packet", metavar="N", min=1, help="With --read: packet #N in full, its fields and its bytes in hex."
    ),
]
Detail = Annotated[bool, typer.Option("--detail", help="Each packet in full: its fields and its bytes in hex.")]
Drops = Annotated[
    bool, typer.Option("--drops", help="What the kernel drops of these containers' traffic, and by which rule.")
]
SnapLength = Annotated[int, typer.Option(min=64, max=SNAPLEN, help="Bytes to keep of each packet.")]
AllSsh = Annotated[bool, typer.Option("--all-ssh", help="Don't leave out the SSH session you work in.")]
Promiscuous = Annotated[
    bool,
    typer.Option(
        "--promiscuous/--no-promiscuous",
        help="Also see frames for others; without it a bridge shows only what concerns the host.",
    ),
]
