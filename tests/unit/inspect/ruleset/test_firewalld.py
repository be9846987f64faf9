"""firewalld's settings and zones, from its files as its own process sees them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from dnet_tui.inspect.archive.redact import redact
from dnet_tui.inspect.archive.snapshot_file import encode
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.kernel.cgroups import CgroupContainer
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import Firewalld, FirewalldZone, Unread
from dnet_tui.inspect.model.coverage.gaps import Gap, with_gaps
from dnet_tui.inspect.model.coverage.sections import NOT_READ
from dnet_tui.inspect.ruleset import firewalld
from dnet_tui.inspect.ruleset.firewalld import parse_settings, parse_zone, read_firewalld
from unit.builders.factories import docker_like_snapshot

UNREAD = Unread(reason=NOT_READ)
RUNNING = ProcessSeen(pid=os.getpid(), parent=1, start=5, name="firewalld", inode=7)

ZONE = """<?xml version="1.0" encoding="utf-8"?>
<!-- <interface name="commented"/> -->
<zone version="1.0" target="ACCEPT">
  <short>trusted</short>
  <interface name="docker0"/>
  <interface name='br-app'/>
  <source address="10.88.0.0/16"/>
  <source ipset="mates"/>
  <rule family="ipv4"><source address="192.0.2.7"/><accept/></rule>
</zone>
"""


def test_the_settings_file_is_read_and_defaults_hold_for_the_rest() -> None:
    said = "# DefaultZone=x\nDefaultZone=work\n; y=z\nStrictForwardPorts = yes\nFirewallBackend=iptables\nnonsense\n"
    found = parse_settings(said, 3)
    assert (found.default_zone, found.strict_forward_ports, found.backend) == ("work", True, "iptables")
    plain = parse_settings("", 3)
    assert (plain.default_zone, plain.strict_forward_ports, plain.backend) == ("public", False, "nftables")
    assert plain.settled


def test_a_switch_that_says_something_else_is_not_known() -> None:
    assert parse_settings("StrictForwardPorts=perhaps\n", 3).strict_forward_ports is None


def test_a_zones_file_tells_its_interfaces_and_sources_and_not_those_of_its_rules() -> None:
    assert parse_zone("trusted", ZONE) == FirewalldZone(
        name="trusted", target="ACCEPT", interfaces=("docker0", "br-app"), sources=("10.88.0.0/16", "mates")
    )


@pytest.mark.parametrize(
    "said",
    [
        "",
        "<zone",
        "<service/>",
        "\0",
        '<?xml version="1.0" encoding="no-such"?><zone/>',
        '<?xml version="1.0" encoding="big5"?><zone/>',
        '<!DOCTYPE zone [<!ENTITY a SYSTEM "file:///etc/shadow">]><zone><short>&a;</short></zone>',
        "<zone>" + 100_000 * "<short>",
        '<!DOCTYPE zone [<!ENTITY a "b">]><zone><interface name="&a;"/></zone>',
    ],
)
def test_what_is_no_zones_file_is_refused(said: str) -> None:
    with pytest.raises(DnetError):
        parse_zone("odd", said)


def test_a_running_firewalld_is_read_from_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewalld, "_folder", lambda _: tmp_path)
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "trusted.xml").write_text(ZONE)
    (tmp_path / "zones" / "trusted.xml.old").write_text(ZONE)
    (tmp_path / "firewalld.conf").write_text("DefaultZone=home\n")
    seen = read_firewalld([RUNNING], 7)
    assert seen.gaps == ()
    assert seen.firewalld is not None
    assert seen.firewalld.default_zone == "home"
    assert seen.firewalld.zones_of("docker0") == ("trusted",)


def test_a_firewalld_without_files_of_its_own_runs_by_its_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firewalld, "_folder", lambda _: tmp_path)
    seen = read_firewalld([RUNNING], 7)
    assert (seen.firewalld is not None and seen.firewalld.zones, seen.gaps) == ((), ())


def test_zones_that_cannot_be_read_are_a_gap_and_not_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewalld, "_folder", lambda _: tmp_path)
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "odd.xml").write_text("<zone")
    seen = read_firewalld([RUNNING], 7)
    assert seen.firewalld is not None
    assert (seen.firewalld.zones, [gap.section for gap in seen.gaps]) == (UNREAD, ["firewalld"])


def _zones_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(firewalld, "_folder", lambda _: tmp_path)
    folder = tmp_path / "zones"
    folder.mkdir()
    return folder


def test_a_file_of_any_size_is_read_to_a_limit_and_is_a_gap_beyond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _zones_of(tmp_path, monkeypatch)
    padded = ZONE.replace("</zone>", f"<!-- {'x' * firewalld._LARGEST} --></zone>")
    (folder / "large.xml").write_text(padded)
    seen = read_firewalld([RUNNING], 7)
    assert seen.firewalld is not None
    assert (seen.firewalld.settled, seen.firewalld.zones) == (True, UNREAD)
    (tmp_path / "firewalld.conf").write_text("#" * firewalld._LARGEST + "\nStrictForwardPorts=yes\n")
    seen = read_firewalld([RUNNING], 7)
    assert seen.firewalld is not None
    assert (seen.firewalld.settled, seen.firewalld.strict_forward_ports) == (False, None)
    assert ["larger" in gap.reason for gap in seen.gaps] == [True]


@pytest.mark.parametrize(("suffix", "limit"), [(".xml", firewalld._MOST_ZONES), (".old", 4 * firewalld._MOST_ZONES)])
def test_too_many_files_are_a_gap_and_not_a_part_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, limit: int
) -> None:
    folder = _zones_of(tmp_path, monkeypatch)
    for number in range(limit):
        (folder / f"z{number}{suffix}").write_text("<zone/>")
    seen = read_firewalld([RUNNING], 7)
    assert seen.firewalld is not None
    assert seen.firewalld.zones != UNREAD
    (folder / f"more{suffix}").write_text("<zone/>")
    seen = read_firewalld([RUNNING], 7)
    assert seen.firewalld is not None
    assert (seen.firewalld.zones, len(seen.gaps)) == (UNREAD, 1)


@pytest.mark.parametrize("denied", ["firewalld.conf", "public.xml"])
def test_what_may_not_be_read_is_a_gap_that_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    folder = _zones_of(tmp_path, monkeypatch)
    (folder / "public.xml").write_text("<zone/>")
    (tmp_path / "firewalld.conf").write_text("")
    read = firewalld._read

    def refused(path: Path) -> str:
        if path.name == denied:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(firewalld, "_read", refused)
    seen = read_firewalld([RUNNING], 7)
    assert seen.firewalld is not None
    assert seen.firewalld.zones == UNREAD
    (gap,) = seen.gaps
    assert (gap.section, "root" in gap.hint) == ("firewalld", True)


def test_a_zone_that_is_no_zones_file_is_not_named_in_the_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _zones_of(tmp_path, monkeypatch)
    (folder / "acme-secret.xml").write_text("<service/>")
    (gap,) = read_firewalld([RUNNING], 7).gaps
    assert "acme" not in gap.reason + gap.hint
    assert "--check-config" in gap.hint


def test_a_zones_name_may_be_any_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _zones_of(tmp_path, monkeypatch)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.xml")).write_text("<zone/>")
    seen = read_firewalld([RUNNING], 7)
    assert seen.firewalld is not None
    assert [zone.name for zone in seen.firewalld.zones or ()] == ["\\xff"]


def test_zones_that_somebody_made_up_are_given_away_without_their_names() -> None:
    zones = (
        FirewalldZone(name="trusted", interfaces=("docker0",)),
        FirewalldZone(name="acme-guests", interfaces=("br-app",), sources=("10.10.0.0/24",)),
    )
    base = msgspec.structs.replace(
        docker_like_snapshot(),
        firewalld=msgspec.structs.replace(parse_settings("DefaultZone=acme-guests", 3), zones=zones),
    )
    base = with_gaps(base, [Gap(section="firewalld", scope="firewalld", reason="zone acme-guests")])
    changed = redact(base, b"nobody knows")
    assert b"acme" not in encode(changed)
    assert isinstance(changed.firewalld, Firewalld)
    kept, other = changed.firewalld.zones
    assert kept == zones[0]
    assert (other.name, changed.firewalld.default_zone) == ("zone-1", "zone-1")
    assert other.sources != zones[1].sources
    assert changed.networks[1].subnets[0].cidr == other.sources[0]


def test_a_settings_file_that_is_no_file_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewalld, "_folder", lambda _: tmp_path)
    os.mkfifo(tmp_path / "firewalld.conf")
    seen = read_firewalld([RUNNING], 7)
    assert seen.firewalld is not None
    assert not seen.firewalld.settled
    assert len(seen.gaps) == 1


@pytest.mark.parametrize(
    "other",
    [
        ProcessSeen(pid=1, parent=0, start=1, name="firewall-cmd", inode=7),
        ProcessSeen(pid=1, parent=0, start=1, name="firewalld", inode=8),
        ProcessSeen(
            pid=1, parent=0, start=1, name="firewalld", inode=7, container=CgroupContainer(id="c", engine="docker")
        ),
    ],
)
def test_another_process_or_one_elsewhere_is_not_the_hosts_firewalld(other: ProcessSeen) -> None:
    assert read_firewalld([other], 7).firewalld is None
