"""What a later snapshot takes over from an earlier one, and what must be read again."""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.kernel.netns import NsHandle
from dnet_tui.inspect.model import Link, Process
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.firewall import Chain, Firewall, NamedSet, Table, UnreadTable
from dnet_tui.inspect.ruleset.read_firewall import can_be_kept
from dnet_tui.inspect.snapshot.namespace_candidates import NamespaceCandidate
from dnet_tui.inspect.snapshot.read_cache import ReadCache, changed_peers, keep

HOST, WEB, DB = "net:[1]", "net:[2]", "net:[3]"
SLEEPER = Process(pid=10, start=500, name="sleep")


def place(inode: int, *processes: Process, names: tuple[str, ...] = (), tenanted: bool = True) -> NamespaceCandidate:
    return NamespaceCandidate(
        handle=NsHandle(inode=inode), is_host=inode == 1, names=names, processes=processes, is_tenanted=tenanted
    )


def memory(*places: NamespaceCandidate, **contents: NamespaceReading) -> ReadCache:
    found = {item.id: item for item in contents.values()}
    return ReadCache(
        places={item.id: item for item in places},
        contents={item.id: found.get(item.id, NamespaceReading(id=item.id)) for item in places},
    )


def kept(
    before: ReadCache, *places: NamespaceCandidate, touched: frozenset[str] = frozenset()
) -> tuple[set[str], set[str]]:
    found = keep(before, places, touched)
    return set(found.sure), set(found.doubtful)


def test_a_namespace_with_the_same_processes_is_taken_over_and_the_hosts_never() -> None:
    places = (place(1, SLEEPER), place(2, SLEEPER))
    assert kept(memory(*places), *places) == ({WEB}, set())


def test_what_is_new_or_touched_is_read() -> None:
    before = memory(place(2, SLEEPER))
    assert kept(before, place(2, SLEEPER), place(3, SLEEPER)) == ({WEB}, set())
    assert kept(before, place(2, SLEEPER), touched=frozenset({WEB})) == (set(), set())


def test_a_number_that_another_namespace_got_is_not_mistaken_for_the_first() -> None:
    reused = msgspec.structs.replace(SLEEPER, start=900)
    assert kept(memory(place(2, SLEEPER)), place(2, reused)) == (set(), set())
    assert kept(memory(place(2, SLEEPER)), place(2, SLEEPER, Process(pid=11, start=901))) == (set(), set())


def test_without_a_process_the_kernels_cookie_decides() -> None:
    web = place(2, names=("web",), tenanted=False)
    assert kept(memory(web, web=NamespaceReading(id=WEB, cookie=7)), web) == (set(), {WEB})
    assert kept(memory(web, web=NamespaceReading(id=WEB, cookie=None)), web) == (set(), set())


def test_what_could_not_be_read_whole_is_read_again() -> None:
    web = place(2, SLEEPER)
    gap = Gap(section="routes", scope=WEB, reason="it changed")
    assert kept(memory(web, web=NamespaceReading(id=WEB, gaps=[gap])), web) == (set(), set())


def test_a_sandbox_is_looked_at_each_time() -> None:
    web = place(2, SLEEPER, tenanted=False)
    assert kept(memory(web), web) == (set(), set())


def end(index: int, nsid: int | None = 0, **changes: object) -> Link:
    link = Link(ifindex=index, name=f"veth{index}", kind="veth", lower=2, lower_nsid=nsid, up=True, carrier=True)
    return msgspec.structs.replace(link, **changes)


def host(*links: Link) -> NamespaceReading:
    return NamespaceReading(id=HOST, links=links, nsids={0: WEB, 1: DB})


def test_a_changed_end_in_the_host_tells_of_the_namespace_it_leads_to() -> None:
    before = host(end(5), end(6, 1), end(7, None))
    assert changed_peers(before, host(end(5), end(6, 1), end(7, None, up=False))) == set()
    assert changed_peers(before, host(end(5, carrier=False), end(6, 1), end(7, None))) == {WEB}
    assert changed_peers(before, host(end(5), end(7, None))) == {DB}
    assert changed_peers(before, host(end(5), end(6, 1), end(8, 1), end(7, None))) == {DB}
    assert changed_peers(before, host(end(5), end(6, 0), end(7, None))) == {WEB, DB}


def test_counters_alone_disturb_nothing() -> None:
    counted = end(5, stats=msgspec.structs.replace(end(5).stats, rx_packets=10))
    assert changed_peers(host(end(5)), host(counted)) == set()


RULES = Firewall(tables=(Table(family="ip", name="nat", backend="iptables-nft", chains=(Chain(name="DOCKER"),)),))


def read(firewall: Firewall | None = RULES, generation: int | None = 4, gaps: tuple[Gap, ...] = ()) -> NamespaceReading:
    return NamespaceReading(id=HOST, firewall=firewall, generation=generation, gaps=list(gaps))


def test_rules_that_were_all_read_may_stand() -> None:
    assert can_be_kept(read())
    assert can_be_kept(read(gaps=(Gap(section="sysctls", reason="one file"),)))


def test_rules_that_cannot_be_proved_unchanged_are_read_again() -> None:
    legacy = Firewall(tables=(Table(family="ip", name="nat", backend="iptables-legacy", chains=()),))
    ipsets = msgspec.structs.replace(RULES, ipsets=(NamedSet(name="blocked", type="hash:ip"),))
    unread = msgspec.structs.replace(
        RULES, unread=(UnreadTable(family="inet", name="fw", backend="nftables", reason="no nft"),)
    )
    assert not can_be_kept(read(None))
    assert not can_be_kept(read(gaps=(Gap(section="firewall", reason="no permission"),)))
    for firewall in (legacy, ipsets, unread):
        assert not can_be_kept(read(firewall))
