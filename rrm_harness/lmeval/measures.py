"""The metrics of a task, as lm-eval's table shows them.

lm-eval has each metric of each document, and a function that makes a number of them.
Ours come all from one summary, so the headline's items hold whole documents and the
others' nothing. A metric called `NAME_stderr` is what lm-eval prints behind `NAME ±`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import nan
from statistics import NormalDist
from typing import Any

from rrm_harness import plan
from rrm_harness.specs import Spec
from rrm_harness.stats import LEVEL

from .setting import Setting

Results = Mapping[str, Any]
Value = Callable[[Results], float | None]
HEADLINE = "accuracy"
WIDTH = 2 * NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard errors in a normal interval."""


class Measures:
    """A task's metrics: the headline and the parts with intervals, rates, extras."""

    def __init__(self, setting: Setting) -> None:
        self._headline = _headline(setting)
        self._values = dict(_values(setting, self._headline))
        self._results: Results | None = None

    def of_document(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """A document's items: all of it for the headline, which comes first."""
        items: dict[str, Any] = dict.fromkeys(self._values)
        items[self._headline] = content
        return items

    def aggregation(
        self, summarize: Callable[[Sequence[Any]], Results]
    ) -> dict[str, Callable[[Sequence[Any]], float]]:
        """What makes each metric's number, `summarize` being what makes them all."""

        def first(items: Sequence[Any]) -> float:
            self._results = summarize(items)
            return self._value(self._headline, items)

        others = {name: partial(self._value, name) for name in self._values}
        return {**others, self._headline: first}

    def _value(self, name: str, _: Sequence[Any]) -> float:
        """A metric's number; not a number where there is nothing to count."""
        if self._results is None:
            raise RuntimeError(f"{name} was asked for before {self._headline}")
        found = self._values[name](self._results)
        return nan if found is None else float(found)

    @property
    def higher_is_better(self) -> dict[str, bool]:
        """Which way each metric is good; a tie, a failure and a cut input are bad."""
        bad = ("failure_rate", "tie_rate", "over_length", "unfinished")
        return {name: name not in bad for name in self._values}


def _headline(setting: Setting) -> str:
    """The headline's name: the YAML's, if its strategy is the one that it is of."""
    named, own = setting.own.get("headline"), setting.own.get("strategy")
    usual = own or setting.dataset.protocol
    same = _outermost(setting.strategy_spec) == _outermost(str(usual))
    return str(named) if named and same else HEADLINE


def _outermost(spec: str) -> str:
    return Spec.parse(spec.strip("[]").partition(" of ")[0]).name


def _values(setting: Setting, headline: str) -> Iterator[tuple[str, Value]]:
    yield from _interval(headline, lambda results: results)
    rule = setting.dataset.rule
    kind = "sections" if rule.sections else "subsets"
    parts = list(rule.sections or sorted({each.subset for each in setting.examples}))
    for part in parts if len(parts) > 1 else ():
        yield from _interval(f"{HEADLINE}_{_word(part)}", partial(_part, kind, part))
    yield "failure_rate", lambda r: r["failed_examples"] / r["examples"]
    yield "tie_rate", lambda r: r["tie_rate"]
    yield "over_length", lambda r: r["audit"]["over-length"]
    if plan.asks_both_orders(setting.strategy):
        yield "order_consistency", lambda r: r["order_consistency"]
    for name in setting.measures:
        yield name, partial(further, name)


def _interval(
    name: str, part: Callable[[Results], Results | None]
) -> Iterator[tuple[str, Value]]:
    """An accuracy, the ends of its interval, and the standard error of its width."""

    def named(key: str, results: Results) -> float | None:
        found = part(results)
        return found[key] if found else None

    def stderr(results: Results) -> float | None:
        low, high = (named(f"accuracy_{end}", results) for end in ("low", "high"))
        return None if low is None or high is None else (high - low) / WIDTH

    yield name, partial(named, "accuracy")
    yield f"{name}_low", partial(named, "accuracy_low")
    yield f"{name}_high", partial(named, "accuracy_high")
    yield f"{name}_stderr", stderr


def _part(kind: str, name: str, results: Results) -> Results | None:
    """A section or a subset; none if it had no example that counts."""
    found: Results | None = results[kind].get(name)
    return found


def further(name: str, results: Results) -> float | None:
    """One of the benchmark's further numbers; `A/B` is B in A, as in results.json."""
    found: Any = {**results, **results["extra"]}
    for part in name.split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if number else None


def _word(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")
