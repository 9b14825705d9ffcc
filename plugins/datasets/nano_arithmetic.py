"""Arithmetic small enough for a judge of a few million parameters, without end."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from rrm_harness import (
    Dataset,
    Example,
    Message,
    Register,
    Rule,
    SpecError,
    hookimpl,
)
from rrm_harness.arithmetic import (
    LEVELS,
    LIMIT,
    Draws,
    Problem,
    Split,
    problems,
    solution,
)

LARGEST = 32


@dataclass(frozen=True)
class NanoArithmetic(Dataset):
    """Sums of several steps with worked solutions, right or with one slip.

    Two to four steps below 100, easy, medium and hard in turn: the subsets. A solution
    is written in one of three styles, whether it is right or wrong, so that neither
    length nor place tells anything. `n` questions are drawn from `seed`; those of
    `split=train` and of `split=test` (an eighth of all) have no question in common.

    `shape=pairs` asks for the right one of two solutions, a tie shares the credit and a
    failure is worth a half, as in RRM's evaluation; `pairs` of them a question.
    `shape=best-of-k` shows `k` solutions, a drawn number of them right, at least one
    and not all. `shape=answers` is for a policy (`nano-solver`): every possible answer
    is a response. `shape=queries` has questions alone, for training without labels.

    Questions are drawn independently, so a sum that is drawn again counts again.
    """

    shape: Literal["pairs", "best-of-k", "answers", "queries"] = "pairs"
    n: int = 2000
    k: int = 8
    pairs: int = 1
    level: Literal["all", "easy", "medium", "hard"] = "all"
    split: Split = "test"
    seed: int = 0

    revision = "1"

    def __post_init__(self) -> None:
        if self.n < 1 or self.pairs < 1:
            raise SpecError(
                f"nano-arithmetic,n={self.n},pairs={self.pairs}: both are at least 1"
            )
        if not 2 <= self.k <= LARGEST:
            raise SpecError(
                f"nano-arithmetic,k={self.k}: a question has 2 to {LARGEST} solutions"
            )

    @property
    def name(self) -> str:
        return f"nano-arithmetic:{self.shape}"

    @property
    def protocol(self) -> str:
        protocols = {"best-of-k": "knockout", "answers": "repeated,k=4"}
        return protocols.get(self.shape, "single,order=seeded")

    @property
    def rule(self) -> Rule:
        levels = tuple(LEVELS) if self.level == "all" else (self.level,)
        failure: Literal["half", "wrong"] = "half" if self.shape == "pairs" else "wrong"
        return Rule("share", failure, expected=levels)

    def examples(self) -> Iterator[Example]:
        drawn = problems(self.split, self.seed)
        asked = (each for each in drawn if self.level in ("all", each[1]))
        for number, level, problem in islice(asked, self.n):
            yield from self._examples(
                f"{self.split}/{self.seed}/{number}", level, problem
            )

    def _examples(self, key: str, level: str, problem: Problem) -> Iterator[Example]:
        draws = Draws("nano-arithmetic solutions", key)
        if self.shape == "pairs":
            for pair in range(self.pairs):
                name = f"{key}+{pair}" if self.pairs > 1 else key
                right = draws.below(2)
                yield _shown(name, key, level, problem, (right == 0, right == 1), draws)
        elif self.shape == "best-of-k":
            right = 1 + draws.below(self.k - 1)
            yield _shown(key, key, level, problem, _mixed(self.k, right, draws), draws)
        else:
            answers = tuple(map(str, range(LIMIT))) if self.shape == "answers" else ()
            correct = (problem.answer,) if answers else ()
            prompt = (Message("user", problem.question),)
            yield Example(key, prompt, answers, correct, level)


def _mixed(count: int, right: int, draws: Draws) -> tuple[bool, ...]:
    """So many right ones among so many, in drawn places."""
    places = list(range(count))
    drawn = {places.pop(draws.below(len(places))) for _ in range(right)}
    return tuple(place in drawn for place in range(count))


def _shown(
    name: str,
    cluster: str,
    level: str,
    problem: Problem,
    rights: tuple[bool, ...],
    draws: Draws,
) -> Example:
    solutions = [solution(problem, right, draws) for right in rights]
    return Example(
        id=name,
        prompt=(Message("user", problem.question),),
        responses=tuple(each.text for each in solutions),
        correct=tuple(place for place, right in enumerate(rights) if right),
        subset=level,
        cluster=cluster,
        metadata={
            "slips": tuple(each.slip for each in solutions),
            "styles": tuple(each.style for each in solutions),
        },
    )


@hookimpl
def register_datasets(register: Register) -> None:
    register("nano-arithmetic", NanoArithmetic)
