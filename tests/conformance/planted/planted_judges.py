"""Judges that keep every promise but the one that their name says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count

from rrm_harness import Failure, Judge, Judgment, Message, Request, hookimpl


def said(text: str, shown: int) -> Judgment:
    """Read `[[A]]` and the like; anything else is unparsable."""
    letters = [f"[[{chr(ord('A') + place)}]]" for place in range(shown)]
    if text not in letters:
        return Judgment.failed(Failure.UNPARSABLE, text)
    return Judgment(tuple(float(text == letter) for letter in letters), None, text)


@dataclass(frozen=True)
class Reader(Judge):
    """A judge without a model: the share of words that are long."""

    def parse(self, comparison, completions):
        scores = [len(text) / (1 + text.count(" ")) for text in comparison.responses]
        return Judgment(tuple(scores))


@dataclass(frozen=True)
class Writer(Judge):
    """A judge with a model: which is better, [[A]] or [[B]]."""

    fewest = 2

    def render(self, comparison):
        prompt = "\n".join(each.content for each in comparison.example.prompt)
        text = "\n\n".join([prompt, *comparison.responses])
        return [Request((Message("user", text),))]

    def parse(self, comparison, completions):
        return said(completions[0].text, len(comparison.order))


class Determinism(Reader):
    """Python's hash of a text differs from process to process."""

    def parse(self, comparison, completions):
        return Judgment(tuple(float(hash(text)) for text in comparison.responses))


@dataclass(frozen=True)
class PureRender(Writer):
    """The instructions are sent with the first question alone."""

    known: set = field(default_factory=set, repr=False)

    def render(self, comparison):
        (request,) = super().render(comparison)
        key = (comparison.example.id, comparison.order)
        if key in self.known:
            return [request]
        self.known.add(key)
        return [replace(request, messages=(Message("system", "Hi"), *request.messages))]


class BothOrders(Reader):
    """The example's responses are read, not those shown in their order."""

    def parse(self, comparison, completions):
        texts = comparison.example.responses
        return Judgment(tuple(float(len(text)) for text in texts))


class BothOrdersPointwise(Reader):
    """It says that it scores a response alone, and compares it with the longest."""

    pointwise = True

    def parse(self, comparison, completions):
        longest = 1 + max(map(len, comparison.example.responses))
        return Judgment(tuple(len(text) / longest for text in comparison.responses))


class ScoreRange(Reader):
    """A response without spaces has infinitely many letters a space."""

    def parse(self, comparison, completions):
        scores = [
            len(text) / text.count(" ") if " " in text else float("inf")
            for text in comparison.responses
        ]
        return Judgment(tuple(scores))


@dataclass(frozen=True)
class BatchInvariance(Reader):
    """The scores grow with each question that was asked before."""

    number: count = field(default_factory=lambda: count(), repr=False, compare=False)

    def parse(self, comparison, completions):
        judgment = super().parse(comparison, completions)
        more = next(self.number)
        return replace(judgment, scores=tuple(each + more for each in judgment.scores))


class FailureKinds(Writer):
    """A reply without a verdict is not expected."""

    def parse(self, comparison, completions):
        _, found = completions[0].text.split("[[")
        return said(f"[[{found}", len(comparison.order))


@dataclass(frozen=True)
class Serialisation(Writer):
    """What it reads in a reply depends on what it rendered before."""

    shown: dict = field(default_factory=dict, repr=False, compare=False)

    def render(self, comparison):
        requests = super().render(comparison)
        self.shown[comparison.example.id] = len(comparison.order)
        return requests

    def parse(self, comparison, completions):
        return said(completions[0].text, self.shown[comparison.example.id])


@dataclass
class Resume(Judge):
    """A counter among its fields is part of its identity."""

    asked: int = 0

    fewest = 2
    render = Writer.render

    def parse(self, comparison, completions):
        self.asked += 1
        return said(completions[0].text, len(comparison.order))


class HostileTexts(Writer):
    """Responses are put into the prompt as if they were its template."""

    def render(self, comparison):
        (request,) = super().render(comparison)
        text = (request.messages[0].content + "\n\n{ask}").format(ask="Which?")
        return [replace(request, messages=(Message("user", text),))]


@hookimpl
def register_judges(register):
    register("good-reader", Reader)
    register("good-writer", Writer)
    register("bad-determinism", Determinism)
    register("bad-pure-render", PureRender)
    register("bad-both-orders", BothOrders)
    register("bad-both-orders-pointwise", BothOrdersPointwise)
    register("bad-score-range", ScoreRange)
    register("bad-batch-invariance", BatchInvariance)
    register("bad-failure-kinds", FailureKinds)
    register("bad-serialisation", Serialisation)
    register("bad-resume", Resume)
    register("bad-hostile-texts", HostileTexts)
