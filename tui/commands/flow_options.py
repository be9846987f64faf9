"""The options by which commands are told of a flow."""

from __future__ import annotations

from typing import Annotated

import typer

from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui import completion

_LAST_PORT = 65535

Source = Annotated[
    str,
    typer.Argument(metavar="FROM", autocompletion=completion.places, help="A container, host, outside or an address."),
]
Target = Annotated[
    str, typer.Argument(metavar="TO", autocompletion=completion.places, help="The same, or container:port.")
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--from", metavar="PLACE", autocompletion=completion.places, help="With --matrix: only from here (repeatable)."
    ),
]


def _as_port(context: typer.Context, parameter: typer.CallbackParam, value: int) -> int:
    """Refuse what is no port; 0 stands for none, which nobody writes."""
    given = context.get_parameter_source(parameter.name or "")
    if not 0 <= value <= _LAST_PORT or (not value and given is not None and given.name == "COMMANDLINE"):
        raise typer.BadParameter(f"{value} is no port: it is a number from 1 to {_LAST_PORT}")
    return value


Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--to", metavar="PLACE", autocompletion=completion.places, help="With --matrix: only to there (repeatable)."
    ),
]
DestinationPort = Annotated[
    int,
    typer.Option(
        "--port", metavar="PORT", callback=_as_port, show_default=False, help="The destination port (default 80)."
    ),
]
SourcePort = Annotated[
    int, typer.Option("--sport", metavar="PORT", callback=_as_port, show_default=False, help="The source port.")
]

InInterface = Annotated[
    str,
    typer.Option(
        "--in-interface",
        metavar="NAME",
        autocompletion=completion.host_interfaces,
        show_default=False,
        help="By which interface of the host a packet from outside arrives (default: that of the way back).",
    ),
]


def one_port(named: int, port: int, target: str) -> None:
    """Refuse two ports of which only one could be meant: ``named`` is the target's own (0: none).

    Raises:
        UsageError: they differ.
    """
    if named and port and named != port:
        raise UsageError(f"{clean(target)} names port {named}, and --port says {port}", "leave one of the two out")
