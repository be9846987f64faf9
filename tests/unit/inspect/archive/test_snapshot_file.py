"""Saving and loading snapshots."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from dnet_tui.inspect.archive import snapshot_file
from dnet_tui.inspect.archive.snapshot_file import decode, encode, load, save
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import FORMAT, Container, Lack, Link, LinkRef, Namespace, Partial, Settings, Snapshot
from dnet_tui.inspect.model.firewall import Chain, Firewall, Match, Rule, Table, Verdict

RULE = Rule(
    number=1, text="-A FORWARD -j DROP", exprs=(Match(field="iif", values=("br0",)), Verdict(kind="drop")), packets=7
)
CHAIN = Chain(name="FORWARD", rules=(RULE,), hook="forward", type="filter", policy="drop")
SNAPSHOT = Snapshot(
    tool_version="0.1.0",
    taken_at="2026-11-21T00:00:00+00:00",
    namespaces=(
        Namespace(
            id="net:[1]",
            inode=1,
            kind="host",
            links=(Link(ifindex=2, name="grün\\xff", kind="veth", peer=LinkRef(namespace="net:[2]", ifindex=3)),),
            sysctls=Settings(values={"net.ipv4.ip_forward": "1"}),
            firewall=Firewall(tables=(Table(family="ip", name="filter", backend="iptables-nft", chains=(CHAIN,)),)),
        ),
    ),
    containers=(Container(id="a", name="web", engine="docker", netns="net:[1]"),),
    engines=Partial(items=(), lacks=(Lack(scope="docker", reason="silent"),)),
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    save(SNAPSHOT, path)
    assert load(path) == SNAPSHOT
    assert [item.name for item in tmp_path.iterdir()] == ["host.json"]


def test_encoding_is_stable() -> None:
    assert decode(encode(SNAPSHOT)) == SNAPSHOT
    assert encode(decode(encode(SNAPSHOT))) == encode(SNAPSHOT)


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "latest.json"
    link.symlink_to(tmp_path / "there" / "real.json")
    save(SNAPSHOT, link)
    assert link.is_symlink()
    assert load(tmp_path / "there" / "real.json") == SNAPSHOT


def full_disk(_fd: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "host.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(DnetError, match="No space left"):
        save(SNAPSHOT, path)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["host.json"]


@pytest.mark.parametrize("place", ["missing/host.json", "."])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(DnetError) as caught:
        save(SNAPSHOT, tmp_path / place)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"{", "cut short"),
        (encode(SNAPSHOT)[:-20], "cut short"),
        (b"*filter\n:INPUT ACCEPT", "isn't JSON"),
        (b'{"format":2,"host":"\xff"}', "isn't a dnet-tui snapshot"),
        (b"[" * 5000, "isn't"),
        (b"[]", "isn't a dnet-tui snapshot"),
        (b"{}", "isn't a dnet-tui snapshot"),
        (b'{"format":0}', "isn't a dnet-tui snapshot"),
        (b'{"format":"1"}', "isn't a dnet-tui snapshot"),
        (b'{"format":1,"namespaces":[{"id":7}]}', "isn't a dnet-tui snapshot"),
    ],
)
def test_what_is_no_snapshot_is_refused_in_words(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(DnetError, match=words) as caught:
        load(path)
    assert "x.json" in caught.value.message
    assert caught.value.hint


def test_a_newer_format_is_refused_kindly() -> None:
    newer = b'{"format":%d,"tool_version":"9.9","namespaces":"of another shape"}' % (FORMAT + 1)
    with pytest.raises(DnetError, match=r"newer dnet-tui \(9\.9\)"):
        decode(newer)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DnetError, match=r"there is no file .*none\.json"):
        load(tmp_path / "none.json")


def test_a_folder_is_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(DnetError, match="can't be read"):
        load(tmp_path)


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text("old")
    path.chmod(0o644)
    save(SNAPSHOT, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_snapshot_of_an_older_format_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_file, "FORMAT", 2)
    monkeypatch.setattr(snapshot_file, "STEPS", (lambda raw: {**raw, "host": {"hostname": raw["name"], "kernel": ""}},))

    loaded = decode(b'{"format":1,"name":"lab","namespaces":[{"id":"net:[1]","inode":1,"kind":"host"}]}')

    assert (loaded.format, loaded.host.hostname) == (2, "lab")
    assert loaded.namespaces[0].id == "net:[1]"


def test_an_older_snapshot_that_is_unsound_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_file, "FORMAT", 2)
    monkeypatch.setattr(snapshot_file, "STEPS", (lambda raw: {**raw, "host": raw["name"]},))

    with pytest.raises(DnetError, match=r"old\.json can't be read: it isn't sound as one of format 1") as caught:
        decode(b'{"format":1}', "old.json")
    assert caught.value.hint
    with pytest.raises(DnetError, match="isn't a dnet-tui snapshot"):
        decode(b'{"format":1,"name":7}', "old.json")
