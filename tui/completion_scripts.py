"""What a shell is told so that Tab asks dnet-tui: each shell's own text.

Bash's is Typer's.  Zsh's answers the first Tab too, which only loads the
file; fish's asks once instead of twice, and completes files where nothing
else fits.
"""

from __future__ import annotations

SHELLS = ("bash", "zsh", "fish")
"""The shells that can be named for completion."""

_ZSH = """\
#compdef dnet-tui

_dnet_tui_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _DNET_TUI_COMPLETE=complete_zsh dnet-tui)
}

if [[ $funcstack[1] == _dnet-tui ]]; then
  _dnet_tui_completion "$@"
else
  compdef _dnet_tui_completion dnet-tui
fi
"""
_FISH = """\
function __dnet_tui_complete
    set -lx _DNET_TUI_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    set -l found (dnet-tui | string match --regex --invert '^$')
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command dnet-tui --no-files --arguments '(__dnet_tui_complete)'
"""


def script(shell: str) -> str:
    """Return the text for one of the shells."""
    from typer._completion_shared import get_completion_script  # noqa: PLC0415  only for this question

    own = {"zsh": _ZSH, "fish": _FISH}
    if shell in own:
        return own[shell]
    return get_completion_script(**_words(shell)) + "\n"


def help_stays_plain() -> None:
    """Keep Typer from importing Rich, half of a completion's time, to take markup out of texts that have none."""
    from typer import _completion_classes  # noqa: PLC0415  only where a shell asks

    _completion_classes._sanitize_help_text = str  # type: ignore[assignment]  # noqa: SLF001 - it has no other switch


def _words(shell: str) -> dict[str, str]:
    return {"prog_name": "dnet-tui", "complete_var": "_DNET_TUI_COMPLETE", "shell": shell}


def install(shell: str) -> str:
    """Write it where the shell looks in this user's HOME, and return where that is."""
    from typer import _completion_shared as typers  # noqa: PLC0415  as above

    _, path = typers.install(**_words(shell))
    if shell != "bash":
        path.write_text(script(shell))
    return str(path)
