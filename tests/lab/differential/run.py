"""Runs many hosts and sums up.  ``script/differential N SEED`` is its command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from dnet_tui.inspect.errors import DnetError
from lab.differential.generate import generate
from lab.differential.host import observe
from lab.differential.judge import Court, Judgement
from lab.differential.spec import HostSpec, Observation


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One host: its judgements, or why it could not be built."""

    spec: HostSpec
    seen: Observation | None = None
    judgements: tuple[Judgement, ...] = ()
    failure: str = ""

    @property
    def unsent(self) -> int:
        """How many of its packets weren't sent, as it took too long."""
        return len(self.spec.probes) - len(self.judgements) if not self.failure else 0


def try_host(spec: HostSpec, environment: dict[str, str] | None = None) -> Trial:
    """Build, send, judge."""
    try:
        seen = observe(spec, environment)
    except DnetError as error:
        return Trial(spec=spec, failure=str(error))
    judgements = [
        _alone(spec, item, environment) if item.result == "wrong" else item for item in _judgements(spec, seen)
    ]
    return Trial(spec=spec, seen=seen, judgements=tuple(judgements))


def _judgements(spec: HostSpec, seen: Observation) -> tuple[Judgement, ...]:
    court = Court(spec, seen)
    return tuple(court.judge(probe) for probe in spec.probes if probe.number in court.outcomes)


def _alone(spec: HostSpec, wrong: Judgement, environment: dict[str, str] | None) -> Judgement:
    """What is wrong, sent once more to the host made anew, as its first and only packet."""
    again = msgspec.structs.replace(spec, probes=(wrong.probe,))
    try:
        found = _judgements(again, observe(again, environment))
    except DnetError:
        return wrong
    agrees = bool(found) and all(item.result == "agrees" for item in found)
    return msgspec.structs.replace(wrong, result="alone") if agrees else wrong


def try_seeds(
    seeds: Iterable[int],
    *,
    workers: int = 2,
    only: str = "",
    environment: dict[str, str] | None = None,
    told: Callable[[Trial], None] = lambda _: None,
) -> list[Trial]:
    """Try the hosts of many seeds, ``only`` with one feature; ``told`` hears of each when it is done."""

    def one(seed: int) -> Trial:
        trial = try_host(generate(seed, only), environment)
        told(trial)
        return trial

    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(one, seeds))


def report(trials: list[Trial]) -> str:
    """The sum in words: hosts, packets, agreements, unknowns, wrong answers, and where packets ended."""
    foretold = [j for trial in trials if not trial.spec.has_randomness for j in trial.judgements]
    every = [j for trial in trials for j in trial.judgements]
    count = Counter(j.result for j in every)
    unknown = sum(1 for j in foretold if j.result == "unknown")
    unsent = sum(trial.unsent for trial in trials)
    lines = [
        f"hosts                    {len(trials)} ({sum(1 for t in trials if t.failure)} could not be built)",
        f"packets                  {len(every)} ({unsent} more could not be sent in time)",
        f"agreements               {count['agrees']}",
        f"honest unknowns          {count['unknown']}",
        f"  where nothing is random {unknown} of {len(foretold)} ({100 * unknown / max(1, len(foretold)):.2f} %)",
        f"wrong definite answers   {count['wrong']}",
        f"right only when sent alone {count['alone']}",
    ]
    for title, index in (("there", 0), ("back", 1)):
        ends = Counter(j.end[index] for j in every if j.end[index])
        lines.append(f"ends, {title}: " + ", ".join(f"{name} {number}" for name, number in ends.most_common()))
    return "\n".join(lines)


def describe(trial: Trial) -> str:
    """One host in a line, and below what is wrong on it or, where nothing is random, unknown."""
    count = Counter(j.result for j in trial.judgements)
    words = ", ".join(f"{name} {number}" for name, number in sorted(count.items()))
    features = f" with {', '.join(trial.spec.features)}" if trial.spec.features else ""
    words += f", not sent {trial.unsent}" if trial.unsent else ""
    lines = [f"seed {trial.spec.seed}{features}: {trial.failure.splitlines()[-1] if trial.failure else words}"]
    for item in trial.judgements:
        if item.result in {"wrong", "alone"} or (item.result == "unknown" and not trial.spec.has_randomness):
            probe = item.probe
            kind = "connection" if probe.connects else probe.proto
            lines.append(f"  {probe.number}: {kind} {probe.origin} {probe.src} > {probe.dst}:{probe.dport}")
            lines += [f"     {reason}" for reason in item.reasons]
    return "\n".join(lines)
