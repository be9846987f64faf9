"""The guided check on a real kernel: a flow's packets at each point, before and after a repair; who wrote rules."""

from __future__ import annotations

from typing import Any

import msgspec

from dnet_tui.actions.demo.faults import fault
from dnet_tui.actions.demo.host import inject
from lab.machines.hosts import DemoHost, python_argv

_FLOW = """
import sys, time, msgspec
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot
from dnet_tui.tui.app.flow_answer import answer_flow
from dnet_tui.tui.app.model.guided import FlowCount, AskedFlow, counted
from dnet_tui.actions.probes.probe import ping
from dnet_tui.tui.app.live.services_flow import open_flow, probe
answered = answer_flow(take_snapshot(), None, AskedFlow(source=sys.argv[1], target="outside", port=443))
source = open_flow(answered)
# Others talk at the same points meanwhile: the host with the container.
ping(answered.why.trace.forward.start.src, limit=2)
line = probe(answered)
count, wanted = FlowCount(), 6 if line.good else 3
deadline = time.monotonic() + 60
while time.monotonic() < deadline and sum((*count.there_kinds.values(), *count.back_kinds.values())) < wanted:
    count = counted(count, source.poll(0.3).packets, len(source.points))
source.close()
print(msgspec.json.encode({"passes": answered.why.passes, "count": count, "probe": line}).decode())
"""

_AUTHORS = """
import subprocess, sys, time, msgspec
from dnet_tui.inspect.watch.rule_authors import RuleAuthors
authors = RuleAuthors()
for argv in (["nft", "add", "table", "ip", "made_by_nft"], ["iptables-nft", "-A", "FORWARD", "-j", "ACCEPT"]):
    subprocess.run(argv, check=True)
found, deadline = [], time.monotonic() + 60
while len(found) < 2 and time.monotonic() < deadline:
    found += authors.take()
authors.close()
print(msgspec.json.encode([item.name for item in found]).decode())
"""


def flow(host: DemoHost, container: str) -> Any:
    """Walk, watch and try a container's way out."""
    return msgspec.json.decode(host.run(*python_argv(_FLOW), container).stdout)


def test_the_same_count_shows_that_nobody_answers_and_after_the_repair_that_somebody_does(demo_host: DemoHost) -> None:
    container = min(demo_host.addresses)
    inject(demo_host.sandbox, fault("masq-missing"), demo_host.target)
    broken = flow(demo_host, container)
    assert broken["passes"] is False
    assert broken["probe"]["good"] is False
    first, last = broken["count"]["points"][0], broken["count"]["points"][-1]
    assert (first["there"], first["back"]) == (3, 0)
    assert (last["there"], last["sources"]) == (3, first["sources"])

    demo_host.run(*python_argv("from dnet_tui.tui.main import main; main()"), "fix", "masq-missing", "--yes")
    mended = flow(demo_host, container)
    assert mended["passes"] is True
    assert mended["probe"]["good"] is True
    first, last = mended["count"]["points"][0], mended["count"]["points"][-1]
    assert (first["there"], first["back"]) == (3, 3)
    assert last["there"] == 3
    assert last["sources"] != first["sources"]  # joined across NAT


def test_the_kernel_names_who_wrote_rules(demo_host: DemoHost) -> None:
    assert msgspec.json.decode(demo_host.run(*python_argv(_AUTHORS)).stdout) == ["nft", "iptables-nft"]
