"""A snapshot to give away: nothing of the original is in it, and it is still the same host."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.archive.redact import redact
from dnet_tui.inspect.archive.snapshot_file import encode as stored
from dnet_tui.inspect.model import (
    Address,
    Container,
    Endpoint,
    Engine,
    Host,
    Link,
    Namespace,
    Neighbour,
    Network,
    PublishedPort,
    Resolver,
    Settings,
    Snapshot,
    Socket,
    Subnet,
)
from dnet_tui.inspect.model.coverage.gaps import Gap, with_gaps
from dnet_tui.inspect.model.firewall import Chain, Element, Firewall, Match, NamedSet, Nat, Note, Opaque, Rule, Table
from dnet_tui.inspect.model.network_label import Intention, decode, encode
from unit.builders.examples import examples
from unit.builders.factories import docker_like_snapshot
from unit.builders.factories_names import SERVER, container, embedded, legacy, resolving

KEY = b"nobody knows"


def rule(text: str, **more: Any) -> Rule:
    return Rule(number=1, text=text, **more)


def host_with(*rules: Rule, **more: Any) -> Snapshot:
    chain = Chain(name="FORWARD", hook="forward", rules=rules)
    table = Table(family="ip", name="filter", backend="iptables-nft", chains=(chain,))
    fields: dict[str, Any] = {"firewall": Firewall(tables=(table,))} | more
    return Snapshot(namespaces=(Namespace(id="net:[1]", inode=1, kind="host", **fields),))


def rules_of(snapshot: Snapshot) -> list[Rule]:
    firewall = snapshot.namespaces[0].firewall
    assert firewall is not None
    return [rule for table in firewall.tables for chain in table.chains for rule in chain.rules]


def redacted_rule(text: str, snapshot: Snapshot | None = None, **more: Any) -> Rule:
    host = host_with(rule(text, **more))
    if snapshot is not None:
        host = msgspec.structs.replace(snapshot, namespaces=host.namespaces)
    return rules_of(redact(host, KEY))[0]


def containers(*names: str) -> Snapshot:
    return Snapshot(containers=tuple(Container(id=f"{n:064x}", name=x, engine="docker") for n, x in enumerate(names)))


# -- addresses --------------------------------------------------------------


def test_an_address_is_the_same_one_everywhere() -> None:
    host = host_with(
        rule("-d 172.17.0.2/32 -j ACCEPT", exprs=(Match(field="daddr", values=("172.17.0.2/32",)),)),
        rule("-j DNAT --to-destination 172.17.0.2:80", exprs=(Nat(kind="dnat", addresses="172.17.0.2", ports="80"),)),
        addresses=(Address(ifindex=1, family="ip", address="172.17.0.2", prefixlen=16),),
        neighbours=(Neighbour(ifindex=1, family="ip", address="172.17.0.2", mac="02:42:ac:11:00:02"),),
    )
    new = redact(host, KEY).namespaces[0]
    address = new.addresses[0].address
    one, two = rules_of(redact(host, KEY))

    assert address != "172.17.0.2"
    assert new.neighbours[0].address == address
    assert one.text == f"-d {address}/32 -j ACCEPT"
    assert one.exprs == (Match(field="daddr", values=(f"{address}/32",)),)
    assert two.text == f"-j DNAT --to-destination {address}:80"
    assert two.exprs == (Nat(kind="dnat", addresses=address, ports="80"),)


@pytest.mark.parametrize(
    "text",
    ["-s 0.0.0.0/0 -j ACCEPT", "! -d 127.0.0.0/8 -j DOCKER", "-d 224.0.0.0/4 -j DROP", "-s 10.0.0.0/8 -j DROP",
     "-s 203.0.113.7/32 -j DROP", "-d fe80::/10 -j DROP", "-d ff02::fb/128 -j ACCEPT", "-s ::/0 -j DROP",
     "-m mac --mac-source FF:FF:FF:FF:FF:FF -j DROP", "-s 0.0.0.0/1 -j DROP", "-d 127.0.0.11/32 -p udp --dport 53"],
)  # fmt: skip
def test_what_says_nothing_of_anybody_stays(text: str) -> None:
    assert redacted_rule(text).text == text


def test_a_range_stays_a_range() -> None:
    found = re.fullmatch(
        r"-m iprange --src-range ([\d.]+)-([\d.]+) -j DROP",
        redacted_rule("-m iprange --src-range 10.1.2.3-10.1.2.77 -j DROP").text,
    )
    assert found is not None
    low, high = map(ipaddress.ip_address, found.groups())
    assert int(high) - int(low) == 74


def test_a_network_with_its_mask_written_out_stays_a_network() -> None:
    found = re.fullmatch(r"-s ([\d.]+)/255\.255\.0\.0", redacted_rule("-s 10.7.0.0/255.255.0.0").text)
    assert found is not None
    assert found[1].endswith(".0.0")
    assert found[1] != "10.7.0.0"


def test_netavarks_chain_is_still_that_of_its_network() -> None:
    network = Network(id="a", name="n", engine="podman", subnets=(Subnet(cidr="10.88.0.0/16"),))
    table = Table(
        family="inet", name="netavark", backend="nftables", chains=(Chain(name="nv_2f259bab_10_88_0_0_nm16"),)
    )
    host = Namespace(id="net:[1]", inode=1, kind="host", firewall=Firewall(tables=(table,)))
    new = redact(Snapshot(networks=(network,), namespaces=(host,)), KEY)
    firewall = new.namespaces[0].firewall
    assert firewall is not None

    cidr = new.networks[0].subnets[0].cidr
    assert cidr != "10.88.0.0/16"
    assert firewall.tables[0].chains[0].name == f"nv_2f259bab_{cidr.partition('/')[0].replace('.', '_')}_nm16"


def test_a_link_local_address_follows_the_mac_it_is_made_of() -> None:
    link = Link(ifindex=1, name="eth0", mac="02:42:ac:11:00:02")
    address = Address(ifindex=1, family="ip6", address="fe80::42:acff:fe11:2", prefixlen=64)
    new = redact(host_with(links=(link,), addresses=(address,)), KEY).namespaces[0]

    raw = bytes.fromhex(new.links[0].mac.replace(":", ""))
    iid = bytes([raw[0] ^ 2, *raw[1:3], 0xFF, 0xFE, *raw[3:]])
    assert new.links[0].mac != link.mac
    assert new.addresses[0].address == str(ipaddress.IPv6Address(bytes.fromhex("fe80000000000000") + iid))


def test_elements_of_sets_and_ipv4_in_ipv6_are_replaced() -> None:
    elements = (Element(key=("192.168.7.0/24", "443")), Element(key=("::ffff:192.168.7.9",)))
    named = NamedSet(name="blocked", type="ipv4_addr", elements=elements)
    host = host_with(firewall=Firewall(ipsets=(named,)))
    firewall = redact(host, KEY).namespaces[0].firewall
    assert firewall is not None
    one, two = firewall.ipsets[0].elements or ()

    assert one.key[0] != "192.168.7.0/24"
    assert ipaddress.ip_address(two.key[0].removeprefix("::ffff:")) in ipaddress.ip_network(one.key[0])
    assert one.key[1] == "443"


def test_versions_and_times_are_not_taken_for_addresses() -> None:
    host = Snapshot(
        tool_version="1.2.3.4",
        taken_at="2026-11-21T10:00:00Z",
        host=Host(hostname="web01", kernel="6.1.0.4"),
        engines=(Engine(name="docker", version="20.10.24.1"),),
    )
    new = redact(host, KEY)

    assert (new.tool_version, new.taken_at, new.host.kernel) == ("1.2.3.4", "2026-11-21T10:00:00Z", "6.1.0.4")
    assert new.engines == host.engines


# -- names ------------------------------------------------------------------


def test_names_are_numbered_in_order_and_the_same_everywhere() -> None:
    host = docker_like_snapshot()
    new = redact(host, KEY)

    assert [item.name for item in new.containers] == [f"container-{n}" for n in range(1, 7)]
    assert {item.image for item in new.containers} == {"image-1"}
    assert [item.name for item in new.networks] == ["bridge", "network-1", "host", "none"]
    assert new.networks[1].bridge == "br-network-1"
    assert "br-network-1" in {link.name for link in new.namespaces[0].links}
    assert new.namespaces[0].sysctls["net.ipv4.conf.br-network-1.forwarding"] == "1"
    assert new.host.hostname == "host-1"
    assert new.containers[3].joined == new.containers[1].id


def test_interfaces_that_are_called_after_nothing_keep_their_names() -> None:
    names = {link.name for link in redact(docker_like_snapshot(), KEY).namespaces[0].links}

    assert {"lo", "eth0", "docker0", "veth5f0a1b2"} <= names


def test_an_interface_called_after_a_short_name_is_the_same_in_rules() -> None:
    host = host_with(
        rule("-i br-db -j ACCEPT", exprs=(Match(field="iif", values=("br-db",)),)),
        links=(Link(ifindex=1, name="br-db"), Link(ifindex=2, name="vethdb1")),
    )
    new = redact(msgspec.structs.replace(host, containers=containers("db").containers), KEY)

    assert [link.name for link in new.namespaces[0].links] == ["br-container-1", "vethdb1"]
    assert rules_of(new)[0].text == "-i br-container-1 -j ACCEPT"
    assert rules_of(new)[0].exprs == (Match(field="iif", values=("br-container-1",)),)


def test_an_engines_own_network_keeps_its_name_even_if_a_container_has_it() -> None:
    network = Network(id="a", name="none", engine="docker", driver="null")
    new = redact(msgspec.structs.replace(containers("none"), networks=(network,)), KEY)

    assert (new.networks[0].name, new.containers[0].name) == ("none", "container-1")


def test_a_named_namespace_and_the_container_in_it_keep_together() -> None:
    container = Container(id="netns:shop", name="shop", engine="netns", netns="net:[2]")
    ns = Namespace(id="net:[2]", inode=2, kind="named", names=("shop",), path="/run/netns/shop")
    new = redact(Snapshot(containers=(container,), namespaces=(ns,)), KEY)

    assert (new.containers[0].id, new.containers[0].name) == ("netns:container-1", "container-1")
    assert (new.namespaces[0].names, new.namespaces[0].path) == (("container-1",), "/run/netns/container-1")


def test_an_intention_keeps_its_meaning_under_another_name() -> None:
    network = Network(id="linux:br-front", name="front", engine="linux", bridge="br-front")
    alias = encode(Intention(name="front", internal=True))
    host = host_with(links=(Link(ifindex=1, name="br-front", kind="bridge", alias=alias),))
    new = redact(msgspec.structs.replace(host, networks=(network,)), KEY)
    link = new.namespaces[0].links[0]

    assert decode(link.alias) == Intention(name="network-1", internal=True)
    assert (link.name, new.networks[0].bridge, new.networks[0].id) == ("br-network-1",) * 2 + ("linux:br-network-1",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('-m comment --comment "for Alice\\"s shop" -j ACCEPT', '-m comment --comment "text-1" -j ACCEPT'),
        ("-m comment --comment secret -j ACCEPT", "-m comment --comment text-1 -j ACCEPT"),
        ('-j LOG --log-prefix "acme: "', '-j LOG --log-prefix "text-1"'),
        ('iifname "eth0" counter drop comment "acme"', 'iifname "eth0" counter drop comment "text-1"'),
        ('oifname "veth*" log prefix "acme " accept', 'oifname "veth*" log prefix "text-1" accept'),
        ("snat ip prefix to ip saddr map @nets", "snat ip prefix to ip saddr map @nets"),
        ("-p tcp -m tcp --dport 80 -j ACCEPT", "-p tcp -m tcp --dport 80 -j ACCEPT"),
    ],
)
def test_free_text_in_rules_is_replaced_and_nothing_else(text: str, said: str) -> None:
    assert redacted_rule(text).text == said


def test_a_comment_is_the_same_in_text_note_and_field() -> None:
    new = redacted_rule(
        '-m comment --comment "a b" -j X',
        comment="a b",
        exprs=(Note(text='--comment "a b"'), Opaque(text='-m string --string "a b"')),
    )

    assert new.text == '-m comment --comment "text-1" -j X'
    assert new.comment == "text-1"
    assert new.exprs == (Note(text='--comment "text-1"'), Opaque(text='-m string --string "text-1"'))


def test_an_option_is_no_name_even_if_a_container_is_called_like_it() -> None:
    host = containers("dport", "tcp", "source", "shop")
    new = redacted_rule("-p tcp --dport 80 -j SNAT --to-source 10.0.0.1", host)

    assert new.text.startswith("-p tcp --dport 80 -j SNAT --to-source 10.")
    assert [item.name for item in redact(host, KEY).containers] == [f"container-{n}" for n in range(1, 5)]


def test_a_rules_owner_is_redacted_even_with_a_name_that_is_a_common_word() -> None:
    host = containers("tcp", "db")

    assert redacted_rule("-j X", host, owner="docker port tcp:80/tcp").owner == "docker port container-1:80/tcp"
    assert redacted_rule("-j X", host, owner="docker container db").owner == "docker container container-2"


def test_gaps_name_the_same_things() -> None:
    gaps = (
        Gap(section="namespaces", scope="shop", reason="the namespace of shop at 10.1.1.1 is gone"),
        Gap(section="engine", scope="docker", reason="not on this host: tcp://build.acme.example:2375"),
        Gap(section="engine", scope="podman", reason="/home/alice/.local/share can't be read"),
    )
    new = redact(with_gaps(containers("shop"), gaps), KEY).gaps

    assert new[0].scope == "container-1"
    assert new[0].reason.startswith("the namespace of container-1 at 10.")
    assert "10.1.1.1" not in new[0].reason
    assert new[1] == Gap(section="engine", scope="docker", reason="not on this host: tcp://redacted")
    assert new[2].reason == "/home/user-1/.local/share can't be read"


def test_options_that_nobody_knows_lose_name_and_value() -> None:
    options = {"com.docker.network.bridge.name": "docker0", "team": "payments"}
    new = redact(Snapshot(networks=(Network(id="a", name="n", engine="docker", options=options),)), KEY)

    assert new.networks[0].options == {"com.docker.network.bridge.name": "docker0", "label-1": "redacted"}


def test_no_replacement_is_an_original_name() -> None:
    new = redact(containers("shop", "container-1"), KEY)

    assert [item.name for item in new.containers] == ["container-2", "container-3"]


def test_processes_are_renamed_but_for_the_engines_own() -> None:
    sockets = tuple(
        Socket(proto="tcp", address="127.0.0.1", port=port, process=name)
        for port, name in ((80, "docker-proxy"), (81, "acme-billing"))
    )
    new = redact(host_with(sockets=sockets), KEY).namespaces[0].sockets

    assert [item.process for item in new] == ["docker-proxy", "process-1"]


def test_the_original_is_left_as_it_was_and_the_same_key_says_the_same() -> None:
    host, copy = docker_like_snapshot(), docker_like_snapshot()

    assert redact(host, KEY) == redact(host, KEY)
    assert host == copy


# -- the whole --------------------------------------------------------------


PRIVATE = st.one_of(
    st.integers(0, 2**24 - 1).map(lambda n: str(ipaddress.IPv4Address(10 << 24 | n))),
    st.integers(0, 2**16 - 1).map(lambda n: str(ipaddress.IPv4Address(192 << 24 | 168 << 16 | n))),
    st.integers(0, 2**64 - 1).map(lambda n: str(ipaddress.IPv6Address(0xFD << 120 | n << 40 | n))),
)
MACS = st.binary(min_size=6, max_size=6).map(lambda raw: bytes([raw[0] & 0xFC | 2, *raw[1:]]).hex(":"))
NAMES = st.from_regex(r"zq[a-z0-9]{2,8}([_.-][a-z0-9]{1,6}){0,2}", fullmatch=True)
ODD = st.text(st.sampled_from("zq [/]é:x"), min_size=4, max_size=12).map(lambda text: f"ZQ{text}ZQ")
_ADDRESS = re.compile(r"(?<![\w.:])(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f]*)(?![\w:])")


@settings(max_examples=examples(30))
@given(
    NAMES,
    st.lists(NAMES | ODD, min_size=3, max_size=8, unique=True),
    st.lists(PRIVATE, min_size=2, max_size=6),
    MACS,
)
def test_nothing_of_the_original_survives_anywhere(
    first: str, others: list[str], addresses: list[str], mac: str
) -> None:
    names = [first, *others]
    host = _told_everywhere(names, addresses, mac)
    new = redact(host, KEY)
    text = stored(new).decode()
    loose = msgspec.json.decode(stored(new))

    for name in names:
        assert not re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", " ".join(_texts(loose))), name
    assert mac not in text
    images = {address: _renamed(host, new, index) for index, address in enumerate(addresses)}
    assert all(address != image for address, image in images.items())
    for found in _ADDRESS.findall(" ".join(_texts(loose))):
        assert found not in addresses or found in images.values(), found


def _renamed(host: Snapshot, new: Snapshot, index: int) -> str:
    assert len(new.namespaces[0].addresses) == len(host.namespaces[0].addresses)
    return new.namespaces[0].addresses[index].address


def _told_everywhere(names: list[str], addresses: list[str], mac: str) -> Snapshot:
    """A host that mentions the names and addresses in every place that may."""
    one, two, three, four, *rest = names
    told = " ".join([*names, *addresses, mac, f"{one}:{addresses[0]}"])
    spec = " ".join(f"-s {address} -d {address}/32" for address in addresses)
    return Snapshot(
        host=Host(hostname=four, kernel="6.1"),
        containers=(
            Container(id="a" * 64, name=one, engine="docker", image=f"{two}:latest", status=f"Up {three}"),
            Container(id=f"netns:{three}", name=three, engine="netns", joined="a" * 64,
                      published=(PublishedPort(host_ip=addresses[0], host_port=1, proto="tcp", container_port=1),),
                      endpoints=(Endpoint(network=two, mac=mac, addresses=(f"{addresses[1]}/24",)),)),
        ),
        networks=(
            Network(id=two, name=two, engine="docker",
                    subnets=(Subnet(cidr=f"{addresses[0]}/24", gateway=addresses[1]),),
                    options={one: told, "com.docker.x": told}),
        ),
        namespaces=(
            Namespace(
                id="net:[1]", inode=1, kind="host", names=tuple(rest), path=f"/run/netns/{one}",
                links=(Link(ifindex=1, name=f"br-{one}", mac=mac, alias=f"x{told}", peer_note=told),),
                addresses=tuple(Address(ifindex=1, family="ip6" if ":" in item else "ip", address=item, prefixlen=24)
                                for item in addresses),
                sysctls=Settings(values={f"net.ipv4.conf.br-{one.replace('.', '/')}.forwarding": "1"}),
                sockets=(Socket(proto="tcp", address=addresses[0], port=1, process=four),),
                firewall=Firewall(tables=(
                    Table(family="ip", name="filter", backend="nftables", chains=(
                        Chain(name="X", rules=(
                            rule(f'{spec} -m comment --comment "{one} {two}" -o br-{one}', comment=f"{one} {two}",
                                 owner=f"docker container {one}",
                                 exprs=(Opaque(text=f'log prefix "{told}"'),
                                        Match(field="oif", values=(f"br-{one}",)))),
                        )),
                    )),
                )),
            ),
        ),
        unplaced=(Gap(section="links", scope=one, reason=told, hint=told),),
    )  # fmt: skip


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (*_texts(key), *_texts(item))]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


def test_name_servers_are_replaced_alike_everywhere_and_docker_s_own_stays() -> None:
    server = "10.66.0.53"
    before = container(container(resolving(), "web", resolver=legacy(server)), "app1", resolver=embedded(server))
    own = Resolver(source="/etc/resolv.conf", servers=(server,))
    before = msgspec.structs.replace(before, host=msgspec.structs.replace(before.host, resolver=own))
    after_it = redact(before, KEY)
    found = {item.name: item.resolver for item in after_it.containers if item.resolver is not None}
    asked = {one for item in found.values() for one in item.servers if one not in {"127.0.0.11", SERVER}}
    behind = {one.address for item in found.values() for one in item.upstreams or () if one.address != SERVER}

    assert server not in stored(after_it).decode()
    assert len(asked) == 1
    assert asked == behind
    assert any("127.0.0.11" in item.servers for item in found.values())
    assert after_it.host.resolver is not None
    assert set(after_it.host.resolver.servers) == asked
    assert [finding.check for finding in run_checks(after_it).findings] == []


def test_an_option_keeps_its_own_words_though_a_container_bears_the_same_name() -> None:
    key = "com.docker.network.bridge.gateway_mode_ipv4"
    host = docker_like_snapshot()
    host = msgspec.structs.replace(
        host,
        networks=tuple(
            msgspec.structs.replace(net, name="routed", gateway_mode4="routed", options={key: "routed"})
            if net.name == "app"
            else net
            for net in host.networks
        ),
        containers=tuple(msgspec.structs.replace(c, name="routed") if c.name == "web" else c for c in host.containers),
    )
    network = next(net for net in redact(host, b"key").networks if net.bridge.startswith("br-"))
    assert (network.gateway_mode4, network.options) == ("routed", {key: "routed"})
    assert network.name != "routed"
