"""Each content is asked at most once, and whatever goes wrong becomes a failure."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy
import pytest

from rrm_harness import (
    Comparison,
    Completion,
    EngineError,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    Outcome,
    Request,
    SpecError,
    Strategy,
    TemplateError,
    host,
)
from rrm_harness.answers import Answer, Answers, Bench
from rrm_harness.schedule import Finished, play_all
from rrm_harness.store import RunStore
from rrm_harness.testing import FakeEngine, FakeJudge, FakeModelJudge, example

ASKED = Comparison.of(example())
FIRST = Judgment((1.0, 0.0))
OVERFLOW = 10**400


@dataclass
class Pointwise(FakeModelJudge):
    """A model judge that sees one response at a time."""

    pointwise = True


@dataclass
class TwoRequests(FakeModelJudge):
    """A judge that makes two requests and answers with the texts of both."""

    def render(self, comparison: Comparison) -> Sequence[Request]:
        (request,) = super().render(comparison)
        return [request, replace(request, seed=1)]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        text = " then ".join(completion.text for completion in completions)
        return replace(super().parse(comparison, completions), text=text)


@dataclass
class Reader(FakeModelJudge):
    """A judge that reads the verdicts that it knows out of the completion."""

    understood: Sequence[str] = ("A", "B")

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        (completion,) = completions
        if completion.text not in self.understood:
            return self.decide(comparison)
        first = float(completion.text == "A")
        return Judgment((first, 1 - first), text=completion.text)


@dataclass
class Rendering(FakeModelJudge):
    """A judge that makes this one request of everything."""

    request: Request = field(default_factory=lambda: Request(()))

    def render(self, comparison: Comparison) -> Sequence[Request]:
        return [self.request]


@dataclass
class Picky(FakeJudge):
    """A judge of two or three responses."""

    fewest = 2
    most = 3


@dataclass
class Unrenderable(FakeJudge):
    """A judge whose prompt cannot be made."""

    error: Exception = field(default_factory=ValueError)

    def render(self, comparison: Comparison) -> Sequence[Request]:
        raise self.error


@dataclass
class AllAtOnce(FakeEngine):
    """An engine that answers all that waits, or complains that nothing does."""

    def collect(self) -> list[tuple[int, Completion]]:
        if not self.waiting:
            raise RuntimeError("asked to collect when nothing waits")
        done = [(ticket, self.reply(each)) for ticket, each in self.waiting.items()]
        self.waiting.clear()
        return done


@dataclass
class Confused(FakeEngine):
    """An engine that answers what nobody asked."""

    def collect(self) -> list[tuple[int, Completion]]:
        return [(-1, Completion())]


@dataclass
class Broken(FakeEngine):
    """An engine that raises an error when it is given something or waited for."""

    error: Exception = field(default_factory=lambda: RuntimeError("no driver"))
    at: str = "submit"

    def submit(self, ticket: int, request: Request) -> None:
        if self.at == "submit":
            raise self.error
        super().submit(ticket, request)

    def collect(self) -> Iterator[tuple[int, Completion]]:
        if self.at == "collect":
            raise self.error
        yield from super().collect()
        raise self.error


def build(spec: str) -> Strategy:
    return host.default().build("strategies", spec)


def always(judgment: Any) -> Callable[[Comparison], Any]:
    return lambda _: judgment


def answered(
    judge: Judge,
    engine: FakeEngine | None = None,
    store: RunStore | None = None,
    comparison: Comparison = ASKED,
) -> Answer:
    """The answer to one comparison, however long it takes."""
    answers = Answers({"judge": Bench(judge, engine)}, store)
    at_once = answers.ask(comparison, "waiter")
    if at_once is not None:
        return at_once
    while not (came := list(answers.collect())):
        pass
    return came[0][1]


def submitted(judge: Judge, *comparisons: Comparison) -> list[Request]:
    """What an engine is given when these are asked in one run."""
    engine = FakeEngine()
    answers = Answers({"judge": Bench(judge, engine)})
    for comparison in comparisons:
        answers.ask(comparison, "waiter")
    return list(engine.waiting.values())


def rows(path: Path, table: str) -> list[tuple]:
    """What is on disk."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608


def finished(
    answers: Answers, spec: str = "single", examples: Sequence[Example] = (example(),)
) -> list[Finished]:
    return list(play_all(examples, build(spec), answers))


def meta_benches(engine: FakeEngine, other: FakeEngine) -> dict[str, Bench]:
    """A judge that scores pairs and a meta judge that scores critiques."""
    return {
        "judge": Bench(
            FakeModelJudge(always(Judgment((1.0, 0.0), text="why"))), engine
        ),
        "meta": Bench(FakeModelJudge(always(Judgment((0.5,)))), other),
    }


def test_a_judge_without_requests_answers_at_once() -> None:
    answers = Answers({"judge": Bench(FakeJudge(always(FIRST)))})

    answer = answers.ask(ASKED, "waiter")

    assert answer is not None
    assert answer == Answer(FIRST, first=True, stored=False)
    assert not answers.outstanding


def test_a_request_is_answered_to_whoever_waits() -> None:
    answers = Answers({"judge": Bench(FakeModelJudge(always(FIRST)), FakeEngine())})

    at_once = answers.ask(ASKED, "waiter")
    ((waiter, answer),) = answers.collect()

    assert at_once is None
    assert waiter == "waiter"
    assert answer.judgment == replace(FIRST, completions=(Completion("done"),))
    assert (answer.first, answer.stored) == (True, False)


def test_the_same_question_in_flight_is_asked_once() -> None:
    engine = FakeEngine()
    answers = Answers({"judge": Bench(FakeModelJudge(always(FIRST)), engine)})

    answers.ask(ASKED, "one")
    answers.ask(ASKED, "other")
    came = [(waiter, answer.first) for waiter, answer in answers.collect()]

    assert engine.answered == 1
    assert came == [("one", True), ("other", False)]


def test_a_judgment_that_comes_up_again_is_not_the_first_of_its_content() -> None:
    answers = Answers({"judge": Bench(FakeModelJudge(always(FIRST)), FakeEngine())})

    answers.ask(ASKED, "one")
    ((_, first),) = answers.collect()
    answers.ask(ASKED, "other")
    ((_, second),) = answers.collect()

    assert (first.first, second.first) == (True, False)
    assert first.judgment == second.judgment


@pytest.mark.parametrize(
    "other",
    [ASKED.resampled(1), replace(ASKED, seed=1)],
    ids=["sample", "seed of the run"],
)
def test_a_sampled_request_is_asked_anew_for_every_sample(other: Comparison) -> None:
    requests = submitted(FakeModelJudge(always(FIRST)), ASKED, other)

    assert len(requests) == 2


@pytest.mark.parametrize(
    "request_",
    [
        Request((Message("user", "which?"),)),
        Request((Message("user", "which?"),), "score", temperature=1.0),
    ],
    ids=["temperature 0", "score"],
)
def test_a_request_with_one_answer_is_asked_once_for_all_samples(
    request_: Request,
) -> None:
    others = [
        ASKED.resampled(1),
        replace(ASKED, seed=1),
        replace(ASKED, critique="why"),
        Comparison.of(replace(ASKED.example, metadata={"a": 1})),
    ]

    requests = submitted(Rendering(always(FIRST), request=request_), ASKED, *others)

    assert requests == [request_]


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (Message("user", "other"),)},
        {"kind": "score"},
        {"temperature": 0.5},
        {"top_p": 0.5},
        {"max_tokens": 7},
        {"seed": 3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_request_is_another_question(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    with RunStore(tmp_path / "store") as store:
        for request in (Request(()), replace(Request(()), **change)):
            judge = Rendering(always(FIRST), request=request)
            assert not answered(judge, FakeEngine(), store).stored


def test_the_same_request_to_another_role_is_another_question() -> None:
    engine = FakeEngine()
    judge = Rendering(lambda shown: Judgment((1.0,) * (1 + (shown.role == "judge"))))
    bench = Bench(judge, engine)
    answers = Answers({"judge": bench, "meta": bench})

    answers.ask(ASKED, "judge")
    answers.ask(replace(ASKED, role="meta"), "meta")

    assert len(engine.waiting) == 2


def test_the_role_is_part_of_what_a_judge_without_requests_is_asked() -> None:
    bench = Bench(
        FakeJudge(lambda shown: Judgment((1.0,) * (1 + (shown.role == "judge"))))
    )
    answers = Answers({"judge": bench, "meta": bench})

    came = [answers.ask(each, "") for each in (ASKED, replace(ASKED, role="meta"))]

    assert [len(each.judgment.scores) for each in came if each] == [2, 1]


def test_a_sampled_request_is_given_a_seed() -> None:
    judge = FakeModelJudge(always(FIRST))
    asked = [
        ASKED,
        ASKED.resampled(1),
        replace(ASKED, seed=1),
        Comparison.of(example(id="other")),
    ]

    seeds = [request.seed for request in submitted(judge, *asked)]

    assert None not in seeds
    assert len(set(seeds)) == 4
    assert seeds == [request.seed for request in submitted(judge, *asked)]


@pytest.mark.parametrize(
    "request_",
    [Request((), temperature=1.0, seed=7), Request(()), Request((), "score")],
    ids=["seed of its own", "temperature 0", "score"],
)
def test_any_other_request_is_left_as_it_is(request_: Request) -> None:
    judge = Rendering(always(FIRST), request=request_)

    assert submitted(judge, ASKED) == [request_]


def test_keys_stay_what_they_are(tmp_path: Path) -> None:
    """Or all that users have stored is asked anew: a new field changes no key."""
    request = Request((Message("user", "which?"),), max_tokens=7)
    with RunStore(tmp_path / "store") as store:
        for temperature in (0.0, 1.0):
            asked = replace(request, temperature=temperature)
            answered(Rendering(always(FIRST), request=asked), FakeEngine(), store)

    assert sorted(row[0].hex() for row in rows(tmp_path / "store", "judgments")) == [
        "102f3cec8c835320b54a4f02a2f1e11b",
        "1b6d8496e5e90c779ea219cc98dbf796",
    ]


def test_completions_are_read_in_the_order_of_their_requests() -> None:
    def reply(request: Request) -> Completion:
        return Completion("verdict" if request.seed == 1 else "draft")

    for seed in range(6):
        engine = FakeEngine(reply, seed)
        answer = answered(TwoRequests(always(FIRST)), engine)

        assert answer.judgment.text == "draft then verdict"


def test_the_tokens_of_all_requests_are_counted() -> None:
    reply = Completion("text", prompt_tokens=10, completion_tokens=3)

    answer = answered(TwoRequests(always(FIRST)), FakeEngine(always(reply)))

    tokens = (answer.judgment.prompt_tokens, answer.judgment.completion_tokens)
    assert tokens == (20, 6)


def test_the_tokens_of_a_judgment_that_failed_are_counted() -> None:
    reply = Completion("text", prompt_tokens=10, completion_tokens=3)
    unreadable = always(Judgment.failed(Failure.UNPARSABLE))

    answer = answered(FakeModelJudge(unreadable), FakeEngine(always(reply)))

    tokens = (answer.judgment.prompt_tokens, answer.judgment.completion_tokens)
    assert tokens == (10, 3)


@pytest.mark.parametrize("judgment", [FIRST, Judgment.failed(Failure.UNPARSABLE)])
def test_a_judgment_carries_what_it_was_read_from(judgment: Judgment) -> None:
    def reply(request: Request) -> Completion:
        return Completion("verdict" if request.seed == 1 else "draft", (), None)

    answer = answered(TwoRequests(always(judgment)), FakeEngine(reply))

    assert answer.judgment.completions == (Completion("draft"), Completion("verdict"))


def test_a_judgment_that_no_engine_was_asked_for_was_read_from_nothing() -> None:
    made_up = replace(FIRST, completions=(Completion("no", prompt_tokens=7),))

    answer = answered(FakeJudge(always(made_up)))

    assert answer.judgment == FIRST
    assert answer.judgment.prompt_tokens == 0


@pytest.mark.parametrize(
    ("found", "failure"),
    [
        (Judgment.failed(Failure.UNPARSABLE, "cut off"), Failure.TRUNCATED),
        (Judgment.failed(Failure.REFUSED), Failure.REFUSED),
        (Judgment((1.0,)), Failure.INVALID_SCORE),
        (FIRST, None),
    ],
    ids=["unparsable", "refused", "invalid score", "readable"],
)
def test_a_reply_that_was_cut_and_cannot_be_read_is_truncated(
    found: Judgment, failure: Failure | None
) -> None:
    engine = FakeEngine(always(Completion("the begin", finish="length")))

    answer = answered(FakeModelJudge(always(found)), engine)

    assert answer.judgment.failure is failure
    if failure is Failure.TRUNCATED:
        assert answer.judgment.text == "cut off"


@pytest.mark.parametrize("engine", [FakeEngine, None])
def test_an_unreadable_reply_whose_thought_is_still_open_is_truncated(
    engine: type[FakeEngine] | None,
) -> None:
    """An engine may not know that the text was cut, and recorded texts have none."""
    thinking = "<think>first I"
    if engine:
        judge: FakeJudge = FakeModelJudge(always(Judgment.failed(Failure.UNPARSABLE)))
        answer = answered(judge, engine(always(Completion(thinking))))
    else:
        unreadable = Judgment.failed(Failure.UNPARSABLE, thinking)
        answer = answered(FakeJudge(always(unreadable)))

    assert answer.judgment.failure is Failure.TRUNCATED


def test_a_reply_that_ended_and_cannot_be_read_is_not_truncated() -> None:
    unreadable = always(Judgment.failed(Failure.UNPARSABLE))

    answer = answered(FakeModelJudge(unreadable), FakeEngine())

    assert answer.judgment.failure is Failure.UNPARSABLE


@pytest.mark.parametrize("failure", Failure)
def test_what_failed_in_the_engine_is_the_failure_of_the_judgment(
    failure: Failure,
) -> None:
    judge = FakeModelJudge(always(FIRST))
    reply = Completion("the beginning", failure=failure)

    answer = answered(judge, FakeEngine(always(reply)))

    told = Judgment.failed(failure, "the beginning")
    assert answer.judgment == replace(told, completions=(reply,))
    assert judge.asked == []


def test_one_failed_request_fails_the_judgment() -> None:
    def reply(request: Request) -> Completion:
        return Completion(failure=Failure.TOO_LONG if request.seed == 1 else None)

    answer = answered(TwoRequests(always(FIRST)), FakeEngine(reply))

    assert answer.judgment.failure is Failure.TOO_LONG


def test_an_error_in_the_judge_is_a_failure_that_names_it() -> None:
    def decide(_: Comparison) -> Judgment:
        raise KeyError("verdict")

    answer = answered(FakeJudge(decide))

    assert answer.judgment.failure is Failure.JUDGE_ERROR
    assert answer.judgment.text == "KeyError: 'verdict'"


def test_an_error_in_rendering_is_a_failure_that_names_it() -> None:
    answer = answered(Unrenderable(always(FIRST), error=IndexError("no response 3")))

    assert answer.judgment.failure is Failure.JUDGE_ERROR
    assert answer.judgment.text == "IndexError: no response 3"


def test_an_error_that_the_user_can_mend_ends_the_run() -> None:
    judge = Unrenderable(always(FIRST), error=TemplateError("template x is missing"))

    with pytest.raises(TemplateError, match="template x"):
        answered(judge)


@pytest.mark.parametrize("wrong", [None, "A", (1.0, 0.0)])
def test_what_is_no_judgment_is_a_failure(wrong: object) -> None:
    answer = answered(FakeJudge(always(wrong)))

    assert answer.judgment.failure is Failure.JUDGE_ERROR


@pytest.mark.parametrize(
    "scores",
    [
        (),
        (1.0,),
        (1.0, 0.0, 0.0),
        (float("nan"), 0.0),
        (0.0, float("inf")),
        (-float("inf"), 0.0),
        (1.0, None),
        ("high", "low"),
        (OVERFLOW, 0),
        None,
    ],
    ids=lambda scores: str(scores)[:20],
)
@pytest.mark.parametrize("judge", [FakeJudge, FakeModelJudge])
def test_scores_that_are_none_are_an_invalid_score(
    judge: type[FakeJudge], scores: Any
) -> None:
    answer = answered(judge(always(Judgment(scores, text="raw"))), FakeEngine())

    assert answer.judgment.failure is Failure.INVALID_SCORE
    assert answer.judgment.scores == ()
    assert "raw" in answer.judgment.text


def test_the_scores_of_a_failure_are_dropped() -> None:
    judgment = Judgment((1.0, 0.0), Failure.TRUNCATED)

    answer = answered(FakeJudge(always(judgment)))

    assert answer.judgment == Judgment.failed(Failure.TRUNCATED)


def test_a_meta_judgment_has_one_score() -> None:
    comparison = replace(ASKED, role="meta", critique="because")
    meta = Answers({"meta": Bench(FakeJudge(always(Judgment((0.5,)))))})

    answer = meta.ask(comparison, "waiter")

    assert answer is not None
    assert answer.judgment.scores == (0.5,)


@pytest.mark.parametrize(("responses", "allowed"), [(1, 0), (2, 1), (3, 1), (4, 0)])
def test_a_judge_is_not_shown_more_or_fewer_responses_than_it_takes(
    responses: int, allowed: int
) -> None:
    judge = Picky(always(Judgment((0.0,) * responses)))
    comparison = Comparison.of(example(responses))

    if allowed:
        assert answered(judge, comparison=comparison).judgment.failure is None
    else:
        with pytest.raises(SpecError, match=f"{responses} responses .* takes 2 to 3"):
            answered(judge, comparison=comparison)


def test_a_model_judge_without_an_engine_is_refused() -> None:
    with pytest.raises(SpecError, match="add --engine"):
        answered(FakeModelJudge(always(FIRST)))


def test_a_role_without_a_judge_is_refused() -> None:
    answers = Answers({"judge": Bench(FakeJudge(always(FIRST)))})

    with pytest.raises(SpecError, match=r"asks a meta judge .* add --meta-judge SPEC"):
        finished(answers, "sum-voting,k=2,meta=true")
    with pytest.raises(SpecError, match=r"asks a policy and .* add --policy SPEC"):
        finished(answers, "sampled,n=2")


def test_an_answer_to_no_question_is_the_fault_of_the_engine() -> None:
    with pytest.raises(EngineError, match="ticket -1"):
        answered(FakeModelJudge(always(FIRST)), Confused())


@pytest.mark.parametrize("engine", [FakeEngine, AllAtOnce])
def test_two_judges_can_share_an_engine(engine: type[FakeEngine]) -> None:
    shared = engine()
    answers = Answers(meta_benches(shared, shared))
    examples = [example(id=str(number)) for number in range(5)]

    done = finished(answers, "sum-voting,k=4,order=given,meta=true", examples)

    assert [each.outcome.scores for each in done] == [{0: 2.0, 1: 0.0}] * 5


@pytest.mark.parametrize("engine", [FakeEngine, AllAtOnce])
def test_two_judges_can_have_an_engine_each(engine: type[FakeEngine]) -> None:
    answers = Answers(meta_benches(engine(), engine()))
    examples = [example(id=str(number)) for number in range(5)]

    done = finished(answers, "sum-voting,k=4,order=given,meta=true", examples)

    assert [each.outcome.scores for each in done] == [{0: 2.0, 1: 0.0}] * 5


def test_a_stored_judgment_is_not_asked_again(tmp_path: Path) -> None:
    with RunStore(tmp_path / "store") as store:
        answered(FakeModelJudge(always(FIRST)), FakeEngine(), store)
        engine = FakeEngine()

        answer = answered(FakeModelJudge(always(FIRST)), engine, store)

    assert engine.answered == 0
    assert answer.judgment == replace(FIRST, completions=(Completion("done"),))
    assert (answer.first, answer.stored) == (True, True)


def test_a_stored_judgment_that_comes_up_again_is_not_the_first(tmp_path: Path) -> None:
    judge = FakeModelJudge(always(FIRST))
    with RunStore(tmp_path / "store") as store:
        answered(judge, FakeEngine(), store)
        answers = Answers({"judge": Bench(judge, FakeEngine())}, store)

        came = [answers.ask(ASKED, "waiter") for _ in range(2)]

    assert [each.first for each in came if each] == [True, False]


def test_a_stored_judgment_is_read_anew_by_a_mended_parser(tmp_path: Path) -> None:
    other = Judgment((0.0, 1.0), text="read anew")
    reply = Completion("[[B]]", prompt_tokens=10, completion_tokens=3)
    with RunStore(tmp_path / "store") as store:
        answered(FakeModelJudge(always(FIRST)), FakeEngine(always(reply)), store)

    engine = FakeEngine()
    with RunStore(tmp_path / "store") as store:
        answer = answered(FakeModelJudge(always(other)), engine, store)

    assert engine.answered == 0
    assert answer.stored
    assert answer.judgment == replace(other, completions=(reply,))
    assert (answer.judgment.prompt_tokens, answer.judgment.completion_tokens) == (10, 3)


def test_what_a_mended_parser_cannot_read_is_asked_again(tmp_path: Path) -> None:
    unreadable = always(Judgment.failed(Failure.UNPARSABLE))
    replies = [("A", ("A", "B")), ("B", ("B",)), ("B", ("B",))]
    came = []
    for reply, understood in replies:
        engine = FakeEngine(always(Completion(reply)))
        judge = Reader(unreadable, understood=understood)
        with RunStore(tmp_path / "store") as store:
            answer = answered(judge, engine, store)
        came.append((answer.judgment.text, answer.stored, engine.answered))

    assert came == [("A", False, 1), ("B", False, 1), ("B", True, 0)]


def test_a_judge_without_requests_decides_anew_what_is_stored(tmp_path: Path) -> None:
    other = Judgment((0.0, 1.0))
    with RunStore(tmp_path / "store") as store:
        answered(FakeJudge(always(FIRST)), None, store)

        answer = answered(FakeJudge(always(other)), None, store)

    assert (answer.judgment, answer.stored) == (other, True)


@pytest.mark.parametrize("judge", [FakeJudge, FakeModelJudge])
def test_a_failure_is_not_asked_again_in_the_same_run(
    tmp_path: Path, judge: type[FakeJudge]
) -> None:
    asked, engine = judge(always(Judgment.failed(Failure.REFUSED))), FakeEngine()
    examples = [example(id="same")] * 3

    with RunStore(tmp_path / "store") as store:
        answers = Answers({"judge": Bench(asked, engine)}, store)
        done = finished(answers, "single", examples)

    assert engine.answered == (judge is FakeModelJudge)
    assert [each.outcome.failure for each in done] == [Failure.REFUSED] * 3


def test_a_failure_is_asked_again_in_the_next_run(tmp_path: Path) -> None:
    for judgment in (Judgment.failed(Failure.ENGINE_ERROR), FIRST):
        with RunStore(tmp_path / "store") as store:
            answer = answered(FakeModelJudge(always(judgment)), FakeEngine(), store)

    assert answer.judgment.scores == FIRST.scores
    assert (answer.first, answer.stored) == (True, False)


def test_what_is_known_is_on_disk_before_an_engine_is_waited_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store"
    held: list[int] = []

    @dataclass
    class Watching(AllAtOnce):
        """An engine that looks at the disk whenever it is waited for."""

        def collect(self) -> list[tuple[int, Completion]]:
            held.append(len(rows(path, "judgments")))
            return super().collect()

    with RunStore(path) as store:
        judge = FakeModelJudge(always(FIRST))
        answers = Answers({"judge": Bench(judge, Watching())}, store)
        for burst in range(3):
            for sample in range(burst * 10, burst * 10 + 10):
                answers.ask(ASKED.resampled(sample), sample)
            list(answers.collect())

    assert held == [0, 10, 20]


def test_another_judge_or_engine_is_another_question(tmp_path: Path) -> None:
    class Other(FakeModelJudge):
        identity = "other"

    class Quantized(FakeEngine):
        identity = "quantized"

    asked = []
    for judge, engine in (
        (FakeModelJudge, FakeEngine),
        (Other, FakeEngine),
        (FakeModelJudge, Quantized),
    ):
        with RunStore(tmp_path / "store") as store:
            answer = answered(judge(always(FIRST)), engine(), store)
        asked.append(answer.stored)

    assert not any(asked)
    assert len(rows(tmp_path / "store", "judgments")) == 3


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, order=(1, 0)),
        replace(ASKED, sample=1),
        replace(ASKED, seed=1),
        replace(ASKED, critique="why"),
        Comparison.of(example(id="other")),
        Comparison.of(replace(ASKED.example, prompt=(Message("user", "else"),))),
        Comparison.of(replace(ASKED.example, responses=("response 0", "changed"))),
        Comparison.of(replace(ASKED.example, correct=(1,))),
        Comparison.of(replace(ASKED.example, metadata={"level": 2})),
    ],
    ids=[
        "order",
        "sample",
        "seed",
        "critique",
        "id",
        "prompt",
        "responses",
        "correct",
        "metadata",
    ],
)
def test_a_judge_without_requests_is_asked_anew_when_anything_differs(
    other: Comparison,
) -> None:
    answers = Answers({"judge": Bench(FakeJudge(always(FIRST)))})

    came = [answers.ask(each, "waiter") for each in (ASKED, ASKED, other)]

    assert [each.first for each in came if each] == [True, False, True]


def test_a_pointwise_judge_is_asked_once_for_each_response_of_a_round_robin() -> None:
    engine = FakeEngine()
    judge = Pointwise(lambda shown: Judgment((float(shown.order[0]),)))

    (done,) = finished(Answers({"judge": Bench(judge, engine)}), "elo", [example(8)])

    assert engine.answered == 8
    assert done.outcome.winners == (7,)
    assert len(done.judged) == 28


def test_a_pointwise_judge_is_asked_once_for_each_response_of_a_knockout(
    tmp_path: Path,
) -> None:
    engine = FakeEngine()
    judge = Pointwise(lambda shown: Judgment((float(shown.order[0]),)))

    with RunStore(tmp_path / "store") as store:
        answers = Answers({"judge": Bench(judge, engine)}, store)
        (done,) = finished(answers, "knockout", [example(9)])

    assert engine.answered == 9
    assert done.outcome.winners == (8,)


def test_a_pointwise_judge_that_fails_on_a_response_fails_the_comparison() -> None:
    def decide(shown: Comparison) -> Judgment:
        failed = Judgment.failed(Failure.TOO_LONG)
        return failed if shown.order == (1,) else Judgment((3.0,))

    (done,) = finished(Answers({"judge": Bench(Pointwise(decide), FakeEngine())}))

    assert done.outcome.failure is Failure.TOO_LONG
    assert done.outcome.scores == {}


def test_a_pointwise_meta_judge_is_asked_about_the_whole_critique() -> None:
    meta = Pointwise(always(Judgment((0.5,))))
    benches = {
        "judge": Bench(FakeModelJudge(always(FIRST)), FakeEngine()),
        "meta": Bench(meta, FakeEngine()),
    }

    finished(Answers(benches), "sum-voting,k=1,order=given,meta=true")

    assert [asked.order for asked in meta.asked] == [(0, 1)]


def test_a_policy_that_makes_requests_is_one_with_the_judge_of_its_name() -> None:
    bench = Bench(OneQuestion(always(FIRST)), FakeEngine())
    answers = Answers({"judge": bench, "policy": bench})

    for role in ("judge", "policy"):
        answers.ask(replace(ASKED, role=role), role)

    assert answers.outstanding == 1


def test_a_policy_without_requests_answers_as_the_policy() -> None:
    judge = FakeJudge(always(FIRST))
    answers = Answers({"judge": Bench(judge), "policy": Bench(judge)})

    for role in ("judge", "policy"):
        answers.ask(replace(ASKED, role=role), role)

    assert [asked.role for asked in judge.asked] == ["judge", "policy"]


class OneQuestion(FakeModelJudge):
    """A judge whose request does not tell in which role it is asked."""

    def render(self, comparison: Comparison) -> Sequence[Request]:
        return [Request((Message("user", "which?"),), temperature=1.0)]


def test_outstanding_tells_how_many_requests_the_engines_owe() -> None:
    answers = Answers({"judge": Bench(TwoRequests(always(FIRST)), FakeEngine())})

    def states() -> Iterator[int]:
        yield answers.outstanding
        answers.ask(ASKED, "waiter")
        answers.ask(ASKED, "another")
        yield answers.outstanding
        while answers.outstanding:
            list(answers.collect())
            yield answers.outstanding

    assert list(states()) == [0, 2, 1, 0]


@pytest.mark.parametrize("at", ["submit", "collect", "after an answer"])
def test_an_error_in_the_engine_is_told_as_one(at: str) -> None:
    with pytest.raises(
        EngineError, match=r"the engine failed \(RuntimeError: no driver\)"
    ) as told:
        answered(FakeModelJudge(always(FIRST)), Broken(at=at))

    assert isinstance(told.value.__cause__, RuntimeError)


@pytest.mark.parametrize("at", ["submit", "collect"])
def test_an_engine_may_say_itself_what_is_to_be_mended(at: str) -> None:
    engine = Broken(error=EngineError("give a smaller batch"), at=at)

    with pytest.raises(EngineError, match=r"^give a smaller batch$"):
        answered(FakeModelJudge(always(FIRST)), engine)


def test_a_request_that_two_comparisons_share_is_read_for_each(tmp_path: Path) -> None:
    def said(shown: Comparison) -> Judgment:
        return Judgment(tuple(float(index == 0) for index in shown.order))

    @dataclass
    class SameWords(FakeModelJudge):
        """Renders both orders alike and knows which is which when it reads."""

        identity = "same words"

        def render(self, comparison: Comparison) -> Sequence[Request]:
            return [Request((Message("user", comparison.example.id),))]

    def outcomes() -> list[Outcome]:
        judge = SameWords(said, temperature=0.0)
        with RunStore(tmp_path / "store") as store:
            answers = Answers({"judge": Bench(judge, FakeEngine())}, store)
            done = finished(answers, "both-orders", [example(id=str(i)) for i in "ab"])
            return [each.outcome for each in done]

    fresh, resumed = outcomes(), outcomes()

    assert [each.winners for each in fresh] == [(0,), (0,)]
    assert fresh == resumed


@dataclass
class Deaf(FakeEngine):
    """An engine that cannot take a request back."""

    def cancel(self, ticket: int) -> None:
        pass


@pytest.mark.parametrize("kind", [FakeEngine, Deaf])
def test_what_an_earlier_run_left_on_the_engine_answers_nothing_in_the_next(
    kind: type[FakeEngine],
) -> None:
    engine = kind(lambda request: Completion(request.messages[0].content))
    earlier, later = (
        Answers({"judge": Bench(Reader(lambda _: FIRST), engine)}) for _ in range(2)
    )
    earlier.ask(Comparison.of(example(id="left")), "earlier")
    earlier.release()

    later.ask(Comparison.of(example(id="mine")), "later")
    found = []
    while not found:
        found = list(later.collect())

    ((waiter, answer),) = found
    assert waiter == "later"
    assert answer.judgment.completions[0].text.startswith("mine")


def test_releasing_takes_everything_from_the_engine() -> None:
    engine = FakeEngine()
    asked = Answers({"judge": Bench(FakeModelJudge(lambda _: FIRST), engine)})
    for name in "abc":
        asked.ask(Comparison.of(example(id=name)), name)

    asked.release()

    assert (engine.waiting, asked.outstanding) == ({}, 0)


def test_what_does_not_render_fails_once_however_often_it_is_asked() -> None:
    answers = Answers({"judge": Bench(Unrenderable(always(FIRST)))}, None, 2)

    said = [answers.ask(ASKED, None) for _ in range(3)]

    assert [each.first for each in said if each] == [True, False, False]


@pytest.mark.parametrize(
    "completion",
    [
        Completion("x", scores=(numpy.float32(0.5),)),
        Completion("x", prompt_tokens=numpy.int64(7)),
        Completion("x", logprobs={"A": numpy.float64(-0.5)}),
        Completion("x", attributes={"helpful": numpy.float32(0.5)}),
    ],
)
def test_numbers_of_another_library_are_kept_as_pythons(
    completion: Completion, tmp_path: Path
) -> None:
    judge = FakeModelJudge(always(FIRST))
    bench = Bench(judge, FakeEngine(lambda _: completion))
    with RunStore(tmp_path / "store") as store:
        (done,) = play_all(
            [example()], build("single"), Answers({"judge": bench}, store)
        )
        store.commit()
        again = Answers({"judge": bench}, store).ask(ASKED, None)

    assert again is not None
    assert again.stored
    assert again.judgment == done.judged[0][1]


@pytest.mark.parametrize(
    "completion", [Completion(None), Completion("x", prompt_tokens="many")]
)
def test_a_completion_that_is_none_is_the_fault_of_the_engine(
    completion: Completion,
) -> None:
    bench = Bench(FakeModelJudge(always(FIRST)), FakeEngine(lambda _: completion))

    with pytest.raises(EngineError, match="fault of the engine's plugin"):
        [*play_all([example()], build("single"), Answers({"judge": bench}))]


def test_a_judgment_s_text_is_a_text() -> None:
    judge = FakeJudge(always(Judgment((1.0, 0.0), text=None)))

    answer = Answers({"judge": Bench(judge)}).ask(ASKED, None)

    assert answer is not None
    assert answer.judgment.text == "None"
