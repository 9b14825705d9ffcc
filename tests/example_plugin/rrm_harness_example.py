"""A judge, a strategy and a dataset in one small plugin."""

from dataclasses import dataclass

from rrm_harness import (
    Dataset,
    Example,
    Judge,
    Judgment,
    Message,
    Outcome,
    Rule,
    Strategy,
    hookimpl,
)


@dataclass(frozen=True)
class Mentions(Judge):
    """Prefer the response that mentions a word more often."""

    word: str = "because"

    def parse(self, comparison, completions):
        counts = [text.lower().count(self.word) for text in comparison.responses]
        return Judgment(tuple(map(float, counts)))


@dataclass(frozen=True)
class KingOfTheHill(Strategy):
    """Each response in turn challenges the best so far; a tie keeps the king."""

    def play(self, comparison):
        king, *challengers = comparison.order
        for challenger in challengers:
            (judgment,) = yield [comparison.only(king, challenger)]
            if judgment.failure:
                return Outcome(failure=judgment.failure)
            if judgment.scores[1] > judgment.scores[0]:
                king = challenger
        return Outcome({index: float(index == king) for index in comparison.order})

    def cost(self, responses):
        return responses - 1


@dataclass(frozen=True)
class Reasons(Dataset):
    """Two questions whose better answer gives a reason."""

    name = "reasons"
    revision = "1"
    rule = Rule(tie="wrong")

    def examples(self):
        question = (Message("user", "Why is the sky blue?"),)
        good = "Because air scatters blue light more than red."
        yield Example("sky", question, ("It just is.", good), correct=(1,))
        yield Example("sky-2", question, (good, "Look up!", "No idea."), correct=(0,))


@hookimpl
def register_judges(register):
    register("mentions", Mentions)


@hookimpl
def register_strategies(register):
    register("king-of-the-hill", KingOfTheHill)


@hookimpl
def register_datasets(register):
    register("reasons", Reasons)
