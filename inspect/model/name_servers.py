"""The model of who is asked for names: what a resolv.conf says, and what an engine wrote beneath it.  Pure data."""

from __future__ import annotations

from dnet_tui.inspect.model.links import ModelStruct


class NameServer(ModelStruct, frozen=True, kw_only=True):
    """A name server that an engine's own resolver passes questions on to.

    With ``from_host`` it is asked from the host's network namespace (Docker
    writes ``host(…)``), otherwise from the container's.
    """

    address: str
    from_host: bool = False


class Resolver(ModelStruct, frozen=True, kw_only=True, tag_field="read", tag="yes"):
    """A resolv.conf.

    ``source`` is its path on the host.  ``servers`` are its name servers, in
    their order, as resolv.conf(5) has them.  What follows comes from the
    comments that Docker writes beneath since 26.0 (moby,
    libnetwork/internal/resolvconf): ``upstreams`` are the servers that the
    engine's own resolver at 127.0.0.11 asks in turn, None where the file
    doesn't tell; ``fell_back`` says that no server was left of the host's, so
    that the engine's default ones were put in; ``none_left`` that its own
    resolver has no upstream server; ``overridden`` that the servers were given by
    option and don't come from the host; ``based_on`` is the host's file they
    were taken from.
    """

    source: str
    servers: tuple[str, ...] = ()
    upstreams: tuple[NameServer, ...] | None = None
    fell_back: bool = False
    none_left: bool = False
    overridden: bool = False
    based_on: str = ""
