"""The trivial judges, played beside the real one: what any judge has to beat."""

from __future__ import annotations

from collections.abc import Iterable

from rrm_harness.answers import Answers, Bench
from rrm_harness.host import Host
from rrm_harness.metrics import Rule
from rrm_harness.records import Example, Strategy
from rrm_harness.schedule import play_all
from rrm_harness.scored import Rows

NAMES = ("longest", "shortest", "first", "random")


class Baselines:
    """The installed trivial judges under a run's own strategy and rule."""

    def __init__(self, host: Host, rule: Rule) -> None:
        self._rule = rule
        installed = host.registry("judges")
        self._judges = {
            name: host.build("judges", name) for name in NAMES if name in installed
        }

    def play(
        self, examples: Iterable[Example], strategy: Strategy, seed: int
    ) -> dict[str, float | None]:
        """The benchmark's headline by judge; None if nothing was scored."""
        return {
            name: self._rule.accuracy(
                Rows(
                    self._rule.row(finished.example, finished.outcome)
                    for finished in play_all(
                        examples, strategy, Answers({"judge": Bench(judge)}), seed
                    )
                )
            )
            for name, judge in self._judges.items()
        }
