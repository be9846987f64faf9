"""The engines that can be asked.  To support another one: a folder like docker/ beside this module, and a line here."""

from __future__ import annotations

from dnet_tui.inspect.engines.docker.engine import DockerEngine
from dnet_tui.inspect.engines.podman.engine import PodmanEngine
from dnet_tui.inspect.engines.protocol import EngineReader

ENGINES: tuple[EngineReader, ...] = (DockerEngine(), PodmanEngine())
"""In the order in which their containers and networks are listed."""
