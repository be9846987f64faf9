from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.actions.demo import requirements
from dnet_tui.inspect.errors import DnetError


@pytest.fixture
def only_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "unshare").touch(mode=0o755)
    monkeypatch.setattr(requirements, "SYSTEM_PLACES", ())
    return str(tmp_path)


def test_missing_programs_are_named_with_their_packages(only_here: str) -> None:
    with pytest.raises(DnetError, match="nsenter, iptables-nft not found") as caught:
        requirements.require("unshare", "nsenter", "iptables-nft", path=only_here)
    assert caught.value.hint == "install it: apt-get install iptables util-linux"


def test_nothing_is_said_when_all_are_there(only_here: str) -> None:
    requirements.require("unshare", path=only_here)


def test_the_systems_folders_follow_those_of_the_user() -> None:
    places = requirements.search_path("/home/me/bin:/usr/bin").split(":")
    assert places[:2] == ["/home/me/bin", "/usr/bin"]
    assert "/usr/sbin" in places
    assert places.count("/usr/bin") == 1


def test_an_empty_path_element_is_not_the_current_folder() -> None:
    assert "" not in requirements.search_path(":/usr/bin:").split(":")
