"""The nouns: records that flow through a run, and the protocols plugins follow."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import StrEnum
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rrm_harness import chance

if TYPE_CHECKING:
    from rrm_harness.metrics import Rule


class Failure(StrEnum):
    """Why a comparison has no judgment."""

    UNPARSABLE = "unparsable"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    TOO_LONG = "too-long"
    INVALID_SCORE = "invalid-score"
    ENGINE_ERROR = "engine-error"
    OUT_OF_MEMORY = "out-of-memory"
    JUDGE_ERROR = "judge-error"
    NOT_RECORDED = "not-recorded"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str

    def __repr__(self) -> str:
        """As a dataclass has it, in half the time: every key holds some."""
        return f"Message(role={self.role!r}, content={self.content!r})"


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt, n responses and which of them are correct.

    A preference pair has two responses. `correct` may be empty (no response is
    right) or name several. `cluster` groups examples that share a prompt, for
    intervals; it defaults to the id. `rows.convert` fills the prompt's in.
    """

    id: str
    prompt: tuple[Message, ...]
    responses: tuple[str, ...]
    correct: tuple[int, ...]
    subset: str = "all"
    cluster: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is not what its format says; a dataset yields it in its place."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Some responses of an example, in the order in which the judge sees them.

    `order` holds indices into the example's responses. `sample` tells repeated
    questions apart. `seed` is the run's seed, from which every draw is derived.
    `role` picks the judge: "judge", "meta" for one that scores a `critique`, or
    "policy" for one that answers a question whose choices are the responses.
    """

    example: Example
    order: tuple[int, ...]
    sample: int = 0
    seed: int = 0
    role: Literal["judge", "meta", "policy"] = "judge"
    critique: str = ""

    @classmethod
    def of(cls, example: Example, seed: int = 0) -> Comparison:
        """Compare all responses of an example, in the order given."""
        return cls(example, tuple(range(len(example.responses))), seed=seed)

    @property
    def responses(self) -> tuple[str, ...]:
        """The responses' texts in the order shown."""
        texts = self.example.responses
        return tuple([texts[index] for index in self.order])

    def only(self, *order: int) -> Comparison:
        """Show these responses alone, in this order."""
        return self._asked(order, self.sample)

    def reversed(self) -> Comparison:
        """Show the same responses in the opposite order."""
        return self._asked(self.order[::-1], self.sample)

    def resampled(self, sample: int) -> Comparison:
        """Ask the same question another time."""
        return self._asked(self.order, sample)

    def shuffled(self) -> Comparison:
        """Show the same responses in an order drawn from seed, example and sample.

        A comparison and its reverse are shown in opposite orders.
        """
        responses = sorted(self.order)
        places = chance.permutation(
            len(responses), self.seed, self.example.id, "order", *responses, self.sample
        )
        order = tuple(responses[place] for place in places)
        forward = self.order[0] <= self.order[-1]
        return self._asked(order if forward else order[::-1], self.sample)

    def _asked(self, order: tuple[int, ...], sample: int) -> Comparison:
        """A copy; several times as fast as `dataclasses.replace`."""
        return Comparison(
            self.example, order, sample, self.seed, self.role, self.critique
        )


@dataclass(frozen=True, slots=True)
class Judgment:
    """One score per response in the order shown, or a failure.

    Verdict A of two is (1, 0), a tie (0.5, 0.5); a reward head's scores are raw
    logits. Exactly one of `scores` and `failure` is set. `attributes` holds what a
    multi-attribute model says beside its scores: name to one value per response shown.
    `completions` are what it was read from; the harness fills them in, and reads them
    anew when it finds them in the store, so that a mended parser counts for what was
    asked before.
    """

    scores: tuple[float, ...] = ()
    failure: Failure | None = None
    text: str = ""
    completions: tuple[Completion, ...] = ()
    attributes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def prompt_tokens(self) -> int:
        """Tokens read, over all completions."""
        return sum(completion.prompt_tokens for completion in self.completions)

    @property
    def completion_tokens(self) -> int:
        """Tokens written, over all completions."""
        return sum(completion.completion_tokens for completion in self.completions)

    @property
    def notes(self) -> set[str]:
        """What the input audit counts, over all completions."""
        noted = [each.notes for each in self.completions if each.notes]
        return {note for notes in noted for note in notes}

    @classmethod
    def failed(cls, failure: Failure, text: str = "") -> Judgment:
        """Build a judgment that says why there is none."""
        return cls(failure=failure, text=text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a strategy found out about a comparison's responses.

    Args:
        scores: Response index to score, higher is better; empty when it failed.
        failure: Why there is no outcome.
        uncertain: Whether failures could have changed it, had they not failed; a
            benchmark's bounds then count the example as 0 and as 1.
        order: The order shown, where every comparison had the same.
        parts: The two games of a strategy that asks in both orders, or the samples of
            one that asks several times.
        notes: Counts worth reporting.
    """

    scores: Mapping[int, float] = field(default_factory=dict)
    failure: Failure | None = None
    uncertain: bool = False
    order: tuple[int, ...] = ()
    parts: tuple[Outcome, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    _winners: tuple[int, ...] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @property
    def games(self) -> tuple[Outcome, ...]:
        """The parts, if they are two and were not both shown in one order."""
        orders = [part.order for part in self.parts]
        alike = len(orders) == 2 and orders[0] == orders[1] != ()
        return self.parts if len(orders) == 2 and not alike else ()

    @property
    def winners(self) -> tuple[int, ...]:
        """The responses that share the highest score; none on failure."""
        if self._winners is None:  # asked for a dozen times, so it is kept
            object.__setattr__(self, "_winners", _highest(self.scores))
        return self._winners or ()


def _highest(scores: Mapping[int, float]) -> tuple[int, ...]:
    best = max(scores.values(), default=0.0)
    return tuple(sorted([index for index in scores if scores[index] == best]))


@dataclass(frozen=True, slots=True)
class Race:
    """Plays side by side of which only so many matter.

    A play that yields one is sent its plays' return values as soon as `decided` says
    yes to those that are there (None for the others); the rest is abandoned.
    """

    plays: Sequence[Any]
    decided: Callable[[Sequence[Any]], bool]


Play = Generator[Sequence[Any] | Race, Sequence[Any], Any]
"""A strategy at work. It yields a list of comparisons and of further plays, and is
sent the list of their judgments and return values, in the same order."""


@dataclass(frozen=True, slots=True)
class Model:
    """The weights that a judge runs on, and what reads scores out of them.

    Args:
        id: The hub's id, a local folder, or the name that a server gives it.
        revision: The hub's branch, tag or commit; its default branch unless given.
        head: A registered reward head; none for a model that writes text.
        trust_remote_code: Whether code that comes with the weights may run.
    """

    id: str
    revision: str = ""
    head: str = ""
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked: to continue a chat, or to score one.

    A sampled request without a seed is given one, drawn from the run's seed, the
    content and the sample number.

    Args:
        messages: The chat. To score is to score its last message.
        kind: Write text, or score with the model's reward head.
        temperature: 0 is greedy.
        top_p: The share of probability that is sampled from; always sent.
        max_tokens: The most tokens to write.
        seed: Of the sampling.
        prefill: What the assistant has written already; the text continues it.
        stop: Texts that end the writing; they are not part of what was written.
        logprobs: How many alternatives of the first written token to report.
        bos: `double` repeats the first token, as some published runs did by accident.
        chat_options: Names and values that the model's chat template takes.
    """

    messages: tuple[Message, ...]
    kind: Literal["generate", "score"] = "generate"
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    seed: int | None = None
    prefill: str = ""
    stop: tuple[str, ...] = ()
    logprobs: int = 0
    bos: Literal["single", "double"] = "single"
    chat_options: tuple[tuple[str, Any], ...] = ()

    @property
    def sampled(self) -> bool:
        """Whether the same request can be answered in several ways."""
        return self.kind == "generate" and self.temperature > 0

    @property
    def writes(self) -> int:
        """The most tokens that it may write."""
        return self.max_tokens if self.kind == "generate" else 0


class Note(StrEnum):
    """What was seen in a request and the input audit counts."""

    DOUBLE_BOS = "double-bos"
    NO_BOS = "no-bos"
    NO_GENERATION_PROMPT = "no-generation-prompt"
    OTHER_MODEL = "other-model"
    TRUNCATED_PROMPT = "truncated-prompt"
    SPECIAL_TOKEN = "special-token"  # noqa: S105 - no password


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine answered: a text, or scores, or why there is neither.

    Args:
        text: What the model wrote after the request's prefill.
        scores: What its reward head said: raw, one, or one per step or response.
        failure: Why there is neither.
        finish: "length" when the text was cut at `max_tokens`; the judge may still
            read it, and what it then cannot read is a failure of kind truncated.
        prompt_tokens: Tokens read, special ones included.
        completion_tokens: Tokens written.
        attributes: What a multi-attribute head said beside its scores.
        logprobs: Token text to log-probability of the first written token.
        notes: What the input audit counts.
        room: Of a failure of kind too-long: how many prompt tokens would fit, 0 if the
            engine cannot tell.
    """

    text: str = ""
    scores: tuple[float, ...] = ()
    failure: Failure | None = None
    finish: Literal["stop", "length"] = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    attributes: Mapping[str, float] = field(default_factory=dict)
    logprobs: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    room: int = 0


def described(plugin: object, *, paths: bool = True) -> str:
    """A plugin's class and the options that are not at their default, as text.

    It is the same in every process, and stays the same when a plugin gains an option.
    Without `paths`, options that are paths are left out: what lies there counts.
    """
    if is_dataclass(plugin):
        options = {
            each.name: getattr(plugin, each.name)
            for each in fields(plugin)
            if each.repr and getattr(plugin, each.name) != _default(each)
        }
    else:
        slots = [name for kind in type(plugin).__mro__ for name in _slots(kind)]
        options = {
            name: getattr(plugin, name) for name in slots if hasattr(plugin, name)
        }
        options |= getattr(plugin, "__dict__", {})
    listed = ", ".join(
        f"{name}={_described_option(value, paths)}"
        for name, value in options.items()
        if paths or not isinstance(value, PathLike)
    )
    return f"{type(plugin).__module__}.{type(plugin).__qualname__}({listed})"


def _slots(kind: type) -> Sequence[str]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _described_option(value: object, paths: bool) -> str:
    """An option as text; sets are sorted, for each process orders them anew."""
    if isinstance(value, Mapping):
        pairs = [(repr(key), _described_option(value[key], paths)) for key in value]
        return "{" + ", ".join(f"{key}: {each}" for key, each in pairs) + "}"
    if isinstance(value, list | tuple | set | frozenset):
        each = [_described_option(item, paths) for item in value]
        ordered = each if isinstance(value, list | tuple) else sorted(each)
        return f"{type(value).__name__}({', '.join(ordered)})"
    nested = is_dataclass(value) or hasattr(value, "play") or hasattr(value, "parse")
    if nested and not isinstance(value, type):
        return described(value, paths=paths)
    return repr(value)


def _default(each: Field[Any]) -> Any:
    return (
        each.default_factory() if each.default_factory is not MISSING else each.default
    )


class Judge(Protocol):
    """A recipe: comparison to requests, completions to judgment. Pure functions.

    A judge that needs no engine renders no requests and is parsed at once.
    `pointwise` judges see one response at a time; each response is asked once,
    however many comparisons it is in. `fewest` and `most` bound the number of
    responses of a comparison. `role` is "meta" for a judge of critiques. `runs_on` is
    the model that its requests are for; an engine that is named by a spec is built with
    it. `logits` says whether scores that are no shares are logits, so that their margin
    tells how sure the judge is; a count's does not.
    """

    pointwise: bool = False
    logits: bool = True
    fewest: int = 1
    most: int | None = None
    role: Literal["judge", "meta"] = "judge"

    if TYPE_CHECKING:  # at run time a field or a plain attribute will do

        @property
        def runs_on(self) -> Model | None:
            """The model, None if the judge makes no requests."""
            return None

    else:
        runs_on = None

    @property
    def identity(self) -> str:
        """All that determines the answers: model, revision, template, options."""
        return described(self)

    def render(self, comparison: Comparison) -> Sequence[Request]:
        """Turn a comparison into requests; none if the answer needs no engine."""
        return ()

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        """Read the judgment out of the requests' completions, in their order."""
        ...


class Engine(Protocol):
    """Runs requests on hardware; knows no benchmark.

    To construct one takes no hardware; the first `submit` or `collect` does, so that a
    mistake in the data costs no load. `capacity` is how many requests it is the faster
    for having at once; 0 if some thousands are as good as more. Where examples differ
    in length it is given no more than that, what the longest ask first.
    """

    capacity: int = 0

    if TYPE_CHECKING:  # at run time a field or a plain attribute will do

        @property
        def identity(self) -> str:
            """Model, revision, precision: everything that changes a completion."""
            ...

    def submit(self, ticket: int, request: Request) -> None:
        """Take a request; return at once."""
        ...

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Advance the work and return what is done; wait a while if nothing is."""
        ...

    def cancel(self, ticket: int) -> None:
        """Forget a request; its answer, if it still comes, is not wanted."""

    def close(self) -> None:
        """Abandon what is under way and give the hardware back."""
        ...


class Strategy(Protocol):
    """Decides which comparisons to ask; a generator that never calls a judge.

    A `relative` one says who is better than the others, so that its scores of a single
    response mean nothing.
    """

    if TYPE_CHECKING:

        @property
        def relative(self) -> bool:
            """Whether scores only mean something beside the others'."""
            return False

    else:
        relative = False

    def play(self, comparison: Comparison) -> Play:
        """Decide between the comparison's responses; return an Outcome."""
        ...

    def cost(self, responses: int) -> int:
        """The most comparisons that this many responses can take."""
        ...


class Dataset(Protocol):
    """Examples with a name, a revision and a rule that turns outcomes into numbers."""

    if TYPE_CHECKING:  # at run time a field or a plain attribute will do

        @property
        def name(self) -> str:
            """The name that reports show."""
            ...

        @property
        def revision(self) -> str:
            """The hub's commit, or a hash of the local files."""
            ...

        @property
        def rule(self) -> Rule:
            """What outcomes are worth."""
            ...

        @property
        def protocol(self) -> str:
            """The published strategy, as a spec; used when none is asked for."""
            return ""

    else:
        protocol = "single,order=seeded"

    def examples(self) -> Iterator[Example | BadRow]:
        """Yield the examples in a stable order, a BadRow where a row is malformed."""
        ...
