"""What traffic each kind of lab host lets pass while it is healthy, and what each fault changes.  Pure data.

A plan holds the few probes that the faults tell apart, so that they can be
sent often; the whole matrix of a host is in ``test_lab_hosts.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import MODES_SINCE
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, LabHost
from lab.machines.podman_host import PodmanHost
from lab.packets.traffic import Probe, Went

OK, REFUSED, TIMEOUT, UNREACHABLE = Went.OK, Went.REFUSED, Went.TIMEOUT, Went.UNREACHABLE

Traffic = Mapping[Probe, Went]

EGRESS = Probe("web", OUTSIDE_SERVER, 80, answers="internet")
PUBLISHED = Probe("outside", UPLINK_ADDRESS, 8080, answers="web")
CROSS = Probe("web", "db", 80)
OTHER_EGRESS = Probe("db", OUTSIDE_SERVER, 80, answers="internet")
FROM_HOST = Probe("host", "web", 80)
CROSS_OPEN = Probe("web", "open", 80)
"""To a network in mode nat-unprotected: with Docker 28 only the isolation stands before it."""
CROSS_ISOLATED = Probe("iso1", "iso2", 80)


@dataclass(frozen=True)
class Plan:
    """Traffic of one kind of host; ``web`` is in the network that faults hit, ``db`` in another one.

    ``broken`` says for each fault the probes that go otherwise while it is
    in; everything else must go on as in ``healthy``.
    """

    healthy: Traffic
    broken: Mapping[str, Traffic]
    exposure: Probe = CROSS
    """What must not pass, and does once the isolation is gone."""
    rightly_blocked: Mapping[str, Traffic] = field(default_factory=dict)
    """What a fault's repair leaves as it is."""

    @property
    def symptoms(self) -> dict[str, Probe]:
        """The probe that shows each word of :attr:`Fault.breaks`."""
        return {"egress": EGRESS, "published": PUBLISHED, "exposure": self.exposure}


_BROKEN: dict[str, Traffic] = {
    "ip-forward-off": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, OTHER_EGRESS: TIMEOUT},
    "fwd-off-bridge": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT},
    "fwd-off-uplink": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, OTHER_EGRESS: TIMEOUT},
    "masq-missing": {EGRESS: TIMEOUT},
    "isolation-missing": {CROSS: OK},
    "drop-before-docker": {EGRESS: REFUSED, PUBLISHED: REFUSED, OTHER_EGRESS: REFUSED, CROSS: REFUSED},
    "user-chain-drop": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, OTHER_EGRESS: TIMEOUT},
    "policy-drop": {EGRESS: REFUSED},
    # The host itself answers: nobody listens at the port that all of it is led to.
    "hijack": {EGRESS: REFUSED, OTHER_EGRESS: REFUSED, CROSS: REFUSED},
    "notrack": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT},
    "xfrm-block": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT},
    "blackhole": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT},
}

CLASSIC = Plan(
    healthy={EGRESS: OK, PUBLISHED: OK, CROSS: TIMEOUT, OTHER_EGRESS: OK, FROM_HOST: OK},
    broken=_BROKEN,
    # DOCKER-USER may keep strangers from published ports.
    rightly_blocked={"user-chain-drop": {PUBLISHED: TIMEOUT}},
)
"""Of the demo host, and of Docker before 28."""

DOCKER_28 = Plan(
    healthy={**CLASSIC.healthy, CROSS_OPEN: TIMEOUT},
    broken={
        **_BROKEN,
        # db has the raw table's drop before it still; to the unprotected network the way is free.
        "isolation-missing": {CROSS_OPEN: OK},
        "drop-before-docker": {EGRESS: REFUSED, PUBLISHED: REFUSED, OTHER_EGRESS: REFUSED, CROSS_OPEN: REFUSED},
        "hijack": {EGRESS: REFUSED, OTHER_EGRESS: REFUSED, CROSS_OPEN: REFUSED},
    },
    exposure=CROSS_OPEN,
    rightly_blocked=CLASSIC.rightly_blocked,
)

PODMAN = Plan(
    # Podman lets networks reach each other unless both ask for isolation.
    healthy={EGRESS: OK, PUBLISHED: OK, CROSS: OK, OTHER_EGRESS: OK, FROM_HOST: OK, CROSS_ISOLATED: TIMEOUT},
    broken={
        "ip-forward-off": {**_BROKEN["ip-forward-off"], CROSS: TIMEOUT},
        "fwd-off-bridge": {**_BROKEN["fwd-off-bridge"], CROSS: TIMEOUT},
        "fwd-off-uplink": _BROKEN["fwd-off-uplink"],
        "masq-missing": _BROKEN["masq-missing"],
        "isolation-missing": {CROSS_ISOLATED: OK},
        "drop-before-docker": {**_BROKEN["drop-before-docker"], CROSS_ISOLATED: REFUSED},
        "policy-drop": _BROKEN["policy-drop"],
        "hijack": {**_BROKEN["hijack"], CROSS_ISOLATED: REFUSED},
        # The answers of other networks are no answers of anything that is tracked.
        "notrack": {**_BROKEN["notrack"], CROSS: TIMEOUT},
        "xfrm-block": {**_BROKEN["xfrm-block"], CROSS: TIMEOUT},
        "blackhole": {**_BROKEN["blackhole"], CROSS: TIMEOUT},
    },
    exposure=CROSS_ISOLATED,
)
"""It has no chain for the user's rules, so no fault in it."""


def plan_of(host: LabHost) -> Plan:
    """Return the plan for a host, by its engine and that one's version."""
    if isinstance(host, PodmanHost):
        return PODMAN
    if isinstance(host, DockerHost) and host.release >= MODES_SINCE:
        return DOCKER_28
    return CLASSIC
