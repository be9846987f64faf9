#!/usr/bin/python3 -I
"""Starts the dnet-tui that a package installed below /usr/lib/dnet-tui."""

import os
import sys

HOME = "/usr/lib/dnet-tui"
TAG = "cp%d%d" % sys.version_info[:2]

places = [os.path.join(HOME, "pure"), os.path.join(HOME, "compiled", TAG)]
if not os.path.isdir(places[1]):
    sys.exit("dnet-tui: this package has no compiled parts for Python %d.%d" % sys.version_info[:2])
sys.path[:0] = places
os.environ["PYTHONPATH"] = os.pathsep.join(places)
sys.argv[0] = "dnet-tui"

from dnet_tui.tui.main import main  # noqa: E402 - found by the path above

sys.exit(main())
