"""Which program holds a TUN device, and where that device is."""

from __future__ import annotations

from pathlib import Path

from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.kernel.tunnels.tun_programs import find_tun_programs
from dnet_tui.inspect.model import Link, TunProgram

HOST, WEB, DB = "net:[1]", "net:[2]", "net:[3]"


def process(pid: int, inode: int, name: str = "openvpn") -> ProcessSeen:
    return ProcessSeen(pid=pid, parent=1, start=1, name=name, inode=inode)


def proc(root: Path, pid: int, **held: str) -> Path:
    """A folder like /proc: descriptors that lead to /dev/net/tun, with the device of each."""
    for fd, device in held.items():
        number = fd.removeprefix("fd")
        folder = root / str(pid)
        (folder / "fd").mkdir(parents=True, exist_ok=True)
        (folder / "fdinfo").mkdir(exist_ok=True)
        (folder / "fd" / number).symlink_to("/dev/net/tun" if device else "/dev/null")
        (folder / "fdinfo" / number).write_text(f"pos:\t0\nflags:\t02\niff:\t{device}\n" if device else "pos:\t0\n")
    return root


def tun(name: str) -> tuple[Link, ...]:
    return (Link(ifindex=5, name=name, kind="tun"),)


def test_a_program_elsewhere_may_hold_the_only_device_of_that_name(tmp_path: Path) -> None:
    proc(tmp_path, 77, fd3="", fd4="tap0")
    found = find_tun_programs([process(77, 1, "slirp4netns")], {HOST: (), WEB: tun("tap0")}, tmp_path)
    assert found == (TunProgram(netns=WEB, link="tap0", pid=77, name="slirp4netns"),)


def test_of_several_devices_of_a_name_it_is_the_one_beside_the_program(tmp_path: Path) -> None:
    proc(tmp_path, 77, fd4="tun0")
    links = {HOST: tun("tun0"), WEB: tun("tun0")}
    assert [item.netns for item in find_tun_programs([process(77, 2)], links, tmp_path)] == [WEB]
    assert find_tun_programs([process(77, 3)], links, tmp_path) == ()  # either may be it


def test_without_such_a_device_nobody_is_looked_into(tmp_path: Path) -> None:
    proc(tmp_path, 77, fd4="tun0")
    assert find_tun_programs([process(77, 1)], {HOST: (Link(ifindex=5, name="tun0"),)}, tmp_path) == ()


def test_a_program_that_may_not_be_looked_into_tells_nothing(tmp_path: Path) -> None:
    assert find_tun_programs([process(78, 1)], {HOST: tun("tun0")}, tmp_path) == ()
