"""What a rule of dnet-tui's own publishes, kept in the rule's comment.  Pure.

A port that an engine did not publish has nobody to ask whose it is.  dnet-tui
writes it where it lives and dies with the rule: into the comment, at most 255
bytes (``XT_MAX_COMMENT_LEN`` - 1 in the kernel's xt_comment.h).
"""

from __future__ import annotations

import re
from typing import NamedTuple

PREFIX = "dnet-tui:"
"""How the comments that dnet-tui writes begin."""

OWN_TABLES = "dnet-tui-"
"""How the names of the nftables tables begin that are dnet-tui's alone."""

_LABEL = re.compile(
    r"dnet-tui:port (?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,127}) (?P<ip>\*|[0-9a-f.:]{2,45}) "
    r"(?P<host>[1-9]\d{0,4})>(?P<inside>[1-9]\d{0,4})/(?P<proto>tcp|udp)"
)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
"""The containers' names that fit into a label."""


class PortLabel(NamedTuple):
    """A port that is published by rules: of which container, on which address (``*``: all), from and to which port."""

    container: str
    host_ip: str
    host_port: int
    container_port: int
    proto: str

    @property
    def comment(self) -> str:
        """The comment that its rules bear."""
        ports = f"{self.host_port}>{self.container_port}/{self.proto}"
        return f"{PREFIX}port {self.container} {self.host_ip} {ports}"


def decode(comment: str) -> PortLabel | None:
    """Return what a comment says; None when it isn't the label of a port."""
    found = _LABEL.fullmatch(comment)
    if found is None:
        return None
    return PortLabel(found["name"], found["ip"], int(found["host"]), int(found["inside"]), found["proto"])
