"""What the Docker daemon's own process and settings tell, where the API is silent.

They decide how a published port is reached from the host itself, and whose
rules and sysctls to expect.  Nothing is changed.

Source: dockerd(8), its options and daemon.json, 20.10 to 29.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from dnet_tui.inspect.engines.docker.daemon_programs import DaemonProgram, find_iptables
from dnet_tui.inspect.kernel.procfs import ProcessSeen, read_argv
from dnet_tui.inspect.kernel.read_file import read_beginning
from dnet_tui.inspect.model import Engine
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.text.encoding import storable

_DEFAULT_CONFIG = "/etc/docker/daemon.json"
_CONFIG = "--config-file"
_LARGEST = 1 << 20

_WORDS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}
"""As Go's strconv.ParseBool reads them, in lower case."""


class DaemonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon's settings; None (an empty ``firewall_backend``) for what isn't stated.

    ``complete`` says that both its arguments and its settings file were seen,
    so that the daemon's defaults hold for the rest.
    """

    userland_proxy: bool | None = None
    iptables: bool | None = None
    ip6tables: bool | None = None
    ip_forward: bool | None = None
    ip_masq: bool | None = None
    firewall_backend: str = ""
    complete: bool = False
    iptables_program: DaemonProgram = DaemonProgram()


_BOOLEANS = ("userland-proxy", "iptables", "ip6tables", "ip-forward", "ip-masq")
"""The options' names, in arguments (after two dashes) and in daemon.json."""


def read_settings(processes: Iterable[ProcessSeen]) -> DaemonSettings:
    """The settings of the daemon among ``processes``, which are those in the host's namespace.

    Of several daemons nothing is told: it isn't known which one answered.
    """
    seen = [process for process in processes if process.container is None]
    has_proxy = any(process.name == DOCKER.port_proxy for process in seen)
    daemons = [process.pid for process in seen if process.name == DOCKER.daemon]
    told = DaemonSettings()
    if len(daemons) == 1:
        program = find_iptables(daemons[0], _root_of(daemons[0]))
        told = msgspec.structs.replace(_settings_of(daemons[0]), iptables_program=program)
    return msgspec.structs.replace(told, userland_proxy=True) if has_proxy else told


def _settings_of(pid: int) -> DaemonSettings:
    argv = read_argv(pid)
    stated = parse_argv(argv)
    try:
        file = parse_settings(_read_config(pid, option(argv, _CONFIG) or _DEFAULT_CONFIG))
    except FileNotFoundError:
        file = DaemonSettings(complete=True)
    except OSError:
        file = DaemonSettings()
    return _joined(stated, file, complete=bool(argv) and file.complete)


def _read_config(pid: int, path: str) -> bytes:
    """The daemon's settings file, as the daemon itself sees it; through our own mounts when that isn't permitted.

    Raises:
        OSError: it isn't there, or isn't a file to be read.
    """
    if not path.startswith("/"):
        raise OSError("the daemon's working folder isn't known")
    return read_beginning(_root_of(pid) + path, _LARGEST)


def _root_of(pid: int) -> str:
    """Where that process's file system is seen from here; our own where it may not be looked into."""
    try:
        Path(f"/proc/{pid}/root/").stat()
    except PermissionError:
        return ""
    return f"/proc/{pid}/root"


def parse_argv(argv: tuple[str, ...]) -> DaemonSettings:
    """What a dockerd's arguments say: ``--iptables`` and ``--iptables=false``."""

    def stated(name: str) -> bool | None:
        return True if f"--{name}" in argv else _WORDS.get(_value(argv, f"--{name}").lower())

    return _made(stated, option(argv, "--firewall-backend"), complete=False)


def _made(stated: Callable[[str], bool | None], backend: str, *, complete: bool) -> DaemonSettings:
    return DaemonSettings(
        userland_proxy=stated("userland-proxy"),
        iptables=stated("iptables"),
        ip6tables=stated("ip6tables"),
        ip_forward=stated("ip-forward"),
        ip_masq=stated("ip-masq"),
        firewall_backend=backend,
        complete=complete,
    )


def option(argv: tuple[str, ...], name: str) -> str:
    """An option's value, written ``--name=value`` or ``--name value``; empty when not given."""
    if name in argv[:-1]:
        return argv[argv.index(name) + 1]
    return _value(argv, name)


def _value(argv: tuple[str, ...], name: str) -> str:
    return next((arg.partition("=")[2] for arg in argv if arg.startswith(name + "=")), "")


def parse_settings(raw: bytes) -> DaemonSettings:
    """What daemon.json says; nothing, and not complete, when it isn't readable as JSON."""
    try:
        settings = json.loads(raw) if raw.strip() else {}  # the daemon takes an empty file too
    except (ValueError, RecursionError):
        return DaemonSettings()
    if not isinstance(settings, dict):
        return DaemonSettings()

    def stated(name: str) -> bool | None:
        value = settings.get(name)
        return value if isinstance(value, bool) else None

    backend = settings.get("firewall-backend")
    is_odd = any(name in settings and stated(name) is None for name in _BOOLEANS)
    return _made(stated, storable(backend) if isinstance(backend, str) else "", complete=not is_odd)


def _joined(one: DaemonSettings, two: DaemonSettings, *, complete: bool) -> DaemonSettings:
    """Arguments and file together: the daemon refuses to start when both state the same."""

    def stated(name: str) -> bool | None:
        field = name.replace("-", "_")
        first: bool | None = getattr(one, field)
        second: bool | None = getattr(two, field)
        return first if first is not None else second

    return _made(stated, one.firewall_backend or two.firewall_backend, complete=complete)


def with_settings(engine: Engine, settings: DaemonSettings) -> Engine:
    """The engine with its daemon's settings, and the defaults of its version where nothing else was stated."""
    certain: bool | None = True if settings.complete else None

    def of(stated: bool | None, default: bool | None) -> bool | None:  # noqa: FBT001 - three-valued by nature
        return stated if stated is not None else default

    major = engine.version.partition(".")[0]
    new_default = int(major) >= 27 if major.isascii() and major.isdecimal() else None  # on by default since 27.0
    return msgspec.structs.replace(
        engine,
        userland_proxy=of(settings.userland_proxy, certain),
        iptables=of(settings.iptables, certain),
        ip6tables=of(settings.ip6tables, new_default if settings.complete else None),
        ip_forward=of(settings.ip_forward, certain),
        ip_masq=of(settings.ip_masq, certain),
        firewall=engine.firewall or settings.firewall_backend,
        iptables_program=settings.iptables_program.path,
        iptables_backend=settings.iptables_program.backend,
    )
