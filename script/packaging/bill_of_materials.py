"""The software bill of materials (CycloneDX 1.6) of what the one file and the Debian package carry."""

from __future__ import annotations

from email.parser import HeaderParser
from pathlib import Path
from typing import Any


def of(tree: Path, version: str) -> dict[str, Any]:
    """Return the bill for a laid-out tree: each package with its version, licence and package URL."""
    components: dict[str, dict[str, Any]] = {}
    for file in sorted(tree.rglob("*.dist-info/METADATA")):
        head = HeaderParser().parsestr(file.read_text(encoding="utf-8"))
        name, number = head["Name"], head["Version"]
        if name == "dnet-tui":
            continue
        licence = head["License-Expression"] or head["License"] or ""
        url = f"pkg:pypi/{name.lower().replace('_', '-')}@{number}"
        components[url] = {
            "type": "library", "bom-ref": url, "name": name, "version": number, "purl": url,
            **({"licenses": [{"license": {"name": " ".join(licence.split())[:200]}}]} if licence else {}),
        }  # fmt: skip
    own = f"pkg:pypi/dnet-tui@{version}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": own, "name": "dnet-tui", "version": version, "purl": own}
        },
        "components": [components[key] for key in sorted(components)],
        "dependencies": [{"ref": own, "dependsOn": sorted(components)}],
    }
