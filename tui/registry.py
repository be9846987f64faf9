"""The commands by name: where each lives, its one line of help and its examples.

A plain table, so that ``--help`` and completion list every command without
importing any.  :mod:`dnet_tui.tui.lazy_group` imports the one that is called.
"""

from __future__ import annotations

from typing import NamedTuple


class CommandSpec(NamedTuple):
    """One command.

    ``target`` is ``module:attribute``, a function or a ``typer.Typer``.
    ``writes`` says that it can change a host.  ``examples`` end its
    ``--help``: (command, what it does) pairs.
    """

    name: str
    target: str
    help: str
    examples: tuple[tuple[str, str], ...] = ()
    writes: bool = False


COMMANDS: tuple[CommandSpec, ...] = (
    CommandSpec(
        "doctor",
        "dnet_tui.tui.commands.doctor:doctor",
        "Say what is wrong, why, and how to put it right.",
        (
            ("dnet-tui doctor", "examine this host"),
            ("dnet-tui doctor --focus web", "only what concerns one container or network"),
            ("dnet-tui doctor --check masq-missing --format json", "one check, for a script"),
            ('dnet-tui doctor --flow "web -> db:5432"', "a flow that you mean to pass: why it does not"),
            ("dnet-tui doctor --snapshot host.json --format markdown", "examine another host's snapshot"),
        ),
    ),
    CommandSpec(
        "ls",
        "dnet_tui.tui.commands.ls:ls",
        "List bridges, networks, containers, veths, ports.",
        (
            ("dnet-tui ls", "the map: bridges and the containers on them"),
            ("dnet-tui ls veths", "which container each veth belongs to"),
            ("dnet-tui ls ports", "what is published, by which rule, and who listens"),
            ("dnet-tui ls containers --format json | jq '.[].name'", "for a script"),
        ),
    ),
    CommandSpec(
        "rules",
        "dnet_tui.tui.commands.rules:rules",
        "Show the firewall's chains, as packets meet them.",
        (
            ("dnet-tui rules --table nat", "one table"),
            ("dnet-tui rules --chain FORWARD", "one chain"),
            ("dnet-tui rules --for web", "only what concerns one container, network or port"),
        ),
    ),
    CommandSpec(
        "why",
        "dnet_tui.tui.commands.why:why",
        "Go through a flow step by step: what stops it, and the fix.",
        (
            ("dnet-tui why web db", "why web can't reach db, and what to do"),
            ("dnet-tui why web outside --port 443", "the way out, step by step"),
            ("dnet-tui why outside host --port 8080", "a published port, from outside"),
            ("dnet-tui why web db:5432 --format json | jq .fix", "for a script"),
        ),
    ),
    CommandSpec(
        "trace",
        "dnet_tui.tui.commands.trace:trace",
        "Follow a packet: every hop, and what decides.",
        (
            ("dnet-tui trace web outside", "from a container to the internet"),
            ("dnet-tui trace outside host --port 8080", "from outside to a published port"),
            ("dnet-tui trace app db:5432", "between containers"),
            ("dnet-tui trace web outside --size 1500", "does a packet of that length fit through"),
            ("dnet-tui trace web app --live", "also send it, and let the kernel tell"),
            ("dnet-tui trace --matrix", "who can reach whom"),
        ),
    ),
    CommandSpec(
        "capture",
        "dnet_tui.tui.commands.capture:capture",
        "Watch packets at interfaces and containers.",
        (
            ("dnet-tui capture web --filter icmp", "from its interface to the uplink, one row for each packet"),
            ("dnet-tui capture along web 203.0.113.9:443", "the points of that way, and where packets get lost"),
            ("dnet-tui capture web:eth0 docker0 eth0 --show 'host web and lost'", "three points, only what is lost"),
            ("dnet-tui capture web --write web.pcapng --rotate 100M --keep 10", "files for Wireshark, the last ten"),
            ("dnet-tui capture --read web.pcapng", "the same rows, from a file"),
            ("dnet-tui capture --read web.pcapng --packet 7", "one packet's fields, and its bytes in hex"),
            ("dnet-tui capture --drops web", "what this host drops of its traffic, and by which rule"),
        ),
    ),
    CommandSpec(
        "fix",
        "dnet_tui.tui.commands.fix:fix",
        "Repair what doctor found; shows the commands first.",
        (
            ("dnet-tui fix --dry-run", "show what would be done"),
            ("dnet-tui fix ip-forward-off", "repair one finding"),
            ("dnet-tui fix --all --yes", "repair everything that can be repaired, unasked"),
        ),
        writes=True,
    ),
    CommandSpec(
        "undo",
        "dnet_tui.tui.commands.undo:undo",
        "Take back a change that dnet-tui made.",
        (
            ("dnet-tui undo", "take back the last change"),
            ("dnet-tui undo --dry-run", "show what would be taken back"),
        ),
        writes=True,
    ),
    CommandSpec(
        "journal",
        "dnet_tui.tui.commands.journal:journal",
        "List the changes that dnet-tui made on this host.",
        (("dnet-tui journal", "what was done, when, and what was undone"),),
    ),
    CommandSpec(
        "net",
        "dnet_tui.tui.commands.host_changes.net:net_app",
        "Create and remove networks; connect containers.",
        (
            ("dnet-tui net create front --subnet 10.30.0.0/24", "a new bridge network"),
            ("dnet-tui net create six --subnet 10.31.0.0/24 --subnet fd00:31::/64", "one with IPv6 too"),
            ("dnet-tui net connect front web --ip 10.30.0.7", "a running container, with an address of its own"),
            ("dnet-tui net create lab --engine linux --namespace one", "with a plain namespace on it"),
            ("dnet-tui net attach lab two", "make one more, and plug it in"),
            ("dnet-tui net disconnect front web", "unplug it"),
            ("dnet-tui net rm front", "remove it again"),
        ),
        writes=True,
    ),
    CommandSpec(
        "port",
        "dnet_tui.tui.commands.host_changes.port:port_app",
        "Publish ports of running containers; stop it.",
        (
            ("dnet-tui port publish web 8080:80", "a running container's port, on every address of this host"),
            ("dnet-tui port publish db 192.0.2.1:5432:5432 --localhost", "on one address, and on 127.0.0.1"),
            ("dnet-tui port publish web 8080:80 --dry-run --format json", "what it would do, for a script"),
            ("dnet-tui port unpublish web 8080", "stop it"),
        ),
        writes=True,
    ),
    CommandSpec(
        "route",
        "dnet_tui.tui.commands.host_changes.route:route_app",
        "Route to container subnets of other hosts.",
        (
            ("dnet-tui route add 10.60.0.0/24 via 192.0.2.7", "the containers of another host, both ways"),
            ("dnet-tui route add fd00:60::/64 via 2001:db8::7 --network app", "for one network alone"),
            ("dnet-tui route rm 10.60.0.0/24", "remove it, and its rules"),
        ),
        writes=True,
    ),
    CommandSpec(
        "persist",
        "dnet_tui.tui.commands.host_changes.persist:persist",
        "Keep changes of dnet-tui's over a reboot.",
        (
            ("dnet-tui persist --dry-run", "the files that would keep all that a reboot loses"),
            ("dnet-tui persist 0003", "keep what one entry of the journal changed"),
        ),
        writes=True,
    ),
    CommandSpec(
        "snapshot",
        "dnet_tui.tui.commands.snapshot:snapshot_app",
        "Save what was seen to a file; compare two files.",
        (
            ("dnet-tui snapshot save before.json", "keep this host's state"),
            ("dnet-tui snapshot diff before.json after.json", "what changed between two"),
        ),
    ),
    CommandSpec(
        "checks",
        "dnet_tui.tui.commands.checks:checks",
        "List the checks that doctor runs.",
        (("dnet-tui checks --format json", "for a script"),),
    ),
    CommandSpec(
        "explain",
        "dnet_tui.tui.commands.explain:explain",
        "Explain one check: what it finds, why, the remedy.",
        (("dnet-tui explain masq-missing", "read about one check"),),
    ),
    CommandSpec(
        "demo",
        "dnet_tui.tui.commands.demo:demo",
        "Try it all on a disposable host; touches nothing real.",
        (
            ("dnet-tui demo", "a healthy host"),
            ("dnet-tui demo --fault masq-missing", "a host with a fault to find"),
            ("dnet-tui demo --fault masq-missing -- doctor", "run one command there"),
        ),
    ),
)


def entry(name: str) -> CommandSpec | None:
    """The command of that name."""
    return next((item for item in COMMANDS if item.name == name), None)
