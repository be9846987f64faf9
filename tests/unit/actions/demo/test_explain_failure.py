from __future__ import annotations

from collections.abc import Mapping

import pytest

from dnet_tui.actions.demo.explain_failure import explain_refusal
from dnet_tui.inspect.errors import DnetError

NOT_PERMITTED = "unshare: unshare failed: Operation not permitted\n"
OPEN = {
    "kernel.unprivileged_userns_clone": "1",
    "kernel.apparmor_restrict_unprivileged_userns": "0",
    "user.max_user_namespaces": "96365",
}


def _explain(settings: Mapping[str, str], *, in_user: bool = True, root: bool = False) -> DnetError:
    return explain_refusal(NOT_PERMITTED, in_user=in_user, root=root, settings=settings)


@pytest.mark.parametrize(
    ("key", "shut", "opened"),
    [
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user.max_user_namespaces", "0", "15000"),
    ],
)
def test_the_setting_that_forbids_user_namespaces_is_named_with_its_remedy(key: str, shut: str, opened: str) -> None:
    assert f"`sysctl -w {key}={opened}`" in _explain({**OPEN, key: shut}).hint
    assert f"`sysctl -w {key}={opened}`" in _explain({key: shut}).hint, "other kernels lack the other settings"


def test_settings_that_allow_it_are_not_blamed() -> None:
    assert "sysctl" not in _explain(OPEN).hint
    assert "root" in _explain(OPEN).hint


def test_root_is_not_sent_to_settings_that_only_bind_users() -> None:
    assert _explain({**OPEN, "kernel.unprivileged_userns_clone": "0"}, root=True).hint == ""


def test_root_without_the_capability_is_told_so() -> None:
    assert "CAP_SYS_ADMIN" in _explain(OPEN, in_user=False, root=True).hint


def test_the_kernels_words_are_kept_on_one_line() -> None:
    assert _explain(OPEN).message.endswith("unshare: unshare failed: Operation not permitted")


def test_silence_is_said_to_be_silence() -> None:
    assert "did not answer" in explain_refusal("", in_user=True, root=True, settings=OPEN).message
