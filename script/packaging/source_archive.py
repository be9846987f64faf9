"""Makes a source archive the same bytes from the same files: setuptools gives its members the times of the checkout."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path


def settle(archive: Path, epoch: int) -> None:
    """Write a .tar.gz anew: sorted, every member of the time ``epoch`` (in seconds) and owned by root."""
    packed = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda item: item.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "root", "root"
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    archive.write_bytes(gzip.compress(packed.getvalue(), 9, mtime=0))
