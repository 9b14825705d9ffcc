"""Judges of the two common shapes: one that writes, and one that scores.

A plugin for a new judge subclasses one of these and sets defaults; each field is an
option of its spec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from rrm_harness import parse, prompts
from rrm_harness.errors import SpecError
from rrm_harness.records import (
    Comparison,
    Completion,
    Failure,
    Judge,
    Judgment,
    Message,
    Model,
    Request,
    described,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a recipe shows, how its reply is read, and how many responses it takes.

    A judge with several modes has one for each, and a property `shape` that chooses.
    """

    template: str
    parser: str
    fewest: int = 2
    most: int | None = 2


@dataclass(frozen=True)
class _Modelled(Judge):
    """A judge with a model. Where that lies is not part of what the judge is."""

    model: str = field(default="", repr=False)
    revision: str = field(default="", repr=False)
    trust_remote_code: bool = field(default=False, repr=False)

    head: ClassVar[str] = ""
    sizes: ClassVar[Mapping[str, str]] = {}
    """What the option `size` stands for, of a judge that has one: ids of models."""
    no_model: ClassVar[str] = "this judge has no model of its own"

    @property
    def published(self) -> str:
        """The id of the published model that runs unless another is named, if any."""
        return self.sizes.get(getattr(self, "size", ""), "")

    @property
    def runs_on(self) -> Model | None:
        """The model.

        Raises:
            SpecError: None was named, and the judge has no published one.
        """
        named = self.model or self.published
        if not named:
            raise SpecError(f"{self.no_model}; name one with model=ID or model=FOLDER")
        return Model(named, self.revision, self.head, self.trust_remote_code)


@dataclass(frozen=True)
class Recipe(_Modelled):
    """A judge that writes: a template, how to decode, and how to read the reply.

    Args:
        model: The hub's id, a folder, or the name that a server gives it.
        revision: The hub's branch, tag or commit.
        trust_remote_code: Whether code that comes with the weights may run.
        template: An installed template, or the path of one's own; see `prompts.turns`.
            It is given `prompt`, `messages`, `responses`, and what `values` adds.
        parser: A name of `parse.PARSERS`.
        temperature: 0 is greedy.
        top_p: The share of probability that is sampled from.
        max_tokens: The most tokens of a reply.
        no_system: Whether the system turn's text begins the user turn instead, for
            models whose chat template has no such turn.
    """

    template: str = field(default="", repr=False)
    parser: str = ""
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    no_system: bool = False

    logits = False
    """What is read from a text is a verdict or a rating."""

    @cached_property
    def identity(self) -> str:
        """The recipe: its options, its template's text, and how many it takes.

        The number is told where the judge has no shape of its own and it is not two.
        """
        taken = "" if self.shape else _taken(self.fewest, self.most)
        return templated(self, self.template_text) + taken

    @cached_property
    def template_text(self) -> str:
        """The template as it was when first used: one run has one prompt."""
        return prompts.source(self.template) if self.template else ""

    @property
    def thinks(self) -> bool:
        """Whether a reply begins with a thought that ends with `</think>`.

        A chat template may have begun it, so that the reply does not show it.
        """
        return False

    @property
    def shape(self) -> Shape | None:
        """The judge's own template, parser and number of responses, if it has any."""
        return None

    def __post_init__(self) -> None:
        if self.shape:
            self.take(self.shape)
        if self.parser:
            parse.parser(self.parser)  # an unknown name is refused at once
        if self.max_tokens < 1:
            raise SpecError(f"max-tokens={self.max_tokens}: a reply needs at least one")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise SpecError(
                f"temperature={self.temperature},top-p={self.top_p}: temperature is 0"
                " or more, top-p is above 0 and at most 1"
            )

    def take(self, shape: Shape) -> None:
        """Put a shape on; a template or a parser that the spec names stays."""
        taken = {
            "template": self.template or shape.template,
            "parser": self.parser or shape.parser,
            "fewest": shape.fewest,
            "most": shape.most,
            "pointwise": shape.most == 1,
        }
        for name, value in taken.items():
            object.__setattr__(self, name, value)

    def values(self, comparison: Comparison) -> Mapping[str, Any]:
        """What the template is given besides prompt, messages and responses."""
        return {}

    def render(self, comparison: Comparison) -> Sequence[Request]:
        """Fill the template in: one request."""
        return [self.request(comparison)]

    def request(self, comparison: Comparison, **changed: Any) -> Request:
        """The request of the filled-in template, with fields changed."""
        turns = prompts.turns(
            self.template,
            self.template_text,
            prompt=transcript(comparison.example.prompt),
            messages=comparison.example.prompt,
            responses=comparison.responses,
            **self.values(comparison),
        )
        decoding: dict[str, Any] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "prefill": turns.prefill,
        }
        chat = _folded(turns.messages) if self.no_system else turns.messages
        return Request(chat, **(decoding | changed))

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        """Read the reply with the recipe's parser; a thought that was cut is none."""
        (said,) = completions
        if self.thinks and said.finish == "length" and "</think>" not in said.text:
            return judged(None, said.text)
        scores = parse.parser(self.parser)(said.text, len(comparison.order))
        return judged(scores, said.text)


@dataclass(frozen=True)
class RewardModel(_Modelled):
    """A judge that scores each response by itself: a chat, and a reward head.

    It cannot be the meta judge, which scores a critique: `grm-meta` can. Nor can it
    be the policy, which answers questions.

    Args:
        model: The hub's id or a folder.
        revision: The hub's branch, tag or commit.
        trust_remote_code: Whether code that comes with the weights may run.
    """

    pointwise = True

    def render(self, comparison: Comparison) -> Sequence[Request]:
        """The prompt's chat with the response as its last turn.

        Raises:
            SpecError: It is asked for the score of a critique, or for an answer.
        """
        self.refuse_other_roles(comparison)
        answer = Message("assistant", comparison.responses[0])
        return [Request((*comparison.example.prompt, answer), kind="score")]

    def refuse_other_roles(self, comparison: Comparison) -> None:
        """Refuse to score a critique, which would be scored as a response.

        Raises:
            SpecError: That is what is asked for, or that a question be answered.
        """
        if comparison.role == "policy":
            raise SpecError(
                f"{type(self).__name__} scores responses and cannot be the policy,"
                " which writes them; use --policy solver"
            )
        if comparison.role == "meta":
            raise SpecError(
                f"{type(self).__name__} scores responses and cannot be the meta judge,"
                " which scores critiques; use --meta-judge grm-meta"
            )

    def parse(
        self,
        comparison: Comparison,
        completions: Sequence[Completion],
    ) -> Judgment:
        """The head's first value, with its attributes."""
        (completion,) = completions
        attributes = {name: (each,) for name, each in completion.attributes.items()}
        return Judgment(completion.scores[:1], attributes=attributes)


def _folded(chat: Sequence[Message]) -> tuple[Message, ...]:
    """The chat with all its texts in one user turn."""
    return (Message("user", "\n\n".join(each.content for each in chat)),)


def templated(judge: Judge, text: str) -> str:
    """A judge's identity with its template's text, wherever that lies."""
    return described(judge) + (f" template {prompts.text_digest(text)}" if text else "")


def _taken(fewest: int, most: int | None) -> str:
    return "" if (fewest, most) in ((2, 2), (1, None)) else f" of {fewest} to {most}"


def judged(scores: Sequence[float] | None, text: str) -> Judgment:
    """A judgment of what was read; without scores the text is unparsable."""
    if scores is None:
        return Judgment.failed(Failure.UNPARSABLE, text)
    return Judgment(tuple(scores), None, text)


def transcript(prompt: Sequence[Message]) -> str:
    """A prompt as one text: a lone message is its text, a chat has its turns named."""
    if len(prompt) == 1:
        return prompt[0].content
    return "\n\n".join(f"{each.role.capitalize()}: {each.content}" for each in prompt)
