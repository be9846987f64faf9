"""The three themes: dark, light and high contrast.  Roles of text are theme variables (``$dnet-…``)."""

from __future__ import annotations

from textual.theme import Theme

ROLE_VARIABLES = ("dim", "head", "name", "key", "good", "warn", "bad", "info", "frame", "cursor", "cursor-blur")
"""One ``$dnet-`` variable for each of these; ``dnet.tcss`` uses them."""


def _roles(*colours: str) -> dict[str, str]:
    return {f"dnet-{name}": colour for name, colour in zip(ROLE_VARIABLES, colours, strict=True)}


DARK = Theme(
    name="dnet-dark",
    dark=True,
    background="#12161b",
    surface="#181d24",
    panel="#1f2630",
    foreground="#cdd5de",
    primary="#4f9fdc",
    secondary="#7fa8c9",
    accent="#6cb6f0",
    success="#7fd093",
    warning="#e8b84a",
    error="#ff7b72",
    variables=_roles(
        "#8793a1", "#6cb6f0", "#f3f6f9", "#e8b84a", "#7fd093", "#e8b84a", "#ff7b72", "#8fc7f5", "#566270",
        "#26415a", "#242c36",
    ),
)  # fmt: skip

LIGHT = Theme(
    name="dnet-light",
    dark=False,
    background="#fcfcfa",
    surface="#f4f4f0",
    panel="#e7e9ec",
    foreground="#2b3138",
    primary="#0b5cad",
    secondary="#3b6a94",
    accent="#0b5cad",
    success="#116329",
    warning="#8a5a00",
    error="#b42318",
    variables=_roles(
        "#5f6a76", "#0b5cad", "#0d1117", "#8a5a00", "#116329", "#8a5a00", "#b42318", "#0a5a8c", "#9aa5b1",
        "#c9def4", "#e4e8ed",
    ),
)  # fmt: skip

CONTRAST = Theme(
    name="dnet-contrast",
    dark=True,
    background="#000000",
    surface="#000000",
    panel="#000000",
    foreground="#ffffff",
    primary="#00ffff",
    secondary="#ffffff",
    accent="#ffff00",
    success="#00ff5f",
    warning="#ffff00",
    error="#ff8787",
    variables=_roles(
        "#e4e4e4", "#00ffff", "#ffffff", "#ffff00", "#00ff5f", "#ffff00", "#ff8787", "#87ffff", "#d0d0d0",
        "#0000d7", "#303030",
    ),
)  # fmt: skip

THEMES = (DARK, LIGHT, CONTRAST)


def theme_named(name: str) -> Theme | None:
    """Return the theme that the settings name, with or without ``dnet-``; None when there is none of that name."""
    return next((theme for theme in THEMES if name in {theme.name, theme.name.removeprefix("dnet-")}), None)
