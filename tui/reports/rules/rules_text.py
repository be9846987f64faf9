"""``dnet-tui rules`` as text: chains in the order packets meet them.  Pure."""

from __future__ import annotations

from itertools import groupby

from dnet_tui.diagnostics.explain.hook_order import Placed, in_packet_order, reached_from, unreached
from dnet_tui.diagnostics.explain.rule_text import policy_sentence, sentence
from dnet_tui.inspect.model.firewall import Chain, Rule, Table, UnreadTable, Verdict
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.rules.rules_data import Shown
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.wrapping import paragraph

_LIMIT = 4096
_INDENT = "  "


def rules_text(shown: tuple[Shown, ...], paper: OutputStyle, *, explain: bool = False) -> str:
    """The selected chains by hook, each followed by the chains it leads to; then what was not read."""
    lines: list[str] = []
    for part in shown:
        lines += _Listing(part, paper, explain=explain).lines(titled=len(shown) > 1)
    return "\n".join(lines).strip("\n") + "\n"


class _Listing:
    """One namespace's chains; each is printed once and mentioned where it is reached again."""

    def __init__(self, part: Shown, paper: OutputStyle, *, explain: bool) -> None:
        self.part = part
        self.paper = paper
        self.explain = explain
        self.kept = {
            (table.backend, table.family, table.name, chain.name): chain
            for table in part.firewall.tables
            for chain in table.chains
        }
        self.printed: set[tuple[str, str, str, str]] = set()

    def lines(self, *, titled: bool) -> list[str]:
        """All lines, with a heading per namespace if there are several."""
        lines = ["", self.paper.bold(f"In {clean(self.part.label)}")] if titled else []
        for hook, group in groupby(in_packet_order(self.part.whole), key=lambda placed: placed.hook):
            below = [line for placed in group for line in self._base(placed)]
            if below:
                lines += ["", self.paper.bold(hook), *below]
        idle = [
            line
            for table in self.part.whole.tables
            for chain in unreached(table)
            for line in self._chain(table, chain, "nothing leads here")
        ]
        if idle:
            lines += ["", self.paper.bold("met by no packet"), *idle]
        if not self.printed:
            lines += ["", "No rules." if self.part.whole.tables == () else "No rules match."]
        return lines + self._unread(self.part.firewall.unread)

    def _base(self, placed: Placed) -> list[str]:
        table, chain, _ = placed
        policy = f", policy {chain.policy.upper()}{_counters(chain)}" if chain.policy else ""
        lines = self._chain(table, chain, f"{table.backend}, priority {chain.priority}{policy}")
        for reached, by in reached_from(table, chain):
            lines += self._chain(table, reached, f"from {', '.join(clean(name) for name in by)}")
        return lines

    def _chain(self, table: Table, whole: Chain, about: str) -> list[str]:
        key = (table.backend, table.family, table.name, whole.name)
        chain = self.kept.get(key)
        if chain is None:
            return []
        title = f"{table.family} {clean(table.name)} {clean(chain.name)}"
        if key in self.printed:
            return [f"{_INDENT}{title} {self.paper.dim(f'({about}; shown above)')}"]
        self.printed.add(key)
        lines = [f"{_INDENT}{self.paper.bold(title)} {self.paper.dim(f'({about})')}"]
        for rule in chain.rules:
            lines += self._rule(table, chain, rule)
        if self.explain and policy_sentence(chain):
            lines += self._meaning(policy_sentence(chain))
        return lines

    def _rule(self, table: Table, chain: Chain, rule: Rule) -> list[str]:
        packets = "" if rule.packets is None else f"{short(rule.packets)} pkts"
        size = "" if rule.bytes is None else f"{short(rule.bytes)} B"
        head = f"{_INDENT * 2}{rule.number:>4}  {packets:>10}  {size:>9}  "
        first, *rest = paragraph(clean(rule.text, _LIMIT), self.paper.width, head, " " * len(head))
        stops = any(isinstance(expr, Verdict) and expr.kind in {"drop", "reject"} for expr in rule.exprs)
        text = first[len(head) :]
        lines = [self.paper.dim(head) + (self.paper.bad(text) if stops else text)]
        lines += [self.paper.bad(line) if stops else line for line in rest]
        return lines + (self._meaning(sentence(rule, chain, table)) if self.explain else [])

    def _meaning(self, text: str) -> list[str]:
        indent = " " * 10
        return [
            self.paper.dim(line) for line in paragraph(clean(text, _LIMIT), self.paper.width, f"{indent}→ ", indent)
        ]

    def _unread(self, unread: tuple[UnreadTable, ...]) -> list[str]:
        if not unread:
            return []
        lines = ["", self.paper.warn("not read (whatever these decide is unknown)")]
        for item in unread:
            text = clean(f"{item.family} {item.name} ({item.backend}): {item.reason}", _LIMIT)
            lines += paragraph(text, self.paper.width, _INDENT, _INDENT * 2)
        return lines


def _counters(chain: Chain) -> str:
    if chain.packets is None or chain.bytes is None:
        return ""
    return f" [{short(chain.packets)} packets, {short(chain.bytes)} bytes]"


def short(number: int) -> str:
    """A counter in at most five digits: exact below 100,000, then in K, M, G, T or P (powers of 1000)."""
    if number < 100_000:
        return str(number)
    for unit in ("K", "M", "G", "T"):
        number //= 1000
        if number < 100_000:
            return f"{number}{unit}"
    return f"{number // 1000}P"
