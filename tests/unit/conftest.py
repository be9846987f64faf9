"""What all unit tests share: how thoroughly properties are tried."""

from __future__ import annotations

from hypothesis import settings

from unit.builders.examples import THOROUGH

settings.load_profile("thorough" if THOROUGH else "quick")
