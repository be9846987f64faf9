"""Values of nftables' JSON, in the form the rule model gives them.  Pure.

A *kind* says what a value means: the same number is a port here and a mark
there.  A value may be one thing, a prefix or a range; where the model has no
ranges it becomes several alternatives.

Sources: libnftables-json(5); the print functions of nftables' datatype.c.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from dnet_tui.inspect.firewall import Verdict
from dnet_tui.inspect.iptables_names import protocol
from dnet_tui.inspect.nft_names import ADDRESS_TYPES, CT_STATES, FAMILIES, ICMP_CODES, ICMP_TYPES, ICMPV6_TYPES
from dnet_tui.inspect.nft_names import ICMPV6_CODES, TCP_FLAG_WORDS, TCP_FLAGS  # isort: skip
from dnet_tui.inspect.nft_shapes import Json, array, fail, mapping, single, several, whole, word  # isort: skip
