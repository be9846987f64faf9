"""How pip is configured on this machine: what another root must be lent so that pip works there as here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

VARIABLES = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip
"""What pip heeds besides its own variables, PIP_*."""

ALWAYS = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs", "/usr/local/share/ca-certificates")


@dataclass(frozen=True)
class PipSettings:
    """The variables that pip heeds here, and the paths that it or its configuration names."""

    environment: dict[str, str]
    paths: tuple[Path, ...]


def of_this_machine() -> PipSettings:
    """Ask pip for its configuration, and the environment for the rest."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name in VARIABLES}
    named = {*ALWAYS, *paths_in(environment.values()), *paths_in(_pip("list")), *_files(_pip("debug"))}
    return PipSettings(environment, outermost(Path(name) for name in named))


def _pip(verb: str) -> list[str]:
    argv = [sys.executable, "-m", "pip", "config", verb]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines()


def _files(lines: Iterable[str]) -> Iterator[str]:
    """The configuration files in ``pip config debug``: ``  /etc/pip.conf, exists: True``."""
    for line in lines:
        path, _, exists = line.strip().rpartition(", exists: ")
        if exists == "True":
            yield path


def paths_in(values: Iterable[str]) -> Iterator[str]:
    """The paths in the values of settings, as ``global.constraint='/etc/constraints.txt'`` or ``file:///srv/index``."""
    for value in values:
        for word in value.rpartition("='")[2].rstrip("'").replace("\\n", " ").split():
            if word.startswith("file:"):
                # The pages of an index in a folder lead to files beside it.
                yield str(Path(unquote(urlparse(word).path)).parent)
            elif word.startswith("/"):
                yield word


def outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return those that exist, without what lies in another of them."""
    there = sorted({path for path in paths if path.exists() and path != Path("/")})
    return tuple(path for path in there if not any(other in path.parents for other in there))
