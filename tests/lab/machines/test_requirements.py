"""Where the lab can't run, its tests say so; where it must run, that is a failure."""

from __future__ import annotations

import pytest

from dnet_tui.actions.demo.requirements import search_path
from lab.machines.requirements import require_lab


def test_a_missing_program_skips_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DNET_LAB", raising=False)
    with pytest.raises(pytest.skip.Exception, match="not installed: no-such-program"):
        require_lab("no-such-program")


def test_a_missing_program_fails_where_the_lab_must_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNET_LAB", "1")
    with pytest.raises(pytest.fail.Exception, match="not installed: no-such-program"):
        require_lab("no-such-program")


def test_programs_are_found_where_an_ordinary_user_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert search_path().split(":")[0] == "/nowhere"
    require_lab()
