"""The head of the one file: unpacks what it carries into a folder that only this user may write, and runs it there.

``PAYLOAD`` (a .tar.xz in base64) and ``DIGEST`` (its SHA-256) are written in
front of this text by ``one_file.py``.  It runs under whatever Python the host
has, so it uses the standard library alone, and says it in words when that
Python is too old.  Compiled parts are carried for several versions of Python;
they can't be imported from inside an archive, hence the folder.

As root the folder is below /var/cache, never below a home: what root runs must
not lie where somebody else may write.  A folder that isn't this user's alone is
not used; where none can be kept, a temporary one serves this run.
"""

import base64
import hashlib
import io
import os
import shutil
import stat
import sys
import tarfile
import tempfile
import time

OLDEST = (3, 11)
KEPT = 30 * 24 * 3600
"""Seconds that another version's folder is kept after its last use."""


def fail(text):
    """End with a message, as dnet-tui does for what it can't work with."""
    sys.stderr.write("dnet-tui: " + text + "\n")
    sys.exit(3)


def tag():
    """Return the name of this Python's compiled parts, such as cp311."""
    return "cp%d%d" % sys.version_info[:2]


def parent():
    """Return the folder that holds the unpacked versions, one per digest."""
    if os.geteuid() == 0:
        return "/var/cache/dnet-tui"
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return os.path.join(cache if os.path.isabs(cache) else os.path.expanduser("~/.cache"), "dnet-tui")


def is_ours(folder):
    """Whether a folder, no link, is this user's, and nobody else may write to it."""
    try:
        seen = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid() and not seen.st_mode & 0o022


def unpack(to):
    """Write everything to a folder, completely or not at all."""
    data = base64.b64decode(PAYLOAD)  # noqa: F821 - written in front of this text
    if hashlib.sha256(data).hexdigest() != DIGEST:  # noqa: F821
        fail("this file is damaged: its contents don't have the digest that they were built with; copy it again")
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:xz") as archive:
        # The digest says that this is what was built; 3.11 got the filter in a late release.
        more = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(to, **more)  # noqa: S202 - as above


def forget_others(folder, mine):
    """Remove versions that nobody started for a month."""
    for name in os.listdir(folder):
        other = os.path.join(folder, name)
        if name != mine and is_ours(other) and time.time() - os.stat(other).st_mtime > KEPT:
            shutil.rmtree(other, ignore_errors=True)


def kept():
    """Return the folder with everything in it, unpacked now or earlier; None where it can't be kept."""
    folder = parent()
    place = os.path.join(folder, DIGEST[:16])  # noqa: F821
    if is_ours(folder) and is_ours(place):
        return place
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        if not is_ours(folder) or os.path.lexists(place):
            return None
        fresh = tempfile.mkdtemp(prefix=".new-", dir=folder)
        try:
            unpack(fresh)
            os.chmod(fresh, 0o755)  # noqa: S103 - for everybody to read
            os.rename(fresh, place)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        forget_others(folder, os.path.basename(place))
    except OSError:
        return place if is_ours(folder) and is_ours(place) else None
    return place


def start():
    """Find or make the folder, and run dnet-tui from it."""
    if sys.version_info < OLDEST:
        fail("Python %d.%d is needed, this is %d.%d" % (*OLDEST, *sys.version_info[:2]))
    place, temporary = kept(), None
    if place is None:
        temporary = place = tempfile.mkdtemp(prefix="dnet-tui-")
    try:
        if temporary:
            unpack(temporary)
        else:
            os.utime(place)
        compiled = os.path.join(place, "compiled", tag())
        if os.path.isdir(os.path.join(place, "compiled")) and not os.path.isdir(compiled):
            have = ", ".join(sorted(os.listdir(os.path.join(place, "compiled"))))
            fail("this file carries compiled parts for %s, and this Python is %s" % (have, tag()))
        places = [item for item in (os.path.join(place, "pure"), compiled) if os.path.isdir(item)]
        # Not the folder that this file lies in, nor the current one: others may write there.
        sys.path[:] = [*places, *(item for item in sys.path[1:] if item)]
        os.environ["PYTHONPATH"] = os.pathsep.join(places)
        sys.argv[0] = "dnet-tui"
        try:
            from dnet_tui.tui.main import main  # noqa: PLC0415 - importable only now
        except ModuleNotFoundError as missing:
            hint = "install it, or use the file for this machine's processor"
            fail("the Python package %s is missing: %s" % (missing.name, hint))
        return main()
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(start())
