"""The trivial judges, played beside the real one: what any judge has to beat."""

from __future__ import annotations

from rrm_harness.answers import Answers, Bench
from rrm_harness.host import Host
from rrm_harness.metrics import Row, Rule
from rrm_harness.records import Example, Strategy
from rrm_harness.schedule import play_all

NAMES = ("longest", "shortest", "first", "random")


class Baselines:
    """The installed trivial judges under the run's own strategy and rule."""

    def __init__(self, host: Host, rule: Rule, wanted: bool = True) -> None:
        installed = host.registry("judges") if wanted else ()
        self._rule = rule
        self._answers = {
            name: Answers({"judge": Bench(host.build("judges", name))})
            for name in NAMES
            if name in installed
        }
        self._rows: dict[str, list[Row]] = {name: [] for name in self._answers}

    def play(self, example: Example, strategy: Strategy, seed: int) -> None:
        """Let each of them judge one example."""
        for name, answers in self._answers.items():
            for finished in play_all([example], strategy, answers, seed):
                self._rows[name].append(self._rule.row(example, finished.outcome))

    def accuracies(self) -> dict[str, float | None]:
        """The benchmark's headline by judge; None if nothing was scored."""
        return {name: self._rule.accuracy(rows) for name, rows in self._rows.items()}
