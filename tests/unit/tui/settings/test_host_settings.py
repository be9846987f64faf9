"""What an administrator settled: read from two files, believed only where nobody else may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.guided.meant_flow import with_flows
from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.app.themes import THEMES
from dnet_tui.tui.settings import misfits
from dnet_tui.tui.settings.host_settings import places, settings
from dnet_tui.tui.settings.settled import left_out, meant_flows, require_known
from unit.builders.factories import docker_like_snapshot

TEXT = """
[[skip]]
check = "snat-ports"
reason = "a load balancer limits connections"

[[flow]]
from = "web"
to = "198.51.100.7:443"
reason = "the shop's API"

[app]
theme = "dnet-light"

[engines]
docker-socket = "/run/other.sock"
"""


def written(file: Path, text: str, mode: int = 0o644) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


def test_everything_that_may_be_settled_is_read(tmp_path: Path) -> None:
    found = settings([written(tmp_path / "a.toml", TEXT)])
    assert [(item.check, item.reason) for item in found.skip] == [("snat-ports", "a load balancer limits connections")]
    assert [item.text for item in found.flow] == ["web -> 198.51.100.7:443/tcp"]
    assert found.app.theme == "dnet-light"
    assert found.engines.docker_socket == "/run/other.sock"
    assert found.files == (str(tmp_path / "a.toml"),)


def test_lists_add_up_and_the_later_files_values_win(tmp_path: Path) -> None:
    more = '[[skip]]\ncheck = "masq-missing"\nreason = "routed"\n[app]\ntheme = "dnet-dark"\n'
    found = settings([written(tmp_path / "a.toml", TEXT), written(tmp_path / "b.toml", more)])
    assert [item.check for item in found.skip] == ["snat-ports", "masq-missing"]
    assert found.app.theme == "dnet-dark"
    assert found.engines.docker_socket == "/run/other.sock"


def test_what_is_not_there_settles_nothing(tmp_path: Path) -> None:
    assert settings([tmp_path / "none.toml", tmp_path / "none" / "x.toml"]) == settings([])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[skip]]\ncheck = 'x'\n", "reason"),
        ("colour = 'red'\n", "colour"),
        ("files = ['x']\n", "files"),
        ("[app]\ntheme = 3\n", "theme"),
        ("[[flow]]\nfrom = 'web'\nto = 'db'\nprotocol = 'sctp'\n", "protocol"),
        ("[app\n", "TOML"),
    ],
)
def test_what_nobody_knows_is_said_with_the_file(tmp_path: Path, text: str, why: str) -> None:
    file = written(tmp_path / "bad.toml", text)
    with pytest.raises(UsageError, match=why) as raised:
        settings([file])
    assert str(file) in raised.value.message


@pytest.mark.parametrize(
    ("text", "said", "allowed"),
    [
        ("colour = 'red'\n", "line 1: nobody knows 'colour'", "known are [[skip]], [[flow]], [app], [engines]"),
        ("\n[skips]\na = 1\n", "line 2: nobody knows 'skips'", "known are"),
        ("skip = 'x'\n", "line 1: skip is no table of the form [[skip]]", "[[skip]] has check, reason"),
        ("[skip]\ncheck = 'x'\n", "line 1: skip is no table of the form [[skip]]", "[[skip]] has"),
        ("[[app]]\ntheme = 'dark'\n", "line 1: app is no table of the form [app]", "[app] has theme"),
        ("[[skip]]\nreason = 'x'\n", "line 1: [[skip]] has no check", "of which it needs check and reason"),
        (
            "[[skip]]\ncheck = 'a'\nreason = 'b'\n\n[[skip]]\ncheck = 'c'\n  chek='d'\n",
            "line 7: [[skip]] has no key 'chek'",
            "[[skip]] has check, reason",
        ),
        ("[app]\ntheme = 'blue'\n", "line 2: theme in [app] is 'blue'", "one of dark, light, contrast"),
        ("[app]\ntheme = 3\n", "line 2: theme in [app] is no text: 3", 'write it in quotes: theme = "…"'),
        ("[[flow]]\nfrom='a'\nto='b'\nprotocol='sctp'\n", "line 4: protocol in [[flow]] is 'sctp'", "one of tcp, udp"),
        ("[[flow]]\nfrom='a'\nto='b:99999'\n", "line 3: to in [[flow]] is 'b:99999': '99999' is no port", "1 to 65535"),
        ("[[flow]]\nfrom=''\nto='b'\n", "line 2: from in [[flow]] is empty", "leave the key out"),
        ("[engines]\ndocker-socket='x.sock'\n", "line 2: docker-socket in [engines] is 'x.sock'", "whole path"),
        ("skip = [{check = 'x'}]\n", "line 1: [[skip]] has no reason", "[[skip]] has check, reason"),
    ],
    ids=range(14),
)
def test_what_does_not_fit_is_said_with_line_and_key_and_what_is_allowed(
    tmp_path: Path, text: str, said: str, allowed: str
) -> None:
    file = written(tmp_path / "bad.toml", text)
    with pytest.raises(UsageError) as raised:
        settings([file])
    assert raised.value.message == f"{file}, {said}"
    assert allowed in raised.value.hint


@pytest.mark.parametrize("to", ["db", "db:5432", "2001:db8::1", "[2001:db8::1]:443", "outside", "203.0.113.10:65535"])
def test_every_place_that_a_flow_may_lead_to_fits(tmp_path: Path, to: str) -> None:
    text = f"[[flow]]\nfrom = 'web'\nto = '{to}'\nreason = ''\n"
    assert [item.to for item in settings([written(tmp_path / "a.toml", text)]).flow] == [to]


def test_a_check_that_does_not_exist_is_named_with_its_line(tmp_path: Path) -> None:
    file = written(tmp_path / "a.toml", TEXT + "[[skip]]\nreason = 'x'\ncheck = 'masq-mising'\n")
    known = settings([file])
    require_known(known, ["snat-ports", "masq-mising"])
    with pytest.raises(UsageError) as raised:
        require_known(known, ["snat-ports", "masq-missing"])
    assert raised.value.message == f"{file}, line 18: there is no check 'masq-mising'"
    assert raised.value.hint == "did you mean masq-missing?"


def test_the_themes_that_are_allowed_are_the_apps() -> None:
    assert [f"dnet-{name}" for name in misfits.THEMES] == [theme.name for theme in THEMES]


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="TOML"):
        settings([tmp_path / "bad.toml"])


@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_a_file_that_others_may_write_to_is_not_believed(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError, match="somebody else"):
        settings([written(tmp_path / "open.toml", TEXT, mode)])


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        settings([tmp_path])


def test_the_users_file_is_where_xdg_says() -> None:
    assert places({"HOME": "/home/me"})[1] == Path("/home/me/.config/dnet-tui/config.toml")
    assert places({"HOME": "/home/me", "XDG_CONFIG_HOME": "/cfg"})[1] == Path("/cfg/dnet-tui/config.toml")
    assert places({"HOME": "/home/me", "XDG_CONFIG_HOME": "relative"})[1].is_relative_to("/home/me")


def test_a_check_that_is_asked_for_by_name_is_run(tmp_path: Path) -> None:
    known = settings([written(tmp_path / "a.toml", TEXT)])
    assert left_out((), ("snat-ports",), known) == ()
    both = left_out(("masq-missing",), (), known)
    file = str(tmp_path / "a.toml")
    assert [(item.id, item.by) for item in both] == [("masq-missing", "--skip"), ("snat-ports", file)]


def test_a_settled_flow_is_judged_and_one_between_strangers_is_undecided(tmp_path: Path) -> None:
    snapshot = docker_like_snapshot()
    case, report = HostContext(snapshot), run_checks(snapshot)
    good = meant_flows((), settings([written(tmp_path / "a.toml", TEXT)]))
    assert with_flows(case, report, good).summary.verdict == "healthy"
    gone = written(tmp_path / "b.toml", "[[flow]]\nfrom = 'nobody'\nto = 'web:80'\n")
    told = with_flows(case, report, meant_flows((), settings([gone])))
    assert told.summary.verdict == "incomplete"
    assert any(str(gone) in item.reason for item in told.checks)
    apart = written(tmp_path / "c.toml", "[[flow]]\nfrom = 'web'\nto = 'app1:80'\nreason = 'the shop'\n")
    found = with_flows(case, report, meant_flows((), settings([apart]))).findings
    assert [(item.check, item.severity) for item in found if item.subject.kind == "flow"] == [("flow-blocked", "error")]
    assert any(item.source == str(apart) and item.value == "the shop" for item in found[-1].evidence)
