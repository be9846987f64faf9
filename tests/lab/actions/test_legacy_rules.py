"""Legacy rules written by python-iptables and by the program: the same rules, and both taken back byte for byte."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from dnet_tui.actions.changes.chains import digest, parse_chain
from dnet_tui.actions.changes.legacy_child import LegacyReply, Order
from dnet_tui.actions.changes.legacy_rule import easy_rule
from dnet_tui.actions.changes.legacy_write import child_argv
from dnet_tui.diagnostics.operations.rule import rule_words
from lab.machines.hosts import DemoHost, LabHost, python_argv
from lab.machines.requirements import decline, require_lab
from lab.packets.legacy_tables import entries, saved

PROGRAMS = {"ip": "iptables-legacy", "ip6": "ip6tables-legacy"}

BY_LIBRARY, BY_PROGRAM = "python-iptables", "iptables-legacy (python-iptables is not installed)"

SAME = {
    "ip": r"""
filter -j ACCEPT
filter -s 10.0.0.0/8 ! -d 10.1.2.3/32 -j DROP
filter ! -s 10.0.0.0/9 -d 192.0.2.0/30 -j RETURN
filter -i eth0 ! -o abcdefghijklmno -j ACCEPT
filter ! -p tcp -j ACCEPT
filter -p sctp -j ACCEPT
filter -p 253 -j ACCEPT
filter -p tcp --dport 80 -j ACCEPT
filter -p tcp -m tcp ! --sport 1000:2000 --dport 80 -j ACCEPT
filter -p tcp -m tcp --dport 1024: -j ACCEPT
filter -p udp -m udp --sport 53 ! --dport 53 -j ACCEPT
filter -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP
filter -p tcp -m tcp ! --tcp-flags SYN,RST SYN -j DROP
filter -p tcp -m multiport --dports 80,443,8000:8080 -j ACCEPT
filter -p udp -m multiport ! --sports 53,123 -j ACCEPT
filter -p tcp -m multiport --ports 22,80 -j ACCEPT
filter -p icmp -m icmp --icmp-type 8 -j ACCEPT
filter -p icmp -m icmp ! --icmp-type 3/4 -j ACCEPT
filter -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
filter -m conntrack ! --ctstate INVALID,NEW -j ACCEPT
filter -m state --state NEW,INVALID -j DROP
filter -m mark --mark 0x1 -j ACCEPT
filter -m mark ! --mark 0x1/0xff -j ACCEPT
filter -m addrtype ! --src-type LOCAL,MULTICAST --dst-type UNICAST -j ACCEPT
filter -m comment --comment "two words \"and\" \\back $(x) `y` ; # !" -j ACCEPT
filter -m comment --comment "!not" -j ACCEPT
filter -m comment --comment "-j DROP" -j ACCEPT
filter -i lo -p tcp -m tcp --dport 5 -m conntrack --ctstate NEW -m comment --comment x -j CHAIN
filter -g CHAIN
filter -j CHAIN
filter -j REJECT
filter -p tcp -j REJECT --reject-with tcp-reset
nat -s 172.18.0.0/16 ! -o lo -j MASQUERADE
nat -p tcp -j MASQUERADE --to-ports 1024-2000 --random
nat -j MASQUERADE --random-fully
nat -s 10.0.0.1 -j SNAT --to-source 203.0.113.5-203.0.113.9
nat -p tcp -j SNAT --to-source 203.0.113.5:2000-3000 --random --persistent
nat ! -i lo -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:80
nat -j DNAT --to-destination 172.18.0.2 --persistent
nat -p tcp -j DNAT --to-destination :81
nat -p tcp -m tcp --dport 1 -j REDIRECT --to-ports 99
nat -j REDIRECT
mangle -j MARK --set-xmark 0x1/0xffffffff
mangle -j MARK --set-mark 0x10/0xf0
""",
    "ip6": r"""
filter -s 2001:db8::/33 ! -d fe80::1/128 -p tcp -m tcp --dport 80 -j ACCEPT
filter -p ipv6-icmp -j ACCEPT
filter -p tcp -j REJECT --reject-with tcp-reset
filter -j REJECT
filter -m conntrack --ctstate ESTABLISHED,RELATED -j CHAIN
filter -g CHAIN
filter -p udp -m multiport --dports 1,2 -m comment --comment "a b" -j RETURN
filter -m addrtype --dst-type LOCAL -j DROP
nat -s fd00::/64 -j MASQUERADE
nat -p tcp -m tcp --dport 1 -j DNAT --to-destination [fd00::2]:80
nat -j DNAT --to-destination fd00::2
nat -j SNAT --to-source 2001:db8::1-2001:db8::9
mangle -m mark --mark 0x1/0xff -j MARK --set-xmark 0x1/0xffffffff
""",
}
"""Every construct that is mapped: the table and the rule."""

UNUSED = "UNUSED"
"""A chain that no packet reaches: counters are compared as well."""

COMMENTS = (
    "plain",
    "it's \\ 'quoted' \"twice\"",
    "--ctstate NEW -j DROP",
    "-j ACCEPT",
    "!",
    "! --comment",
    "$(reboot) `reboot` ; reboot | reboot & # %s %n",
    "caf\u00e9 \u202e gnirts",
    "\x1b[31mred\x1b[0m \ttab",
    " leading and trailing ",
    "x" * 255,
    '"' * 255,
)
"""What others may write into a comment, of which undo has to put back every byte."""

_ACT = """
import os, signal, sys
import msgspec
from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.host_access import LocalHost
from dnet_tui.actions.journal.journal import state_folder
from dnet_tui.actions.changes.legacy_write import child_argv
from dnet_tui.actions.plans.plan import Plan
from dnet_tui.actions.execution.undo import undo_entry

verb, library, tamper = sys.argv[1:4]

TAMPERED = '''
import os, sys, time
from dnet_tui.actions.changes import legacy_child
how, _, when = sys.argv[1].partition("-")
commit = legacy_child._commit
def tampered(table):
    if how == "slow":
        time.sleep(0.2)
        return commit(table)
    if when == "after":
        commit(table)
    if how == "both":
        os.kill(os.getppid(), 9)
    os.kill(os.getpid(), 9)
legacy_child._commit = tampered
legacy_child.main()
'''

class Tampering(LocalHost):
    def has_package(self, name):
        return library == "with" and super().has_package(name)

    def run(self, argv, **more):
        if tamper and tuple(argv) == child_argv():
            argv = (sys.executable, "-P", "-c", TAMPERED, tamper)
        return super().run(argv, **more)

executor = HostExecutor(Tampering())
if verb == "undo":
    print("; ".join(undo_entry(executor, state_folder()).notes))
else:
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    print("; ".join(apply_plan(plan, executor, state_folder()).writers))
"""


def require_library() -> None:
    require_lab()
    if importlib.util.find_spec("iptc") is None:
        decline("not installed: python-iptables")


@pytest.fixture
def host(demo_host: DemoHost) -> DemoHost:
    """A host with legacy rules: twins, a chain of its own, and counters."""
    for line in (
        "-N CHAIN",
        "-A FORWARD -j CHAIN -c 1 60",
        "-A FORWARD -i lo -j DROP -c 5 600",
        "-A FORWARD -s 192.0.2.0/24 -p tcp -m tcp --dport 80 -j ACCEPT -c 9 900",
        "-A FORWARD -i lo -j DROP -c 2 120",
        "-A FORWARD -m limit --limit 5/sec -j ACCEPT -c 7 700",
    ):
        demo_host.run("iptables-legacy", *line.split())
    return demo_host


def picture(host: LabHost) -> dict[str, Any]:
    loaded = [host.run("cat", f"/proc/net/{name}_tables_names", check=False).stdout for name in ("ip", "ip6")]
    return {"tables": loaded, "text": saved(host), "entries": entries(host)}


def rule(op: str, spec: str, position: int | None, **more: Any) -> dict[str, Any]:
    place = {"backend": "iptables-legacy", "family": "ip", "table": "filter", "chain": "FORWARD"}
    return {"op": f"{op}-rule", **place, "spec": spec, "position": position, **more}


def act(
    host: LabHost, verb: str, *steps: dict[str, Any], library: str = "with", tamper: str = "", check: bool = True
) -> str:
    plan = {"title": "a test's", "steps": [{"action": step} for step in steps]}
    ran = host.run(*python_argv(_ACT), verb, library, tamper, stdin=json.dumps(plan).encode(), check=check)
    return ran.stdout.decode().strip()


def texts(host: LabHost, table: str = "filter", chain: str = "FORWARD", family: str = "ip") -> list[str]:
    return parse_chain(saved(host, table, family), chain).texts


def order(host: LabHost, spec: str, *, table: str = "filter", chain: str = "FORWARD", **more: Any) -> Order:
    """An order to insert a rule at the top, from a starter in another PID namespace."""
    family = more.pop("family", "ip")
    standing = {
        "family": family,
        "number": 1,
        "digest": digest(texts(host, table, chain, family)),
        "rule": easy_rule(spec, family),
        "starter": 0,
        "patience": 10.0,
    }
    return Order(table=table, chain=chain, text=spec, **(standing | more))


def give(host: LabHost, what: Order, *prefix: str) -> LegacyReply:
    ran = host.run(*prefix, *child_argv(), stdin=msgspec.json.encode(what))
    return msgspec.json.decode(ran.stdout, type=LegacyReply)


@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_python_iptables_writes_what_iptables_writes(demo_host: DemoHost, family: str) -> None:
    require_library()
    program = PROGRAMS[family]
    demo_host.run(program, "-N", "CHAIN")
    for table in ("filter", "nat", "mangle"):
        demo_host.run(program, "-t", table, "-N", UNUSED)
    for line in SAME[family].strip().splitlines():
        table, spec = line.split(" ", 1)
        words = rule_words(spec)
        demo_host.run(program, "-t", table, "-I", UNUSED, "1", *words, "-c", "3", "300")
        by_program = saved(demo_host, table, family), entries(demo_host, table, family)
        demo_host.run(program, "-t", table, "-D", UNUSED, "1")
        what = order(demo_host, spec, table=table, chain=UNUSED, family=family, packets=3, bytes=300)

        assert give(demo_host, what) == LegacyReply(outcome="done"), line
        assert (saved(demo_host, table, family), entries(demo_host, table, family)) == by_program, line
        demo_host.run(program, "-t", table, "-D", UNUSED, *words)
    loaded = demo_host.run("cat", f"/proc/net/{family}_tables_names").stdout.split()
    assert sorted(loaded) == [b"filter", b"mangle", b"nat"]  # and no table that was merely looked into


@pytest.mark.parametrize("undone", ["with", "without"])
@pytest.mark.parametrize("library", ["with", "without"])
def test_changes_come_back_byte_for_byte_with_their_counters(host: DemoHost, library: str, undone: str) -> None:
    if "with" in {library, undone}:
        require_library()
    before = picture(host)
    writers = act(
        host,
        "apply",
        rule("delete", "-i lo -j DROP", 4),
        rule("delete", "-s 192.0.2.0/24 -p tcp -m tcp --dport 80 -j ACCEPT", 3),
        rule("insert", "-o lo -p tcp --dport 443 -j REJECT", 2),
        rule("delete", "-j CHAIN", 1),
        rule("insert", "-m conntrack --ctstate RELATED,ESTABLISHED -j CHAIN", None),
        library=library,
    )

    assert writers == (BY_LIBRARY if library == "with" else BY_PROGRAM)
    assert texts(host) == [
        "-o lo -p tcp -m tcp --dport 443 -j REJECT --reject-with icmp-port-unreachable",
        "-i lo -j DROP",
        "-m limit --limit 5/sec -j ACCEPT",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j CHAIN",
    ]
    assert "[5:600] -A FORWARD -i lo -j DROP" in saved(host)
    notes = act(host, "undo", library=undone)
    assert f"written by {BY_LIBRARY if undone == 'with' else BY_PROGRAM}" in notes
    assert picture(host) == before


def test_only_the_table_that_is_written_is_loaded(host: DemoHost) -> None:
    require_library()
    assert act(host, "apply", rule("insert", "-i lo -j CHAIN", 1)) == BY_LIBRARY
    assert picture(host)["tables"] == [b"filter\n", b""]


def test_what_it_cannot_write_exactly_the_program_does(host: DemoHost) -> None:
    require_library()
    before = picture(host)
    specs = ("-m limit --limit 5/sec -j ACCEPT", "-j LOG --log-prefix x", "-i br-+ -j ACCEPT")
    for spec in specs:
        writer = act(host, "apply", rule("insert", spec, 1))
        assert writer == "iptables-legacy (python-iptables can't write this rule exactly)"
    for _ in specs:
        act(host, "undo")
    assert picture(host) == before


def test_a_jump_to_a_chain_that_is_not_there_changes_nothing(host: DemoHost) -> None:
    require_library()
    before = picture(host)
    act(host, "apply", rule("insert", "-j GONE", 1), check=False)
    assert picture(host) == before
    refused = give(host, order(host, "-j GONE"))
    assert refused == LegacyReply(outcome="refused", reason="GONE is no chain of the table")


def test_it_says_in_the_journal_who_wrote(host: DemoHost) -> None:
    require_library()
    act(host, "apply", rule("insert", "-i lo -j ACCEPT", 1))
    assert b"written by python-iptables\n" in host.dnet("journal").stdout


@pytest.mark.parametrize("library", ["with", "without"])
def test_comments_of_others_come_back_as_they_were(demo_host: DemoHost, library: str) -> None:
    if library == "with":
        require_library()
    for number, comment in enumerate(COMMENTS, 1):
        demo_host.run(
            *("iptables-legacy", "-A", "FORWARD", "-s", f"192.0.2.{number}"),
            *("-m", "comment", "--comment", comment, "-j", "DROP", "-c", "1", "2"),
        )
    before = picture(demo_host)
    specs = texts(demo_host)
    assert len(specs) == len(COMMENTS)

    act(demo_host, "apply", *(rule("delete", spec, 1) for spec in specs), library=library)

    assert texts(demo_host) == []
    notes = act(demo_host, "undo", library=library)
    assert ("written by python-iptables" in notes) is (library == "with")
    assert picture(demo_host) == before


def test_a_comment_of_two_lines_is_left_alone(demo_host: DemoHost) -> None:
    demo_host.run("iptables-legacy", "-A", "FORWARD", "-m", "comment", "--comment", "a\n-A b", "-j", "DROP")
    before = picture(demo_host)
    act(demo_host, "apply", rule("delete", texts(demo_host)[0], 1), check=False)
    assert picture(demo_host) == before


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_child_killed_in_the_middle_is_made_good(host: DemoHost, when: str) -> None:
    require_library()
    before = picture(host)
    writer = act(host, "apply", rule("delete", "-i lo -j DROP", 4), tamper=f"child-{when}")

    by_program = "iptables-legacy (python-iptables failed: it was killed by signal 9)"
    assert writer == (BY_LIBRARY if when == "after" else by_program)
    assert len(texts(host)) == 4
    assert "[5:600] -A FORWARD -i lo -j DROP" in saved(host)
    act(host, "undo", tamper=f"child-{when}")
    assert picture(host) == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [rule("delete", "-i lo -j DROP", 4), rule("insert", "-i lo -j DROP", 3)])
def test_killed_together_with_its_starter_undo_restores(host: DemoHost, step: dict[str, Any], when: str) -> None:
    require_library()
    before = picture(host)
    act(host, "apply", step, tamper=f"both-{when}", check=False)

    assert (picture(host) == before) is (when == "before")
    assert "(cut short)" in host.dnet("undo", "--yes").stdout.decode()
    assert picture(host) == before


_LOCKED = """
import fcntl, json, os, subprocess, sys, time
from pathlib import Path

order = json.load(sys.stdin)
starter = "import os, subprocess, sys; o = sys.stdin.read().replace('STARTER', str(os.getpid())); \
subprocess.run(sys.argv[1:], input=o.encode())"
order["starter"] = "STARTER"
with open("/run/xtables.lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    text = json.dumps(order).replace('"STARTER"', "STARTER")
    process = subprocess.Popen([sys.executable, "-P", "-c", starter, *sys.argv[2:]], stdin=subprocess.PIPE)
    process.stdin.write(text.encode())
    process.stdin.close()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (found := children.read_text().split()):
        time.sleep(0.02)
    opened = Path(f"/proc/{found[0]}/fd")
    while "/run/xtables.lock" not in {os.path.realpath(item) for item in opened.iterdir()}:
        time.sleep(0.02)
    if sys.argv[1] == "kill":
        process.kill()
        process.wait()
child = Path(f"/proc/{found[0]}")
end = time.monotonic() + 60
while child.exists() and " Z " not in (child / "stat").read_text() and time.monotonic() < end:
    time.sleep(0.02)
process.wait()
"""


@pytest.mark.parametrize("fate", ["kill", "spare"])
def test_waiting_for_the_lock_it_dies_with_its_starter(host: DemoHost, fate: str) -> None:
    require_library()
    before = texts(host)
    what = msgspec.to_builtins(order(host, "-i lo -j ACCEPT"))
    host.run(*python_argv(_LOCKED), fate, *child_argv(), stdin=json.dumps(what).encode())
    assert texts(host) == (before if fate == "kill" else ["-i lo -j ACCEPT", *before])


def test_while_another_holds_the_lock_nothing_is_written(host: DemoHost) -> None:
    require_library()
    before = picture(host)
    what = order(host, "-i lo -j ACCEPT", patience=0.3)
    assert give(host, what, "flock", "--no-fork", "/run/xtables.lock") == LegacyReply(outcome="busy")
    assert picture(host) == before


_OTHERS = """
import os, subprocess

made = 0
while not os.path.exists("/run/enough"):
    subprocess.run(["iptables-legacy", "-w", "-A", "INPUT", "-j", "ACCEPT"], check=True)
    made += 1
print(made)
"""


def test_nothing_is_lost_between_it_and_the_program(host: DemoHost) -> None:
    require_library()
    before, many = texts(host), 4
    steps = [rule("insert", f"-s 192.0.2.{number}/32 -j DROP", 1) for number in range(many)]
    with host.sandbox.popen([sys.executable, "-P", "-c", _OTHERS], stdout=subprocess.PIPE) as other:
        try:
            assert act(host, "apply", *steps, tamper="slow") == BY_LIBRARY
        finally:
            host.run("touch", "/run/enough")
            made, _ = other.communicate(timeout=30)
    assert texts(host) == [*(f"-s 192.0.2.{number}/32 -j DROP" for number in reversed(range(many))), *before]
    assert len(texts(host, chain="INPUT")) == int(made) > many


def test_a_chain_that_was_rewritten_is_not_touched(host: DemoHost) -> None:
    require_library()
    what = order(host, "-i lo -j ACCEPT")
    host.run("iptables-legacy", "-A", "FORWARD", "-j", "ACCEPT")
    before = picture(host)
    assert give(host, what) == LegacyReply(outcome="outrun")
    assert picture(host) == before


def test_without_root_in_a_user_namespace_too() -> None:
    require_library()
    with DemoHost.start(user=True) as mine:
        mine.run("iptables-legacy", "-A", "FORWARD", "-i", "lo", "-j", "DROP")
        before = picture(mine)
        assert act(mine, "apply", rule("delete", "-i lo -j DROP", 1)) == BY_LIBRARY
        act(mine, "undo")
        assert picture(mine) == before
