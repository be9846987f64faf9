"""``dnet-tui demo``: opens the app, or runs any command of it, on a disposable host.

Nothing of the real host is touched, and everything vanishes at the end.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dnet_tui.inspect.errors import UsageError


def demo(
    args: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGS", help="What to run there: arguments of dnet-tui itself."),
    ] = None,
    *,
    fault: Annotated[
        list[str] | None, typer.Option("--fault", metavar="ID", help="Put this fault in first. May be repeated.")
    ] = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="List the faults and exit.")] = False,
    shell: Annotated[bool, typer.Option("--shell", help="Open a shell on the host instead.")] = False,
    user: Annotated[bool, typer.Option("--user", help="Use a user namespace even as root.")] = False,
) -> None:
    """Open the app on a disposable host with bridges, containers and rules of its own.

    It needs no container engine, and no root where the kernel lets users make
    namespaces. With ARGS it runs that command there: dnet-tui demo --fault
    masq-missing -- doctor. The exit code is that of what ran.
    """
    from dnet_tui.actions.demo import (  # noqa: PLC0415 - only this command needs them
        faults,
        foreground,
        host,
        sandbox,
        topology,
    )

    if list_faults:
        _print_faults()
        return
    chosen = [faults.fault(name) for name in dict.fromkeys(fault or [])]
    if shell and args:
        raise UsageError("--shell takes no ARGS", "leave out one of them")
    with foreground.ending_on_signals():
        print("Building a disposable host … ", end="", file=sys.stderr, flush=True)
        with host.start_demo(user=True if user else None) as place:
            print("done; it vanishes at the end.", file=sys.stderr)
            where = host.target(place, topology.DEMO.nets[0], topology.DEMO)
            for item in chosen:
                host.inject(place, item, where)
                print(f"Fault put in: {item.id}: {item.description}.", file=sys.stderr)
            own = sandbox.module_argv("dnet_tui.tui.main", *(args or []), site=True)
            code = foreground.run_here(place, foreground.shell_argv() if shell else own)
    raise typer.Exit(code)


def _print_faults() -> None:
    from dnet_tui.actions.demo.faults import EVERY_FAULT  # noqa: PLC0415 - only this command needs them

    width = max(len(item.id) for item in EVERY_FAULT)
    for item in EVERY_FAULT:
        print(f"{item.id:<{width}}  {item.description}")
