"""Names that somebody else chose, or that a person mistypes: never a shell's word, an option, a path or a rule."""

from __future__ import annotations

import pytest

from lab.actions.private_etc import own_etc
from lab.actions.test_fix_and_undo import undo
from lab.machines.hosts import DemoHost
from lab.sequences.sequences import difference, portrait

BAD = (
    "x;touch /mnt/owned",
    "$(touch /mnt/owned)",
    "../../mnt/owned",
    "-x",
    "a b",
    "x\n-A FORWARD -j ACCEPT",
    'x" drop; "',
)


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_is_none_is_refused_everywhere(demo_host: DemoHost, name: str) -> None:
    own_etc(demo_host)
    before = portrait(demo_host)
    for verb, words in (
        ("net create", ("--engine", "linux", "--", name)),
        ("net create", ("red", "--engine", "linux", f"--bridge-name={name}")),
        ("net create", ("red", "--engine", "linux", f"--namespace={name}")),
        ("net create", ("red", "--engine", "linux", f"--subnet={name}")),
        ("net attach", ("--", "front", name)),
        ("net connect", ("--", "front", name)),
        ("net rm", ("--", name)),
        ("port publish", ("--", name, "9090:80")),
        ("port publish", ("--", "web", name)),
        ("port unpublish", ("--", name, "9090")),
        ("route add", ("--", name, "via", "203.0.113.1")),
        ("route add", ("--", "10.60.0.0/24", "via", name)),
        ("undo", ("--", name)),
        ("persist", ("--", name)),
    ):
        ran = demo_host.dnet(*verb.split(), "--yes", *words)
        assert ran.returncode == 2, (words, ran.stdout.decode(), ran.stderr.decode())
        assert b"Traceback" not in ran.stderr, (words, ran.stderr.decode())
    assert demo_host.run("test", "-e", "/mnt/owned", check=False).returncode == 1
    assert difference(before, portrait(demo_host)) == ""


FOREIGN = ("x;id>owned", "$(id)", '"q"', "ü", "eth*")
"""Names that the kernel takes for links and named namespaces all the same."""


@pytest.mark.parametrize("name", FOREIGN)
def test_links_and_namespaces_of_such_names_are_only_names(demo_host: DemoHost, name: str) -> None:
    own_etc(demo_host)
    demo_host.run("ip", "netns", "add", name)
    demo_host.run("ip", "-n", name, "link", "set", "lo", "up")
    demo_host.run("ip", "link", "add", name, "type", "bridge")
    demo_host.run("ip", "link", "set", name, "up")
    before = portrait(demo_host)
    ran = demo_host.dnet("net", "connect", "front", name, "--yes")
    assert ran.returncode in (0, 1, 2)
    assert b"Traceback" not in ran.stderr
    if ran.returncode == 0:
        undo(demo_host)
    assert difference(before, portrait(demo_host)) == ""
    ran = demo_host.dnet("net", "create", "red", "--engine", "linux", "--yes")
    assert b"Traceback" not in ran.stderr
    if ran.returncode == 0:
        undo(demo_host)
    assert difference(before, portrait(demo_host)) == ""
    assert demo_host.run("find", "/", "-maxdepth", "1", "-name", "owned").stdout == b""
