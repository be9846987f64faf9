"""What a shell completes: names that engines, stores, namespaces and nftables hold, and nothing that isn't a word."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.checks.check_ids import CHECK_IDS
from dnet_tui.inspect.engines.protocol import EventSocket
from dnet_tui.inspect.engines.quick_names import EngineNames, quick_names
from dnet_tui.inspect.model.network_label import Intention, encode
from dnet_tui.inspect.ruleset.quick_chains import ChainName, parse_chains
from dnet_tui.tui import completion
from dnet_tui.tui.main import app

ANSWERS = {
    "/containers/json?all=true": [{"Names": ["/web"]}, {"Names": ["/db", "/web/alias"]}, {"Names": None}, "x"],
    "/networks": [{"Name": "bridge"}, {"Name": "app"}],
}


class MockEngine:
    """Says where an engine's socket is, no more."""

    def __init__(self, path: Path, *, lasting: bool = True) -> None:
        self.place = EventSocket(str(path), lasting)

    def event_sockets(self, environment: object) -> tuple[EventSocket, ...]:
        del environment
        return (self.place,)


@contextmanager
def mock_daemon(path: Path) -> Iterator[None]:
    """Answer HTTP on a Unix socket as Docker does."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, connection.makefile("rwb") as stream:
            while line := stream.readline():
                target = line.split()[1].decode()
                while stream.readline().strip():
                    pass
                body = json.dumps(ANSWERS[target]).encode()
                stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                stream.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.close()
        thread.join(5)


def names(engine: MockEngine, root: Path, seconds: float = 5.0) -> EngineNames:
    return quick_names((engine,), {}, root=root, seconds=seconds)  # type: ignore[arg-type]


def test_an_engine_tells_its_containers_and_networks(tmp_path: Path) -> None:
    with mock_daemon(tmp_path / "sock"):
        found = names(MockEngine(tmp_path / "sock"), tmp_path)
    assert found == EngineNames(("db", "web", "web/alias"), ("app", "bridge"))


def test_an_engine_that_hangs_has_no_names_and_costs_its_time(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "sock"))
    server.listen()
    with server:
        assert names(MockEngine(tmp_path / "sock"), tmp_path, 0.05) == EngineNames((), ())


def test_a_service_that_would_be_started_by_it_is_not_called(tmp_path: Path) -> None:
    assert names(MockEngine(tmp_path / "none", lasting=False), tmp_path) == EngineNames((), ())


def test_namespaces_and_podmans_store_are_read(tmp_path: Path) -> None:
    (tmp_path / "run/netns").mkdir(parents=True)
    (tmp_path / "run/netns/red").touch()
    store = tmp_path / "home/.local/share/containers/storage/overlay-containers"
    store.mkdir(parents=True)
    (store / "containers.json").write_text(json.dumps([{"id": "1", "names": ["pod"]}, {"id": "2"}, 3]))
    found = quick_names((), {"HOME": str(tmp_path / "home")}, root=tmp_path)
    assert found.containers == ("pod", "red")
    (store / "containers.json").write_text("{")
    assert quick_names((), {"HOME": str(tmp_path / "home")}, root=tmp_path).containers == ("red",)


def test_chains_are_taken_from_what_nft_lists() -> None:
    listed = {"nftables": [{"metainfo": {}}, {"chain": {"table": "nat", "name": "DOCKER"}}, {"chain": {"table": 3}}]}
    assert parse_chains(json.dumps(listed).encode()) == (ChainName("nat", "DOCKER"),)
    for odd in (b"", b"[]", b"{}", b'{"nftables": 3}', b'{"nftables": [3, {"chain": 4}]}'):
        assert parse_chains(odd) == ()


def test_the_ids_that_are_completed_are_the_catalogues() -> None:
    assert tuple(item.id for item in CATALOGUE) == CHECK_IDS


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("explain masq-m", "masq-missing"),
        ("doctor --check masq-m", "masq-missing"),
        ("fix masq-m", "masq-missing"),
        ("trace outsi", "outside"),
        ("why web outsi", "outside"),
        ("capture lo", "lo"),
        ("net rm brid", "bridge"),
        ("net connect app we", "web"),
        ("port publish we", "web"),
    ],
)
def test_every_command_completes_what_it_takes(words: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_engine_names", lambda: EngineNames(("web",), ("app", "bridge")))
    environment = {"_DNET_TUI_COMPLETE": "complete_bash", "COMP_WORDS": f"dnet-tui {words}"}
    environment["COMP_CWORD"] = str(len(words.split()))
    ran = CliRunner().invoke(app, [], prog_name="dnet-tui", env=environment)
    assert wanted in ran.stdout.split(), ran.output


@pytest.mark.parametrize("words", ["explain masq-m", "doct", "doctor --f"])
def test_completing_starts_neither_the_app_nor_the_checks(words: str) -> None:
    begin = "import sys\nfrom dnet_tui.tui.main import main\n"
    complete = "try:\n    main()\nexcept SystemExit:\n    pass\n"
    heavy = "{'textual', 'rich', 'dnet_tui.diagnostics.checks.catalogue', 'dnet_tui.diagnostics.walk.loop'}"
    code = f"{begin}{complete}print(sorted(name for name in sys.modules if name in {heavy}))"
    environment = {"_DNET_TUI_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": f"dnet-tui {words}"}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.split("\n")[-2] == "[]"


def test_networks_without_an_engine_are_those_that_a_bridge_carries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aliases = {
        "br-front": encode(Intention(name="front")),
        "eth0": "uplink\n",
        "br-x": "dnet-tui:{",
        "br-y": "dnet-tui:[]",
    }
    for name, alias in aliases.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "ifalias").write_text(alias)
    monkeypatch.setattr(completion, "_interfaces_here", lambda: [*aliases, "gone"])
    assert list(completion._plain_networks(str(tmp_path))) == ["front"]
    monkeypatch.setattr(completion, "_engine_names", lambda: EngineNames(("web",), ("app",)))
    monkeypatch.setattr(completion, "_plain_networks", lambda: ["front"])
    assert completion.networks("fr") == ["front"]
    assert completion.subjects("") == ["web", "app", "front"]


def test_only_words_that_go_on_from_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    held = EngineNames(("web", "web-2", "$(reboot)", "a b", "db"), ("app",))
    monkeypatch.setattr(completion, "_engine_names", lambda: held)
    monkeypatch.setattr(completion, "_plain_networks", list)
    assert completion.containers("we") == ["web", "web-2"]
    assert completion.places("") == ["web", "web-2", "db", "outside", "host"]
    assert completion.subjects("a") == ["app"]
    assert completion.networks("") == ["app"]
    assert completion.checks("masq-m") == ["masq-missing"]
    assert "lo" in completion.interfaces("lo")
    assert "lo" in completion.host_interfaces("l")
    assert "web" not in completion.host_interfaces("we")


def test_bash_itself_completes(tmp_path: Path) -> None:
    program = tmp_path / "dnet-tui"
    program.write_text(f"#!{sys.executable}\nfrom dnet_tui.tui.main import main\nmain()\n")
    program.chmod(0o755)
    script = (
        f'source <({program} --show-completion bash); COMP_WORDS=(dnet-tui explain masq-m); COMP_CWORD=2; '
        f'_dnet_tui_completion {program}; echo "${{COMPREPLY[@]}}"'
    )  # fmt: skip
    ran = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == ["masq-missing"], ran.stderr
