"""Questions for a judge, and what its model might reply: no model is asked.

What a judge can read is found by trying: of a menu of replies as published judges
write them, those that it makes scores of. A judge that reads none of them brings its
own as `sample_replies`, texts that its model might write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from rrm_harness import chance
from rrm_harness.answers import Answers, Bench
from rrm_harness.conformance.promises import Skipped
from rrm_harness.records import (
    Comparison,
    Completion,
    Engine,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    Play,
    Request,
    Strategy,
)
from rrm_harness.schedule import Finished, play_all
from rrm_harness.store import RunStore
from rrm_harness.testing import FakeEngine

PROMPTS: Sequence[tuple[Message, ...]] = (
    (Message("user", "Why is the sky blue?"),),
    (
        Message("system", "Answer in one sentence."),
        Message("user", "What is 17 + 25?"),
        Message("assistant", "It is 42."),
        Message("user", "And twice that?"),
    ),
    (Message("user", "Übersetze „night“ ins Französische.\n\nNur ein Wort."),),
)
RESPONSES: Sequence[Sequence[str]] = (
    (
        "Because air scatters blue light more than red.",
        "It just is.",
        "The sky mirrors the sea, which is blue because of the fish.",
    ),
    ("Twice 42 is 84.\n\nIt is 84", "It is 82", "84"),
    ("nuit", "La réponse est « nuit », au féminin: la nuit.", "Nacht 🌙"),
)
CRITIQUE = "Analysis: the first response gives the reason. Scores: \\boxed{8, 3}"
ATTRIBUTES = {
    "helpfulness": 3.5,
    "correctness": 3.25,
    "coherence": 4.0,
    "complexity": 1.5,
    "verbosity": 2.0,
}
SCORES = (1.25, -0.5, 7.75, 0.0, 2.5)
THOUGHT = "<think>\nLet me see.\n</think>\n"


@dataclass(frozen=True)
class Case:
    """Questions with one number of responses, and the replies a judge reads there.

    Args:
        comparisons: The questions.
        replies: What it makes scores of; empty for a judge that makes no requests.
        asks: Whether the judge makes requests.
    """

    comparisons: Sequence[Comparison]
    replies: Sequence[Completion]
    asks: bool

    def engine(self, seed: int = 0) -> FakeEngine:
        """An engine that replies by what it is asked alone, in an order by the seed."""
        menu = self.replies or [Completion("I would rather not say.")]

        def reply(request: Request) -> Completion:
            return menu[chance.seed("reply", repr(request)) % len(menu)]

        return FakeEngine(reply, seed)

    def refuse_unread(self) -> None:
        """Refuse to go on with a judge that makes no scores of any reply.

        Raises:
            Skipped: It is one.
        """
        if self.asks and not self.replies:
            raise Skipped(
                "the judge makes scores of no reply that the kit knows; give it"
                " sample_replies, a tuple of texts that its model might write"
            )


def cases(judge: Judge) -> list[Case]:
    """Questions that fit a judge, by their number of responses."""
    found = []
    for size in _sizes(judge):
        asked = [_comparison(judge, number, size) for number in range(len(PROMPTS))]
        menu = {repr(each): each for one in asked for each in _read(judge, one)}
        asks = any(each for one in asked for each in requests(judge, one))
        found.append(Case(asked, [*menu.values()], asks))
    return found


def requests(judge: Judge, comparison: Comparison) -> list[Sequence[Request]]:
    """What a judge asks about a comparison; a pointwise one about each response."""
    return [tuple(judge.render(each)) for each in parts(judge, comparison)]


def parts(judge: Judge, comparison: Comparison) -> list[Comparison]:
    """A comparison as the judge is asked it."""
    if not judge.pointwise or comparison.role != "judge":
        return [comparison]
    return [comparison.only(index) for index in comparison.order]


def judged(
    judge: Judge, asked: Sequence[Comparison], engine: Engine | None = None
) -> list[Judgment]:
    """The harness's judgments of comparisons that are asked all at once."""
    judgments, _ = judged_and_counted(judge, asked, engine)
    return judgments


def judged_and_counted(
    judge: Judge,
    asked: Sequence[Comparison],
    engine: Engine | None = None,
    store: RunStore | None = None,
) -> tuple[list[Judgment], Finished]:
    """The judgments, and how many were asked and how many were in the store."""
    answers = Answers({asked[0].role: Bench(judge, engine)}, store)
    (finished,) = play_all([asked[0].example], _Together(asked), answers)
    found: list[Judgment] = finished.outcome  # type: ignore[assignment]
    return found, finished


@dataclass(frozen=True)
class _Together(Strategy):
    """Asks what it was given; its outcome are the judgments."""

    asked: Sequence[Comparison]

    def play(self, comparison: Comparison) -> Play:  # noqa: ARG002
        return (yield list(self.asked))

    def cost(self, responses: int) -> int:  # noqa: ARG002
        return len(self.asked)


def swapped(comparison: Comparison) -> Comparison:
    """The same texts in the same places, with the example's responses turned round."""
    example = comparison.example
    last = len(example.responses) - 1
    turned = replace(
        example,
        responses=example.responses[::-1],
        correct=tuple(last - index for index in example.correct),
    )
    order = tuple(last - index for index in comparison.order)
    return replace(comparison, example=turned, order=order)


def _sizes(judge: Judge) -> list[int]:
    """Numbers of responses that a judge takes: two and three, or its fewest."""
    if judge.pointwise or judge.role == "meta":
        return [3]
    most = judge.most or 3
    fitting = [size for size in (2, 3) if judge.fewest <= size <= most]
    return fitting or [max(judge.fewest, 1)]


def _comparison(judge: Judge, number: int, size: int) -> Comparison:
    texts = RESPONSES[number][:size]
    if size > len(texts):
        texts = tuple(map(str, range(size)))
    example = Example(f"kit-{number}", PROMPTS[number], tuple(texts), (0,))
    asked = Comparison.of(example, seed=7)
    if judge.role == "meta":
        return replace(asked, role="meta", critique=f"{CRITIQUE} ({number})")
    return asked


def _read(judge: Judge, comparison: Comparison) -> Iterator[Completion]:
    """The completions of which a judge makes scores of a comparison."""
    asked = list(chain.from_iterable(requests(judge, comparison)))
    if not asked:
        return
    for each in _menu(judge, comparison, asked[0]):

        def reply(_: Request, each: Completion = each) -> Completion:
            return each

        (judgment,) = judged(judge, [comparison], FakeEngine(reply))
        if judgment.failure is None:
            yield each


def _menu(
    judge: Judge, comparison: Comparison, request: Request
) -> Iterator[Completion]:
    """What any judge's model might reply."""
    shown = len(parts(judge, comparison)[0].order)
    if request.kind == "score":
        heads = [SCORES[at : at + 1] for at in range(4)]
        candidates = [SCORES[at : at + shown] for at in (0, 1) if shown > 1]
        steps = [(0.9, 0.4, 0.7), (0.2, 0.95)]
        for scores in [*heads, *candidates, *steps]:
            told = {name: value + scores[0] for name, value in ATTRIBUTES.items()}
            yield Completion(scores=scores, attributes=told, prompt_tokens=9)
        return
    first, second = {"A": -0.3, "B": -1.6, "C": -3.0}, {"A": -2.0, "B": -0.2, "C": -4.0}
    own = getattr(judge, "sample_replies", ())
    for place, text in enumerate([*own, *_texts(shown), *comparison.responses]):
        yield Completion(
            text,
            logprobs=(first, second)[place % 2],
            prompt_tokens=9,
            completion_tokens=5,
        )


def _texts(shown: int) -> Iterable[str]:
    """Replies as the published judges write them, for and against the first."""
    for place in (0, shown - 1):
        letter = chr(ord("A") + min(place, 25))
        grades = [8.0 if each == place else 3.0 for each in range(shown)]
        lines = [f"{grade:g}" for grade in grades]
        named = [
            f"<score_{chr(ord('A') + at)}>{line}</score_{chr(ord('A') + at)}>"
            for at, line in enumerate(lines[:26])
        ]
        answers = "".join(f"<answer>{line}</answer>" for line in lines)
        boxed = ", ".join(lines)
        yield from (
            f"[[{letter}]]",
            f"{THOUGHT}My choice is [[{letter}]]",
            f"{THOUGHT}<answer>[[{letter}]]</answer>",
            f"{THOUGHT}\\boxed{{Assistant {place + 1}}}",
            f"Assistant {place + 1}",
            f"{THOUGHT}\\boxed{{{letter}}}",
            f"Criteria and analysis. \\boxed{{{boxed}}}",
            f"{THOUGHT}{answers}",
            f"{' '.join(lines)}\nThe reasons follow.",
            f"{THOUGHT}{' '.join(named)}",
            f'{{"Choice": "Model {letter}"}}',
            f"Feedback: as asked. [RESULT] {letter}",
            f"Output ({letter.lower()}) is better.",
            f"Output ({letter.lower()})",
        )
    yield from ("[[A>>B]]", "[[B>A]]", "[[A=B]]", "[[C]]", "A", "B")
    for grade in (2, 4, 7):
        yield from (
            f"[[{grade}]]",
            f"{grade}",
            f"{THOUGHT}<score>{grade}</score>",
            f"Feedback: as asked. [RESULT] {min(grade, 5)}",
            f"Step by step. It is {grade}",
        )


def bad_replies(kind: str) -> Iterator[tuple[str, Completion]]:
    """What an engine may reply instead of what was asked for, and what to call it."""
    for failure in Failure:
        yield f"a failure of kind {failure}", Completion(failure=failure)
    yield "nothing at all", Completion()
    if kind == "score":
        yield "no scores", Completion("text")
        yield "a score that is no number", Completion(scores=(float("nan"),))
        yield "an infinite score", Completion(scores=(float("inf"),))
        yield "eleven scores", Completion(scores=tuple(map(float, range(11))))
        return
    thought = "<think> I am still"
    garbage = "\\boxed{[[Z]] <answer> [RESULT] {{ nothing }} \x00 \ud800 ((("
    for what, text, finish in (
        ("blanks", " \n\t ", "stop"),
        ("garbage", garbage, "stop"),
        ("two verdicts", "[[A]] [[B]] \\boxed{1, 2, 3, 4, 5, 6}", "stop"),
        (
            "scores that are no numbers",
            "\\boxed{nan, inf} <answer>1e999</answer>",
            "stop",
        ),
        ("a reply that was cut", "The better response is [[", "length"),
        ("a thought that was cut", thought, "length"),
        ("a thought that was not ended", thought, "stop"),
        ("100 kB of text", "[[ \\boxed{ <answer> " * 5000, "length"),
    ):
        yield what, Completion(text, finish=finish)  # type: ignore[arg-type]
