"""The trivial judges, played beside the real one: what any judge has to beat."""

from __future__ import annotations

from rrm_harness.answers import Answers, Bench
from rrm_harness.host import Host
from rrm_harness.metrics import Row, Rule
from rrm_harness.records import Example, Judge, Strategy
from rrm_harness.schedule import play_all

NAMES = ("longest", "shortest", "first", "random")


class Baseline:
    """One trivial judge under the run's own strategy and rule."""

    def __init__(self, name: str, judge: Judge, rule: Rule) -> None:
        self.name = name
        self._rule = rule
        self._answers = Answers({"judge": Bench(judge)})
        self._rows: list[Row] = []

    @classmethod
    def all(cls, host: Host, rule: Rule) -> list[Baseline]:
        """Return those that are installed."""
        installed = host.registry("judges")
        return [
            cls(name, host.build("judges", name), rule)
            for name in NAMES
            if name in installed
        ]

    def play(self, example: Example, strategy: Strategy, seed: int) -> None:
        """Judge one example."""
        for finished in play_all([example], strategy, self._answers, seed):
            self._rows.append(self._rule.row(example, finished.outcome))

    @property
    def accuracy(self) -> float | None:
        """The benchmark's headline; None if nothing was scored."""
        return self._rule.accuracy(self._rows)
