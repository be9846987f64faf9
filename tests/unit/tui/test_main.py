"""The command line as scripts and people meet it: its two outputs and its exit code."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from dnet_tui.inspect.model import Snapshot, Unread
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.sections import NOT_READ
from dnet_tui.tui.main import app
from dnet_tui.tui.registry import COMMANDS
from unit.builders.factories import HOST, docker_like_snapshot, with_chain, with_gaps, with_namespace
from unit.builders.factories_firewall import chain
from unit.builders.factories_names import counted

Ran = subprocess.CompletedProcess[str]


def dnet_tui(*args: str, stdin: str = "") -> Ran:
    """The command run in this process: what it prints and its exit code."""
    ran = CliRunner().invoke(app, [*args], input=stdin, prog_name="dnet-tui", env={"COLUMNS": "80"})
    return subprocess.CompletedProcess(args, ran.exit_code, ran.stdout, ran.stderr)


def process(*args: str, **environment: str) -> Ran:
    """The command as a process of its own, for what only a process shows."""
    return subprocess.run(
        [sys.executable, "-m", "dnet_tui.tui.main", *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"COLUMNS": "80"} | environment,
    )


def saved(folder: Path, snapshot: Snapshot) -> str:
    file = folder / "host.json"
    file.write_bytes(msgspec.json.encode(snapshot))
    return str(file)


@pytest.fixture
def healthy(tmp_path: Path) -> str:
    return saved(tmp_path, docker_like_snapshot())


@pytest.fixture
def broken(tmp_path: Path) -> str:
    return saved(tmp_path, with_chain(docker_like_snapshot(), "nat", chain("POSTROUTING")))


def test_help_lists_every_command_in_one_line_each() -> None:
    ran = dnet_tui("--help")

    assert ran.returncode == 0
    for entry in COMMANDS:
        assert any(line.split()[:1] == [entry.name] and line.endswith(entry.help) for line in ran.stdout.splitlines())


def test_the_version_is_the_packages() -> None:
    assert process("--version").stdout == f"dnet-tui {version('dnet-tui')}\n"


def test_an_unknown_command_offers_a_near_one_and_is_a_usage_error() -> None:
    ran = dnet_tui("docter")

    assert ran.returncode == 2
    assert "doctor" in ran.stderr
    assert ran.stdout == ""


@pytest.mark.parametrize("name", ["doctor", "ls", "snapshot", "checks", "explain"])
def test_every_commands_help_ends_in_examples(name: str) -> None:
    ran = dnet_tui(name, "--help")

    assert ran.returncode == 0
    assert f"    dnet-tui {name}" in ran.stdout.split("Examples:")[1]


def test_a_healthy_host_is_exit_code_0(healthy: str) -> None:
    ran = dnet_tui("doctor", "--snapshot", healthy)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Healthy" in ran.stdout


def test_a_fault_is_exit_code_1_and_named(broken: str) -> None:
    ran = dnet_tui("doctor", "--snapshot", broken, "--format", "json")

    assert ran.returncode == 1
    (finding,) = json.loads(ran.stdout)["findings"]
    assert finding["check"] == "masq-missing"
    assert len(finding["affects"]) > 1, "both networks: one cause, one finding"


def test_packets_are_never_sent_for_a_snapshot_from_a_file(healthy: str) -> None:
    ran = dnet_tui("doctor", "--probe", "--snapshot", healthy)

    assert ran.returncode == 2
    assert "--snapshot" in ran.stderr


def test_the_check_that_judges_probes_asks_for_some(healthy: str) -> None:
    ran = dnet_tui("doctor", "--check", "model-contradicted", "--snapshot", healthy)

    assert ran.returncode == 2
    assert "add --probe" in ran.stderr


def test_what_grew_is_judged_only_with_an_earlier_snapshot(healthy: str, tmp_path: Path) -> None:
    ran = dnet_tui("doctor", "--check", "ct-race", "--snapshot", healthy)

    assert ran.returncode == 2
    assert "add --since" in ran.stderr

    before, late = (counted(docker_like_snapshot(), at, insert_failed=at) for at in (0, 60))
    (tmp_path / "earlier").mkdir()
    earlier = saved(tmp_path / "earlier", before)
    ran = dnet_tui("doctor", "--since", earlier, "--snapshot", saved(tmp_path, late), "--format", "json")

    assert ran.returncode == 1
    assert [finding["check"] for finding in json.loads(ran.stdout)["findings"]] == ["ct-race"]


def test_a_check_that_could_not_see_is_exit_code_3_not_healthy(tmp_path: Path) -> None:
    blind = with_gaps(docker_like_snapshot(), Gap(section="firewall", reason="nft: permission denied"))

    ran = dnet_tui("doctor", "--snapshot", saved(tmp_path, blind))

    assert ran.returncode == 3
    assert "Healthy" not in ran.stdout
    assert "permission denied" in ran.stdout


def test_check_and_skip_take_only_what_the_catalogue_has(healthy: str) -> None:
    ran = dnet_tui("doctor", "--snapshot", healthy, "--skip", "masq-mising")

    assert ran.returncode == 2
    assert "did you mean masq-missing" in ran.stderr


def test_a_report_of_no_check_at_all_is_refused_and_not_called_healthy(healthy: str) -> None:
    words = ("doctor", "--snapshot", healthy, "--check", "masq-missing", "--skip", "masq-missing")
    ran = dnet_tui(*words)
    assert ran.returncode == 2
    assert "nothing is left to check" in ran.stderr
    assert dnet_tui(*words, "--check", "ip-forward-off").returncode == 0


def test_focus_takes_only_names_of_this_host(healthy: str) -> None:
    assert dnet_tui("doctor", "--snapshot", healthy, "--focus", "web").returncode == 0
    assert dnet_tui("doctor", "--snapshot", healthy, "--focus", "wep").returncode == 2


def test_a_skipped_check_finds_nothing(broken: str) -> None:
    report = json.loads(
        dnet_tui("doctor", "--snapshot", broken, "--format", "json", "--check", "ip-forward-off").stdout
    )

    assert [check["id"] for check in report["checks"]] == ["ip-forward-off"]
    assert report["findings"] == []


def test_gaps_are_told_on_stderr_and_data_stays_on_stdout(tmp_path: Path) -> None:
    snapshot = with_gaps(docker_like_snapshot(), Gap(section="engine", scope="docker", reason="no answer in 3 s"))

    ran = dnet_tui("ls", "containers", "--format", "json", "--snapshot", saved(tmp_path, snapshot))

    assert "not seen: engine of docker: no answer in 3 s" in ran.stderr
    assert [row["name"] for row in json.loads(ran.stdout)][:2] == ["web", "app1"]


def test_ls_without_an_argument_has_every_list_in_json(healthy: str) -> None:
    data = json.loads(dnet_tui("ls", "--format", "json", "--snapshot", healthy).stdout)

    assert list(data) == ["bridges", "networks", "containers", "veths", "ports"]


def test_a_snapshot_is_read_from_stdin() -> None:
    text = msgspec.json.encode(docker_like_snapshot()).decode()

    assert "veth5f0a1b2" in dnet_tui("ls", "veths", "--snapshot", "-", stdin=text).stdout


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99}', "\x00\xff"])
def test_a_file_that_is_no_snapshot_is_refused_in_words(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)

    ran = dnet_tui("doctor", "--snapshot", str(file))

    assert ran.returncode == 2
    assert ran.stderr.startswith("dnet-tui: ")
    assert "Traceback" not in ran.stderr


def test_snapshot_before_a_command_is_refused_rather_than_ignored(healthy: str) -> None:
    ran = dnet_tui("--snapshot", healthy, "doctor")

    assert ran.returncode == 2
    assert "dnet-tui doctor --snapshot" in ran.stderr


@pytest.mark.parametrize("command", [entry.name for entry in COMMANDS if entry.writes])
def test_readonly_refuses_every_command_that_writes(command: str) -> None:
    ran = dnet_tui("--readonly", command)

    assert ran.returncode == 2
    assert "--readonly" in ran.stderr


def test_the_app_needs_a_terminal() -> None:
    ran = dnet_tui()

    assert ran.returncode == 2
    assert "terminal" in ran.stderr


def test_equal_snapshots_do_not_differ_and_others_do(healthy: str, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(msgspec.json.encode(with_chain(docker_like_snapshot(), "nat", chain("POSTROUTING"))))

    same, changed = dnet_tui("snapshot", "diff", healthy, healthy), dnet_tui("snapshot", "diff", healthy, str(other))

    assert (same.returncode, same.stdout) == (0, "No difference.\n")
    assert changed.returncode == 1
    assert "- nat POSTROUTING: rule 2 “-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE” removed" in changed.stdout


def test_a_difference_as_json_says_of_what_and_an_unseen_section_is_no_equality(healthy: str, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    gap = Gap(section="firewall", scope=HOST, reason="no permission")
    other.write_bytes(
        msgspec.json.encode(
            with_gaps(with_namespace(docker_like_snapshot(), HOST, firewall=Unread(reason=NOT_READ)), gap)
        )
    )

    ran = dnet_tui("snapshot", "diff", healthy, str(other), "--format", "json")
    found = json.loads(ran.stdout)

    assert ran.returncode == 3
    assert (found["format"], found["changes"], found["before"]["hostname"]) == (1, [], "lab")
    assert found["not_compared"] == [
        {"section": "firewall", "scope": "host", "side": "after", "reason": "no permission"}
    ]


def test_save_does_not_overwrite_unasked(healthy: str) -> None:
    ran = dnet_tui("snapshot", "save", healthy)

    assert ran.returncode == 2
    assert "--force" in ran.stderr


def test_explain_prints_the_checks_own_words() -> None:
    ran = dnet_tui("explain", "masq-missing")

    assert ran.returncode == 0
    assert "What it finds" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80


def test_a_reader_that_goes_away_is_no_error(healthy: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dnet_tui.tui.main", "ls", "--format", "json", "--snapshot", healthy],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 141


def test_a_terminal_in_another_encoding_gets_escapes_not_a_crash(healthy: str) -> None:
    ran = process("ls", "--snapshot", healthy, PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert ran.returncode == 0
    assert "veth5f0a1b2" in ran.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown(shell: str) -> None:
    ran = process("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")

    assert ran.returncode == 0
    assert "_DNET_TUI_COMPLETE" in ran.stdout


def test_commands_and_their_options_complete() -> None:
    def complete(words: str) -> list[str]:
        ran = process(_DNET_TUI_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1))
        return ran.stdout.split()

    assert complete("dnet-tui do") == ["doctor"]
    assert complete("dnet-tui doctor --foc") == ["--focus"]
    assert complete("dnet-tui ls ve") == ["veths"]


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bash_completions/dnet-tui.sh"),
        ("zsh", ".zfunc/_dnet-tui"),
        ("fish", ".config/fish/completions/dnet-tui.fish"),
    ],
)
def test_completion_is_installed_for_the_shell_that_is_named(
    shell: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    ran = dnet_tui("--install-completion", shell)
    assert ran.returncode == 0, ran
    assert "dnet-tui" in (tmp_path / file).read_text()


def test_a_shell_that_nobody_knows_is_refused() -> None:
    ran = dnet_tui("--install-completion", "tcsh")
    assert ran.returncode == 2
    assert "tcsh" in ran.stderr
