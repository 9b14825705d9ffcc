"""Any chat model as a judge, by the common prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, isfinite
from typing import Any, Literal

from rrm_harness import (
    Comparison,
    Completion,
    Failure,
    Judgment,
    Recipe,
    Register,
    Request,
    Shape,
    SpecError,
    hookimpl,
)
from rrm_harness.parse import answer

SHAPES = {
    "pair": Shape("judges/llm-pair.jinja", "verdict"),
    "arena-hard": Shape("judges/llm-arena-hard.jinja", "arena-hard"),
    "rating": Shape("judges/llm-rating.jinja", "mt-bench-rating", fewest=1, most=1),
}
ALTERNATIVES = 20
"""The most that both vLLM and OpenAI's API report unless told otherwise."""


@dataclass(frozen=True)
class Llm(Recipe):
    """Any chat model: a pair, Arena-Hard's five grades, or a 1-10 rating.

    `pair` asks for `[[A]]` or `[[B]]`, with `tie=true` also `[[C]]`. With
    `verdict=probabilities` it asks for a bare letter and scores each response with its
    letter's share of the probability of the first token, a tie's half to each; a letter
    that is not among the 20 likeliest is a failure, as is a reply that begins with a
    thought. A thought (`<think>`) is not read.

    Source: allenai/reward-bench, rewardbench/generative.py; lmarena/arena-hard-auto;
    lm-sys/FastChat, fastchat/llm_judge (layouts and outputs). The wording is ours.
    """

    model: str = field(default="meta-llama/Llama-3.1-8B-Instruct", repr=False)
    mode: Literal["pair", "arena-hard", "rating"] = "pair"
    tie: bool = False
    verdict: Literal["text", "probabilities"] = "text"
    max_tokens: int = 2048

    def __post_init__(self) -> None:
        for option in ("tie", "verdict"):
            given = getattr(self, option) not in (False, "text")
            if given and self.mode != "pair":
                raise SpecError(
                    f"llm,mode={self.mode} has no option {option}; leave it out, or use"
                    " mode=pair"
                )
        super().__post_init__()

    @property
    def shape(self) -> Shape:
        shape = SHAPES[self.mode]
        return replace(shape, parser="mt-bench") if self.tie else shape

    def values(self, comparison: Comparison) -> Mapping[str, Any]:
        return {"tie": self.tie, "bare": self.verdict == "probabilities"}

    def render(self, comparison: Comparison) -> Sequence[Request]:
        if self.verdict == "text":
            return [self.request(comparison)]
        return [self.request(comparison, max_tokens=1, logprobs=ALTERNATIVES)]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        if self.verdict == "probabilities":
            return self._weighed(completions[0])
        return super().parse(comparison, completions)

    def _weighed(self, completion: Completion) -> Judgment:
        """Scores in proportion to the letters' probabilities."""
        if not answer(completion.text) and completion.text:
            problem = f"the reply begins with a thought: {completion.text!r}"
            return Judgment.failed(Failure.INVALID_SCORE, problem)
        letters = "ABC" if self.tie else "AB"
        shares = {letter: probability(completion, letter) for letter in letters}
        whole = sum(shares.values())
        missing = [letter for letter in letters if not shares[letter]]
        if missing or not isfinite(whole):
            problem = f"no probability of {', '.join(missing)} in {completion.logprobs}"
            return Judgment.failed(Failure.INVALID_SCORE, problem)
        half = shares.get("C", 0.0) / 2
        scores = tuple((shares[letter] + half) / whole for letter in "AB")
        return Judgment(scores, None, completion.text)


def probability(completion: Completion, letter: str) -> float:
    """How probable the letter is as the first token, with spaces or without."""
    return sum(
        exp(logprob)
        for token, logprob in completion.logprobs.items()
        if token.strip(" \n▁Ġ") == letter
    )


@hookimpl
def register_judges(register: Register) -> None:
    register("llm", Llm)
