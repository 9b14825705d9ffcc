"""Published figures of the models' cards, for the benchmarks that are drawn.

They stay what they are: another kind of point than the measured ones, each with its
protocol and its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from rrm_harness.figures.runs import Tell
from rrm_harness.models import Card, Published

MEANS: Mapping[str, Sequence[str]] = {
    "ppe mean of MMLU-Pro, MATH, GPQA": ("ppe mmlu-pro", "ppe math", "ppe gpqa"),
    "ppe mean of the five correctness subsets": (
        "ppe mmlu-pro",
        "ppe math",
        "ppe gpqa",
        "ppe ifeval",
        "ppe mbpp-plus",
    ),
}
"""Headlines that are plain means of others."""
HEADLINES: Mapping[str, str] = {
    "ppe": "ppe mean of MMLU-Pro, MATH, GPQA",
    "ppe correctness3": "ppe mean of MMLU-Pro, MATH, GPQA",
    "ppe correctness": "ppe mean of the five correctness subsets",
}
"""Datasets whose headline cards know by another name."""


@dataclass(frozen=True, slots=True)
class Circle:
    """A model's published accuracy, averaged over the benchmarks that are drawn.

    Args:
        model: The id of the model that it was measured on.
        parameters: In billions.
        value: 0–1.
        figures: What it is the mean of.
        best: Whether it is the model's highest, which has the label.
    """

    model: str
    parameters: float
    value: float
    figures: tuple[Published, ...]
    best: bool = True

    @property
    def source(self) -> str:
        """The figures, each with its protocol and source, in one sentence."""
        parts = "; ".join(
            f"{each.benchmark} {100 * each.value:.2f} ({each.protocol}; {each.source})"
            for each in self.figures
        )
        return f"Published, {self.model}: {parts}."


def circles(
    cards: Mapping[str, Card],
    benchmarks: Sequence[str],
    sizes: Mapping[str, float],
    tell: Tell,
) -> list[Circle]:
    """The published points of all models that have a figure of every benchmark.

    A model has a point for each protocol that covers all benchmarks; if none does, one
    point of the first figure of each. A figure belongs to the model that it was
    measured on.

    Args:
        cards: By the model's id.
        benchmarks: What is averaged, at least one.
        sizes: Billions of parameters, which come before the cards'.
        tell: Is told which models are left out because nobody knows their size.
    """
    wanted = [HEADLINES.get(each, each) for each in benchmarks]
    found: list[Circle] = []
    for model, figures in _by_model(cards.values()).items():
        sets = [*_covering(figures, wanted)]
        known = cards.get(model)
        size = sizes.get(model, known.parameters if known else None)
        if sets and size is None:
            tell(
                f"The published figures of {model} are left out: its size is unknown;"
                f" give --parameters {model}=BILLIONS."
            )
        elif size is not None:
            found += _ranked(model, size, sets)
    return found


def headlines(cards: Mapping[str, Card]) -> list[str]:
    """The benchmarks of which something that is drawn is published."""
    by_model = _by_model(cards.values()).values()
    printed = {each.benchmark for figures in by_model for each in figures}
    named = {
        short for short, name in HEADLINES.items() if {name, *MEANS[name]} & printed
    }
    return sorted(named | printed - {*MEANS})


def _by_model(cards: Iterable[Card]) -> dict[str, list[Published]]:
    """The figures of each model, but for weights that come along.

    Those were measured with this program, as the runs are that are drawn.
    """
    figures: dict[str, list[Published]] = {}
    for card in cards:
        for each in () if card.folder else card.published:
            figures.setdefault(each.measured_on or card.id, []).append(each)
    return figures


def _covering(
    figures: Sequence[Published], benchmarks: Sequence[str]
) -> Iterator[tuple[Published, ...]]:
    """The sets of figures, one for each benchmark, by protocol or else mixed."""
    every = [*figures, *_derived(figures)]
    some = False
    for protocol in dict.fromkeys(each.protocol for each in every):
        same = [each for each in every if each.protocol == protocol]
        if chosen := _first(same, benchmarks):
            some = True
            yield chosen
    if not some and (chosen := _first(every, benchmarks)):
        yield chosen


def _first(
    figures: Sequence[Published], benchmarks: Sequence[str]
) -> tuple[Published, ...]:
    """The first figure of each benchmark; nothing if one has none."""
    by_name = {each.benchmark: each for each in reversed(figures)}
    if all(each in by_name for each in benchmarks):
        return tuple(by_name[each] for each in benchmarks)
    return ()


def _derived(figures: Sequence[Published]) -> Iterator[Published]:
    """Means that nobody printed, of parts that were."""
    for name, parts in MEANS.items():
        for protocol in dict.fromkeys(each.protocol for each in figures):
            same = [each for each in figures if each.protocol == protocol]
            if chosen := _first(same, parts):
                mean = fmean(each.value for each in chosen)
                sources = dict.fromkeys(each.source for each in chosen)
                told = f"{', '.join(sources)}; mean of the printed subsets"
                yield Published(name, mean, protocol, told)


def _ranked(
    model: str, size: float, sets: Sequence[tuple[Published, ...]]
) -> list[Circle]:
    means = [fmean(each.value for each in chosen) for chosen in sets]
    best = means.index(max(means)) if means else 0
    return [
        Circle(model, size, mean, chosen, number == best)
        for number, (mean, chosen) in enumerate(zip(means, sets, strict=True))
    ]
