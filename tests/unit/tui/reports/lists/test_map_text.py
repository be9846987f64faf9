import msgspec

from dnet_tui.inspect.model import Address, Host, Snapshot
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.cells import cells
from dnet_tui.tui.reports.lists.map_text import host_map
from dnet_tui.tui.reports.lists.rows.containers import container_rows
from dnet_tui.tui.reports.terminal import OutputStyle
from unit.builders.factories import APP2, HOST, WEB, docker_like_snapshot, with_link, with_namespace


def map_of(snapshot: Snapshot, width: int | None = 80) -> str:
    return host_map(View(snapshot), OutputStyle(width))


def test_the_map_shows_bridges_their_containers_and_those_on_none() -> None:
    assert map_of(docker_like_snapshot()) == (
        "lab · Linux 6.1.0 · docker 20.10.24\n"
        "\n"
        "docker0  172.17.0.1/16  network bridge (docker)\n"
        "  web      eth0 172.17.0.2/16 ↔ veth5f0a1b2  0.0.0.0:8080→80/tcp\n"
        "\n"
        "br-app  10.10.0.1/24  network app (docker)\n"
        "  app1     eth0 10.10.0.2/24 ↔ veth77c3d4e\n"
        "  app2     eth0 10.10.0.3/24 ↔ veth99e5f60\n"
        "\n"
        "Not on a bridge\n"
        "  sidecar  shares the network of app1\n"
        "  agent    uses the host's network\n"
        "  lonely   has no network\n"
    )


def test_a_port_that_leads_nowhere_known_says_why() -> None:
    snapshot = with_link(docker_like_snapshot(), HOST, "veth99e5f60", peer=None, peer_note="peer not found reliably")
    neither = with_link(snapshot, APP2, "eth0", peer=None, peer_note="peer not found reliably")

    text = map_of(neither)

    assert "  veth99e5f60  peer not found reliably" in text
    assert text.count("app2") == 1


def test_a_container_whose_veth_was_unplugged_is_listed_as_being_on_no_bridge() -> None:
    text = map_of(with_link(docker_like_snapshot(), HOST, "veth5f0a1b2", master=None))

    assert "no ports" in text
    assert "web      bridge: eth0 172.17.0.2/16" in text.split("Not on a bridge")[1]


def test_a_bridge_that_is_down_is_marked_in_words() -> None:
    assert "docker0  172.17.0.1/16  DOWN" in map_of(with_link(docker_like_snapshot(), HOST, "docker0", up=False))


def test_link_local_addresses_are_left_to_json() -> None:
    eth0 = Address(ifindex=5, family="ip6", address="fe80::42", prefixlen=64, scope="link")
    before = docker_like_snapshot()
    snapshot = with_namespace(before, WEB, addresses=(*View(before).namespaces[WEB].addresses, eth0))

    assert "fe80::42" not in map_of(snapshot)
    assert "fe80::42/64" in container_rows(View(snapshot))[0].interfaces[1].addresses


def test_a_host_with_nothing_says_so() -> None:
    text = map_of(Snapshot(host=Host(hostname="bare", kernel="6.1.0")))

    assert "No bridge and no container was found." in text


def test_a_name_with_an_escape_is_made_harmless() -> None:
    snapshot = docker_like_snapshot()
    evil = msgspec.structs.replace(snapshot.containers[0], name="\x1b]0;owned\x07web")

    assert "\x1b" not in map_of(msgspec.structs.replace(snapshot, containers=(evil, *snapshot.containers[1:])))


def test_the_map_fits_a_narrow_terminal() -> None:
    for width in range(30, 80):
        assert max(cells(line) for line in map_of(docker_like_snapshot(), width).splitlines()) <= width
