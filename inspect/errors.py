"""The few errors a person can see.  Pure."""

from __future__ import annotations


class DnetError(Exception):
    """Something went wrong that the user can act on.

    ``message`` names the thing and the reason, ``hint`` the next step.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DnetError):
    """The command line asks for something that doesn't exist or fit (exit code 2)."""


class FileError(UsageError):
    """A file that was named can't be read or written, or isn't of the kind that is wanted (exit code 2)."""


class CannotInspectError(DnetError):
    """Too little could be read to answer (exit code 3)."""


class ActionFailedError(DnetError):
    """A change could not be made, or was made in part (the journal says what)."""


class CannotModelError(ValueError):
    """An option or value that is valid but has no exact form in the rule model."""
