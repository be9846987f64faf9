"""Changes and their undo on real hosts: byte for byte, also after a kill -9 in the middle."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dnet_tui.inspect.errors import ActionFailedError
from lab.faults.links_family import WRONG_MAC, cable, inside
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import OUTSIDE_SERVER, DemoHost, LabHost, dnet_argv, python_argv
from lab.machines.requirements import require_lab
from lab.packets.traffic import SILENCE, Probe, Went, went

_APPLY = """
import os, sys
import msgspec
from pathlib import Path
from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.journal.journal import state_folder
from dnet_tui.actions.plans.plan import Plan

die_at, after = int(sys.argv[1]), sys.argv[2] == "after"

class Dying(HostExecutor):
    made = 0
    def perform(self, action, captured):
        Dying.made += 1
        if Dying.made == die_at and not after:
            os.kill(os.getpid(), 9)
        result = super().perform(action, captured)
        if Dying.made == die_at:
            os.kill(os.getpid(), 9)
        return result

plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
apply_plan(plan, Dying(), state_folder())
"""


def picture(host: LabHost) -> dict[str, str]:
    """Everything that a change may touch: rules of every backend, sysctls of both families, links, addresses."""
    saved = "\n".join(host.run(program).stdout.decode() for program in ("iptables-nft-save", "ip6tables-nft-save"))
    lines = (re.sub(r"\[\d+:\d+\]", "", line) for line in saved.splitlines() if not line.startswith("#"))
    links = json.loads(host.run("ip", "-j", "-d", "address").stdout)
    return {
        "rules": "\n".join(lines),
        "tables": host.run("nft", "list", "tables").stdout.decode(),
        "legacy": host.run("cat", "/proc/net/ip_tables_names", check=False).stdout.decode(),
        "sysctls": host.run("sysctl", "-a", "-e", "-r", r"^net\.(ipv4|ipv6|bridge)\.").stdout.decode(),
        "links": "\n".join(sorted(_link(link) for link in links)),
        # Link-local addresses appear a while after a link does, by themselves.
        "addresses": "\n".join(
            sorted(
                f"{link['ifname']} {ip['local']}" for link in links for ip in link["addr_info"] if ip["scope"] != "link"
            )
        ),
    }


def _link(link: dict[str, Any]) -> str:
    """A link's settings; its carrier comes and goes with a delay and is none of them."""
    data = link.get("linkinfo", {}).get("info_data", {})
    calls = {key: value for key, value in data.items() if key.startswith(("nf_call", "stp", "vlan_f", "ageing"))}
    return f"{link['ifname']} {link['address']} {link['mtu']} {'UP' in link['flags']} {link.get('ifalias')} {calls}"


def apply(host: LabHost, *steps: dict[str, Any], die_at: int = 0, when: str = "before") -> int:
    plan = {"title": "a test's", "steps": [{"action": step} for step in steps]}
    result = host.run(
        *python_argv(_APPLY), str(die_at), when, stdin=json.dumps(plan).encode(), check=die_at == 0, timeout=60
    )
    return result.returncode


def undo(host: LabHost, *arguments: str) -> str:
    result = host.dnet("undo", "--yes", *arguments)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.decode()


def sysctl(key: str, value: str) -> dict[str, Any]:
    return {"op": "sysctl", "key": key, "value": value}


def rule(op: str, chain: str, spec: str, position: int | None, table: str = "filter", **more: Any) -> dict[str, Any]:
    place = {"backend": "iptables-nft", "family": "ip", "table": table, "chain": chain}
    return {"op": f"{op}-rule", **place, "spec": spec, "position": position, **more}


def forward_texts(host: LabHost) -> list[str]:
    lines = host.run("iptables-nft-save", "-t", "filter").stdout.decode().splitlines()
    return [line.removeprefix("-A FORWARD ") for line in lines if line.startswith("-A FORWARD ")]


def steps_on(host: LabHost) -> list[dict[str, Any]]:
    """A change of every kind that a remedy has, on the rules as they are."""
    texts = forward_texts(host)
    return [
        sysctl("net.ipv4.ip_forward", "0"),
        rule("delete", "FORWARD", texts[2], 3),
        rule("insert", "FORWARD", texts[2], None),
        rule("insert", "POSTROUTING", "-s 10.99.0.0/24 ! -o lo -j MASQUERADE", 1, table="nat"),
        rule("insert", "DOCKER-USER", '-i lo -m comment --comment "a \\"b\\" c" -j DROP', 1),
        sysctl("net.ipv6.conf.all.forwarding", "1"),
    ]


@pytest.mark.parametrize("value", ["0", "1"])
@pytest.mark.parametrize(
    "key", ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.default.rp_filter"]
)
def test_a_sysctl_with_mixed_interfaces_comes_back_byte_for_byte(demo_host: DemoHost, key: str, value: str) -> None:
    demo_host.run("sysctl", "-w", f"{key}={1 - int(value)}")
    for name, other in (("eth0", value), ("lo", "1"), ("all", "0")):
        demo_host.run("sysctl", "-w", f"net.ipv4.conf.{name}.accept_redirects={other}")
        demo_host.run("sysctl", "-w", f"net.ipv4.conf.{name}.send_redirects={other}")
    for name in ("eth0", demo_host.target.bridge):
        demo_host.run(
            "sysctl", "-w", f"net.ipv4.conf.{name}.forwarding={value}", f"net.ipv6.conf.{name}.forwarding={value}"
        )
        demo_host.run("sysctl", "-w", f"net.ipv4.conf.{name}.rp_filter=2")
    before = picture(demo_host)
    apply(demo_host, sysctl(key, value))
    assert picture(demo_host)["sysctls"] != before["sysctls"]
    undo(demo_host)
    assert picture(demo_host) == before


def test_every_kind_of_change_comes_back_on_docker_s_own_rules(docker_host: DockerHost) -> None:
    before = picture(docker_host)
    apply(docker_host, *steps_on(docker_host))
    during = picture(docker_host)
    assert during["rules"] != before["rules"]
    assert during["sysctls"] != before["sysctls"]
    undo(docker_host)
    assert picture(docker_host) == before


def test_a_deleted_rule_comes_back_with_its_counters(demo_host: DemoHost) -> None:
    spec = "-i lo -j DROP"
    demo_host.run("iptables-nft", "-I", "FORWARD", "2", *spec.split(), "-c", "7", "700")
    apply(demo_host, rule("delete", "FORWARD", spec, 2))
    assert spec not in forward_texts(demo_host)
    undo(demo_host)
    saved = demo_host.run("iptables-nft-save", "-c", "-t", "filter").stdout.decode()
    assert f"[7:700] -A FORWARD {spec}" in saved
    assert forward_texts(demo_host)[1] == spec


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("die_at", [1, 2, 4, 6])
def test_killed_in_the_middle_undo_restores(demo_host: DemoHost, die_at: int, when: str) -> None:
    before = picture(demo_host)
    code = apply(demo_host, *steps_on(demo_host), die_at=die_at, when=when)
    assert code != 0
    listed = json.loads(demo_host.dnet("journal", "--format", "json").stdout)
    assert listed[-1]["status"] == "begun"
    assert "(cut short)" in undo(demo_host)
    assert picture(demo_host) == before


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_a_bridge_is_made_undo_removes_what_there_is_of_it(demo_host: DemoHost, when: str) -> None:
    before = picture(demo_host)
    bridge = {"op": "create-bridge", "name": "br-side", "addresses": ["10.77.0.1/24"], "alias": "dnet-tui:{}"}
    apply(demo_host, sysctl("net.ipv4.ip_forward", "0"), bridge, die_at=2, when=when)
    assert ("br-side" in picture(demo_host)["links"]) is (when == "after")
    undo(demo_host)
    assert picture(demo_host) == before


def test_without_root_changes_and_undo_work_in_a_user_namespace() -> None:
    require_lab()
    with DemoHost.start(user=True) as host:
        before = picture(host)
        apply(host, *steps_on(host))
        made = host.dnet("net", "create", "side", "--engine", "linux", "--yes")
        assert made.returncode == 0, made.stderr.decode()
        undo(host)
        undo(host)
        assert picture(host) == before


def test_an_entry_of_another_host_is_not_undone_here(demo_host: DemoHost) -> None:
    apply(demo_host, sysctl("net.ipv4.ip_forward", "0"))
    journal = demo_host.run("cat", "/run/state/dnet-tui/journal.jsonl").stdout
    with DemoHost.start() as other:
        before = picture(other)
        other.run("mkdir", "-m", "700", "-p", "/run/state/dnet-tui")
        other.run("dd", "of=/run/state/dnet-tui/journal.jsonl", stdin=journal)
        for arguments in ((), ("1",)):
            refused = other.dnet("undo", "--yes", *arguments)
            assert refused.returncode == 2
            assert b"another network namespace" in refused.stderr
        assert picture(other) == before


def test_tables_that_an_insertion_brought_are_gone_after_undo(demo_host: DemoHost) -> None:
    demo_host.run("nft", "flush", "ruleset")
    before = picture(demo_host)
    apply(
        demo_host,
        rule("insert", "POSTROUTING", "-s 10.99.0.0/24 ! -o lo -j MASQUERADE", 1, table="nat"),
        rule("insert", "FORWARD", "-i lo -j ACCEPT", 1),
        rule("insert", "INPUT", "-i lo -j ACCEPT", 1),
    )
    undo(demo_host)
    assert picture(demo_host) == before


def test_a_table_that_others_use_by_now_stays(demo_host: DemoHost) -> None:
    demo_host.run("nft", "flush", "ruleset")
    apply(demo_host, rule("insert", "FORWARD", "-i lo -j ACCEPT", 1))
    demo_host.run("iptables-nft", "-A", "OUTPUT", "-o", "lo", "-j", "ACCEPT")
    undo(demo_host)
    assert "-A OUTPUT -o lo -j ACCEPT" in picture(demo_host)["rules"]


def test_legacy_rules_are_written_and_taken_back(demo_host: DemoHost) -> None:
    demo_host.run("iptables-legacy", "-A", "FORWARD", "-i", "lo", "-j", "DROP")
    before = demo_host.run("iptables-legacy-save").stdout.decode().splitlines()[1:-1]
    legacy = {"backend": "iptables-legacy"}
    apply(
        demo_host,
        rule("delete", "FORWARD", "-i lo -j DROP", 1) | legacy,
        rule("insert", "FORWARD", "-o lo -j ACCEPT", 1) | legacy,
    )
    undo(demo_host)
    after = demo_host.run("iptables-legacy-save").stdout.decode().splitlines()[1:-1]
    assert [re.sub(r"\[.*\]", "", line) for line in after] == [re.sub(r"\[.*\]", "", line) for line in before]


def test_a_plan_that_the_host_has_outrun_changes_nothing(demo_host: DemoHost) -> None:
    before = picture(demo_host)
    plan = {"title": "late", "steps": [{"action": rule("delete", "FORWARD", "-i gone -j DROP", 2)}]}
    result = demo_host.run(*python_argv(_APPLY), "0", "before", stdin=json.dumps(plan).encode(), check=False)
    assert b"the host changed since the plan was made" in result.stderr or b"isn't there any more" in result.stderr
    assert picture(demo_host) == before


def reaches_outside(host: LabHost, name: str) -> bool:
    return went(host, Probe(name, OUTSIDE_SERVER, 80, answers="internet")) is Went.OK


def attach(host: LabHost, name: str, bridge: str, address: str, gateway: str) -> None:
    """Make a named namespace with an interface on a bridge, as a person would by hand."""
    for line in (
        f"netns add {name}",
        f"link add v{name} type veth peer name eth0 netns {name}",
        f"link set v{name} master {bridge} up",
        f"-n {name} addr add {address} dev eth0",
        f"-n {name} link set eth0 up",
        f"-n {name} route add default via {gateway}",
    ):
        host.run("ip", *line.split())


def detach(host: LabHost, name: str) -> None:
    host.run("ip", "link", "del", f"v{name}")
    host.run("ip", "netns", "del", name)


def create_linux_network_and_take_it_back(host: LabHost) -> None:
    host.run("sysctl", "-w", "net.ipv4.ip_forward=0")
    before = picture(host)
    made = host.dnet("net", "create", "side", "--engine", "linux", "--subnet", "10.77.0.0/24", "--yes")
    assert made.returncode == 0, made.stderr.decode()
    attach(host, "guest", "br-side", "10.77.0.5/24", "10.77.0.1")
    try:
        assert reaches_outside(host, "guest")
        doctor = host.dnet("doctor")
        assert doctor.returncode == 0, doctor.stdout.decode()
        refused = host.dnet("undo", "--yes")
        assert refused.returncode == 1
        assert b"in use by vguest" in refused.stderr
    finally:
        detach(host, "guest")
    undo(host)
    assert picture(host) == before
    host.run("sysctl", "-w", "net.ipv4.ip_forward=1")


def test_a_linux_network_gives_working_egress_and_undo_removes_it_whole(demo_host: DemoHost) -> None:
    create_linux_network_and_take_it_back(demo_host)


def test_a_linux_network_beside_docker_works_and_is_removed_whole(docker_host: DockerHost) -> None:
    create_linux_network_and_take_it_back(docker_host)


def test_a_linux_network_removed_is_put_back_by_undo(demo_host: DemoHost) -> None:
    before = picture(demo_host)
    assert (
        demo_host.dnet("net", "create", "side", "--engine", "linux", "--mtu", "1400", "--no-icc", "--yes").returncode
        == 0
    )
    with_network = picture(demo_host)
    removed = demo_host.dnet("net", "rm", "side", "--yes")
    assert removed.returncode == 0, removed.stderr.decode()
    assert picture(demo_host) == before
    undo(demo_host)
    assert picture(demo_host) == with_network
    undo(demo_host, "1")
    assert picture(demo_host) == before


def test_isolation_of_a_linux_network_drops_what_comes_from_other_bridges(demo_host: DemoHost) -> None:
    assert (
        demo_host.dnet("net", "create", "side", "--engine", "linux", "--subnet", "10.77.0.0/24", "--yes").returncode
        == 0
    )
    attach(demo_host, "guest", "br-side", "10.77.0.5/24", "10.77.0.1")
    demo_host.addresses["guest"] = "10.77.0.5"
    assert went(demo_host, Probe("host", "guest", proto="icmp")) is Went.OK
    for source, to in (("guest", "web"), ("web", "guest")):
        assert went(demo_host, Probe(source, to, proto="icmp"), SILENCE) is Went.TIMEOUT
    doctor = demo_host.dnet("doctor")
    assert doctor.returncode == 0, doctor.stdout.decode()


def test_a_docker_network_is_created_through_the_engine_and_taken_back(docker_host: DockerHost) -> None:
    before = picture(docker_host)
    made = docker_host.dnet(
        "net",
        "create",
        "side",
        "--subnet",
        "10.88.0.0/24",
        "--mtu",
        "1400",
        "--no-icc",
        "--bridge-name",
        "br-side",
        "--yes",
    )
    assert made.returncode == 0, made.stderr.decode()
    (network,) = json.loads(docker_host.docker("network", "inspect", "side"))
    assert network["IPAM"]["Config"] == [{"Subnet": "10.88.0.0/24", "Gateway": "10.88.0.1"}]
    assert network["Options"]["com.docker.network.driver.mtu"] == "1400"
    assert network["Options"]["com.docker.network.bridge.enable_icc"] == "false"
    assert "-i br-side -o br-side -j DROP" in picture(docker_host)["rules"]
    undo(docker_host)
    assert picture(docker_host) == before
    assert "side" not in docker_host.docker("network", "ls", "--format={{.Name}}").split()


def test_a_docker_network_removed_is_created_again_by_undo(docker_host: DockerHost) -> None:
    docker_host.docker("network", "create", "--subnet=10.88.0.0/24", "--label=a=b", "back")
    (before,) = json.loads(docker_host.docker("network", "inspect", "back"))
    removed = docker_host.dnet("net", "rm", "back", "--yes")
    assert removed.returncode == 0, removed.stderr.decode()
    undo(docker_host)
    (after,) = json.loads(docker_host.docker("network", "inspect", "back"))
    for volatile in ("Id", "Created"):
        before.pop(volatile), after.pop(volatile)
    assert after == before
    docker_host.docker("network", "rm", "back")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("net", "create", "x", "--engine", "docker", "--subnet", "10.10.0.128/25", "--yes"),
            2,
            "overlaps with docker network app",
        ),
        (("net", "create", "x", "--engine", "linux", "--subnet", "203.0.113.0/28", "--yes"), 2, "overlaps with"),
        (("net", "rm", "app", "--yes"), 1, "in use by"),
        (("net", "rm", "bridge", "--yes"), 1, "in use by"),
        (("net", "rm", "nothing", "--yes"), 2, "no network named nothing"),
        (("net", "create", "y"), 2, "no terminal to ask at"),
        (("fix",), 2, "no terminal to ask at"),
        (("undo",), 2, "no terminal to ask at"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    docker_host: DockerHost, arguments: tuple[str, ...], code: int, said: str
) -> None:
    before = picture(docker_host)
    result = docker_host.dnet(*arguments)
    assert said in result.stderr.decode()
    assert result.returncode == code
    assert picture(docker_host) == before


# --- programs ----------------------------------------------------------------------------------------------------

PLAIN_PATH = "/usr/local/bin:/usr/bin:/bin"
"""An ordinary user's PATH on Debian: what root has after ``su`` without ``-``."""


def test_a_root_without_the_sbin_folders_in_path_reads_changes_and_takes_back(demo_host: DemoHost) -> None:
    before = picture(demo_host)
    demo_host.run("iptables-nft", "-w", "-t", "nat", "-D", "POSTROUTING", "1")
    broken = picture(demo_host)
    plain = ("env", f"PATH={PLAIN_PATH}")
    fixed = demo_host.run(*plain, *dnet_argv("fix", "--yes"), check=False)
    assert fixed.returncode == 0, fixed.stdout.decode() + fixed.stderr.decode()
    assert sorted(picture(demo_host)["rules"].splitlines()) == sorted(before["rules"].splitlines())
    undone = demo_host.run(*plain, *dnet_argv("undo", "--yes"), check=False)
    assert undone.returncode == 0, undone.stderr.decode()
    assert picture(demo_host) == broken


def test_a_plan_that_lacks_a_program_changes_nothing(demo_host: DemoHost) -> None:
    before = picture(demo_host)
    link = {"op": "forget-connections", "proto": "udp", "port": 53}
    absent = {"op": "command", "argv": ["dnet-tui-has-no-such-program"]}
    with pytest.raises(ActionFailedError, match="dnet-tui-has-no-such-program"):
        apply(demo_host, sysctl("net.ipv4.ip_forward", "0"), link, absent)
    assert picture(demo_host) == before
    assert json.loads(demo_host.dnet("journal", "--format", "json").stdout) == []


def test_a_bridge_of_an_earlier_version_s_journal_is_put_back_as_it_was(demo_host: DemoHost) -> None:
    """The entry is one that a version before this one wrote when it deleted the bridge."""
    recorded = Path(__file__).parents[2] / "unit" / "data" / "journal-format-1.jsonl"
    entry = b"".join(line for line in recorded.read_bytes().splitlines(keepends=True) if b'"id":"0005"' in line)
    demo_host.run("mkdir", "-m", "700", "-p", "/run/state/dnet-tui")
    demo_host.run("sh", "-c", "umask 077; cat > /run/state/dnet-tui/journal.jsonl", stdin=entry)
    undone = demo_host.dnet("undo", "5", "--yes", "--force")
    assert undone.returncode == 0, undone.stderr.decode()
    (link,) = json.loads(demo_host.run("ip", "-j", "-d", "address", "show", "dev", "br-lab").stdout)
    assert (link["address"], link["mtu"], link["ifalias"]) == ("02:00:00:00:00:05", 1400, "dnet-tui:lab")
    assert [f"{item['local']}/{item['prefixlen']}" for item in link["addr_info"] if item["family"] == "inet"] == [
        "10.9.0.1/24"
    ]
    assert link["linkinfo"]["info_data"]["nf_call_iptables"] == 1
    assert demo_host.run("sysctl", "-n", "net.ipv4.conf.br-lab.rp_filter").stdout.strip() == b"2"


@pytest.mark.lab
def test_a_repaired_neighbour_comes_back_with_its_flags_and_its_origin() -> None:
    with DemoHost.start() as host:
        web = cable(host, "web")
        entry = (web.gateway, "lladdr", WRONG_MAC, "dev", web.inner, "nud", "permanent")
        host.run(*inside(host, "web", "neigh", "replace", *entry, "router", "protocol", "static"))
        shown = inside(host, "web", "-d", "neigh", "show", web.gateway)
        before = host.run(*shown).stdout.decode()
        assert "router" in before
        assert "proto static" in before
        assert host.dnet("fix", "stale-neigh", "--yes").returncode == 0
        assert WRONG_MAC not in host.run(*shown).stdout.decode()
        assert host.dnet("undo", "--yes").returncode == 0
        assert host.run(*shown).stdout.decode() == before
