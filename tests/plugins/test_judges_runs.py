"""Whole runs of each shape of judge, on an engine that looks for the better text."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rrm_harness import Completion, Failure, Request, evaluate
from rrm_harness.result import Result
from rrm_harness.testing import FakeEngine

Run = Callable[..., Result]
GOOD = re.compile(r"a good answer to \d")
TEXTS = re.compile(r"a (?:good|bad) answer to \d")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Judge twelve pairs whose better response says that it is good."""
    rows = [
        {
            "id": f"q{number}",
            "prompt": f"question {number}",
            "chosen": f"a good answer to {number}",
            "rejected": f"a bad answer to {number}",
        }
        for number in range(12)
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def judged(
        judge: str, reply: Callable[[Request], Completion], **options: str
    ) -> Result:
        data = f"jsonl,path={file}"
        engine = FakeEngine(reply)
        meta = FakeEngine(reply) if "meta_judge" in options else None
        return evaluate(
            judge, data, engine=engine, meta_engine=meta, baselines=False, **options
        )

    return judged


def shown(request: Request) -> list[bool]:
    """Whether each response that a prompt shows is the good one, in its order."""
    text = request.messages[-1].content
    return [bool(GOOD.fullmatch(each)) for each in TEXTS.findall(text)]


def letter(request: Request) -> str:
    return "AB"[shown(request).index(True)]


PAIRS: list[tuple[str, Callable[[Request], str]]] = [
    ("rrm", lambda r: f"</think>\\boxed{{Assistant {shown(r).index(True) + 1}}}"),
    ("j1", lambda r: f"</think><answer> [[{letter(r)}]] </answer>"),
    ("llm", lambda r: f"[[{letter(r)}]]"),
    ("rm-r1", lambda r: f"<answer>[[{letter(r)}]]</answer>"),
    ("prometheus", lambda r: f"[RESULT] {letter(r)}"),
    ("judgelm", lambda r: " ".join(str(2 + 6 * good) for good in shown(r))),
    ("grm", lambda r: f"\\boxed{{{', '.join(str(2 + 6 * g) for g in shown(r))}}}"),
    ("compass", lambda r: f'{{"Choice": "Model {letter(r)}"}}'),
]


@pytest.mark.parametrize(("name", "reply"), PAIRS, ids=[name for name, _ in PAIRS])
@pytest.mark.parametrize("strategy", ["single,order=seeded", "both-orders"])
def test_a_judge_of_pairs_finds_the_better_response(
    run: Run, name: str, reply: Callable[[Request], str], strategy: str
) -> None:
    result = run(
        f"{name},model=x", lambda request: Completion(reply(request)), strategy=strategy
    )

    assert (result.accuracy, result.results["failures"]) == (1.0, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("j1,mode=pointwise", "<score>{}</score>"),
        ("llm,mode=rating", "[[{}]]"),
        ("prometheus,mode=absolute", "[RESULT] {}"),
    ],
)
@pytest.mark.parametrize("strategy", ["single", "best-of-n", "elo"])
def test_a_judge_of_single_responses_finds_the_better_one(
    run: Run, name: str, text: str, strategy: str
) -> None:
    def reply(request: Request) -> Completion:
        (good,) = shown(request)
        return Completion(text.format(5 if good else 2))

    result = run(f"{name},model=x", reply, strategy=strategy)

    assert (result.accuracy, result.results["failures"]) == (1.0, {})


@pytest.mark.parametrize("strategy", ["single", "knockout", "best-of-n"])
def test_a_reward_model_finds_the_better_response(run: Run, strategy: str) -> None:
    def reply(request: Request) -> Completion:
        assert request.kind == "score"
        return Completion(scores=(20.5 if shown(request) == [True] else 18.0,))

    result = run("sequence-classifier,model=x", reply, strategy=strategy)

    assert result.accuracy == 1.0


def test_probabilities_find_the_better_response(run: Run) -> None:
    def reply(request: Request) -> Completion:
        better = letter(request)
        return Completion(better, logprobs={better: -0.2, "BA"["AB".index(better)]: -2})

    result = run("llm,model=x,verdict=probabilities", reply, strategy="both-orders")

    assert result.accuracy == 1.0


def test_a_pair_ranker_finds_the_better_response(run: Run) -> None:
    def reply(request: Request) -> Completion:
        candidates = [each.content for each in request.messages[-2:]]
        return Completion(
            scores=tuple(float(bool(GOOD.search(each))) for each in candidates)
        )

    result = run("pairrm,model=x", reply, strategy="both-orders")

    assert result.accuracy == 1.0


def test_the_meta_judge_keeps_the_critiques_that_are_right(run: Run) -> None:
    def reply(request: Request) -> Completion:
        """Half of the critiques are wrong; their meta scores say so."""
        if request.kind == "score":
            scores = re.findall(r"\d+", request.messages[-1].content)
            user = Request(request.messages[:1])
            right = [score == "3" for score in scores] == shown(user)
            return Completion(scores=(float(right),))
        assert request.seed is not None
        numbers = [3 if good else 2 for good in shown(request)]
        if request.seed % 2:
            numbers = [9 if number == 2 else 1 for number in numbers]
        return Completion(f"\\boxed{{{numbers[0]}, {numbers[1]}}}")

    plain = run("grm,model=x", reply, strategy="sum-voting,k=8")
    meta = run(
        "grm,model=x",
        reply,
        strategy="sum-voting,k=8,meta=true,keep=1",
        meta_judge="grm-meta,model=y",
    )

    assert plain.accuracy is not None
    assert plain.accuracy < 0.5
    assert meta.accuracy == 1.0


def test_a_reply_that_was_cut_is_truncated_and_not_unparsable(run: Run) -> None:
    result = run("rrm,model=x", lambda _: Completion("still thinking", finish="length"))

    assert result.results["failures"] == {Failure.TRUNCATED: 12}


def test_the_manifest_names_the_models(run: Run) -> None:
    result = run("rrm,size=32b", lambda _: Completion(""))

    assert result.results["manifest"]["models"]["judge"] == {
        "id": "Reward-Reasoning/RRM-32B",
        "licence": "none declared",
    }
