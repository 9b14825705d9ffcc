"""The whole story in a minute: a small reasoning judge and its baselines at work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rrm_harness import host
from rrm_harness.baselines import NAMES
from rrm_harness.records import Engine

if TYPE_CHECKING:
    from rrm_harness.progress import Progress

PAIRS = "nano-arithmetic,n=150"
BEST = "nano-arithmetic,shape=best-of-k,k=8,n=20"
ONCE, VOTES = "single,order=seeded", "voting,k=5"
MODELS = ("nano-head", "rrm-nano")
ASKED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    **{name: {PAIRS: (ONCE,), BEST: ("knockout",)} for name in NAMES},
    "nano-head": {PAIRS: (ONCE,), BEST: ("best-of-n",)},
    "rrm-nano": {PAIRS: (ONCE, VOTES), BEST: ("knockout", "elo")},
}


class Step(NamedTuple):
    """One run of the demo."""

    judge: str
    dataset: str
    strategy: str

    @property
    def folder(self) -> str:
        """Its directory's name."""
        shape = "pairs" if self.dataset == PAIRS else "best-of-8"
        return f"{self.judge}-{shape}-{self.strategy.partition(',')[0]}"


def runnable() -> bool:
    """Whether the extra that runs models is installed."""
    return all(find_spec(name) for name in ("torch", "transformers"))


def steps() -> Iterator[Step]:
    """What is run, by datasets; without the extra the trivial judges alone."""
    judges = [*NAMES, *(MODELS if runnable() else ())]
    for dataset in (PAIRS, BEST):
        for judge in judges:
            for strategy in ASKED[judge][dataset]:
                yield Step(judge, dataset, strategy)


def demonstrate(
    output: Path, progress: Progress | None = None
) -> list[Mapping[str, Any]]:
    """Run every step, or what is missing of it, each in a folder of `output`.

    Raises:
        HarnessError: The folder holds something else.
    """
    from rrm_harness.evaluate import evaluate

    runs: list[Mapping[str, Any]] = []
    engines: dict[str, Engine] = {}
    asked = [*steps()]
    with ExitStack() as stack:
        for number, step in enumerate(asked, 1):
            if step.judge in MODELS and step.judge not in engines:
                judge = host.default().build("judges", step.judge)
                engines[step.judge] = host.default().engine("transformers", judge)
                stack.callback(engines[step.judge].close)
            result = evaluate(
                step.judge,
                step.dataset,
                step.strategy,
                engine=engines.get(step.judge),
                output=output / step.folder,
                baselines=False,
            )
            runs.append(result.results)
            if progress:
                progress(number, len(asked))
    return runs
