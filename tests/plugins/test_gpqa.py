"""GPQA: the published rows, and what a policy's samples are worth."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    BadRow,
    Comparison,
    Dataset,
    Example,
    Failure,
    Judgment,
    Message,
    evaluate,
    host,
)
from rrm_harness.testing import FakeJudge, play

Answer = int | Failure
"""The place of a sample's choice, or why it has none."""
ANSWERS = st.integers(0, 3) | st.sampled_from([Failure.TRUNCATED, Failure.UNPARSABLE])
QUESTION = Example("q", (Message("user", "Why?"),), ("w", "x", "y", "z"), (2,))
TEXTS = ("right", "wrong 1", "wrong 2", "wrong 3")


def published(number: int = 0, **changed: object) -> dict[str, object]:
    row = {
        "Record ID": f"rec{number}",
        "Question": f"What is {number}?\n",
        "Correct Answer": " right\n",
        "Incorrect Answer 1": "wrong 1",
        "Incorrect Answer 2": "wrong 2",
        "Incorrect Answer 3": "wrong 3",
    } | changed
    return {name: value for name, value in row.items() if value is not None}


def gpqa(**options: Any) -> Dataset:
    dataset: Dataset = host.default().lookup("datasets", "gpqa").thing(**options)
    return dataset


def write(folder: Path, *rows: dict[str, object]) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def load(folder: Path, *rows: dict[str, object]) -> list[Example | BadRow]:
    return list(gpqa(path=write(folder, *rows)).examples())


def only(folder: Path, **changed: object) -> Example:
    (example,) = load(folder, published(**changed))
    assert isinstance(example, Example)
    return example


def judged(answer: Answer) -> Judgment:
    if isinstance(answer, Failure):
        return Judgment.failed(answer)
    return Judgment(tuple(float(place == answer) for place in range(4)))


def scored(answers: Sequence[Answer], strategy: str = "") -> Any:
    """The row of one question whose sample i is the answer i."""
    playing = host.default().build(
        "strategies", strategy or f"repeated,k={len(answers)}"
    )
    outcome = play(playing, QUESTION, lambda asked: judged(answers[asked.sample]))
    return gpqa().rule.row(QUESTION, outcome)


def extra(*samples: Sequence[Answer]) -> dict[str, float]:
    found: dict[str, float] = gpqa().rule.extra([scored(each) for each in samples])
    return found


def test_a_row_becomes_a_question_with_its_four_choices(tmp_path: Path) -> None:
    example = only(tmp_path)

    assert example.id == "rec0"
    assert example.prompt == (Message("user", "What is 0?"),)
    assert sorted(example.responses) == sorted(TEXTS)
    assert [example.responses[place] for place in example.correct] == ["right"]
    assert example.subset == "all"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_kind_of_file_has_the_same_questions(tmp_path: Path, suffix: str) -> None:
    rows = [published(each) for each in range(5)]
    path = tmp_path / f"questions.{suffix}"
    if suffix == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)

    assert list(gpqa(path=path).examples()) == load(tmp_path, *rows)


def test_the_domain_is_the_subset(tmp_path: Path) -> None:
    assert only(tmp_path, **{"High-level domain": "Physics"}).subset == "Physics"


@pytest.mark.parametrize("missing", [None, ""])
def test_a_row_without_an_id_is_known_by_its_question(
    tmp_path: Path, missing: str | None
) -> None:
    one, other = (
        only(tmp_path, **{"Record ID": missing, "Question": text}).id
        for text in ("Why?", "How?")
    )

    assert one != other
    assert only(tmp_path, **{"Record ID": missing, "Question": "Why?"}).id == one


@pytest.mark.parametrize(
    "field",
    ["Question", "Correct Answer", *(f"Incorrect Answer {n}" for n in (1, 2, 3))],
)
@pytest.mark.parametrize("value", [None, " "])
def test_a_missing_field_is_named(
    tmp_path: Path, field: str, value: str | None
) -> None:
    (row,) = load(tmp_path, published(**{field: value}))

    assert isinstance(row, BadRow)
    assert f"field '{field}'" in row.problem


def test_of_two_equal_choices_the_right_one_is_known_by_its_place(
    tmp_path: Path,
) -> None:
    twins = [
        only(tmp_path, Question=f"{n}?", **{"Incorrect Answer 1": "right"})
        for n in range(40)
    ]

    assert all(each.responses.count("right") == 2 for each in twins)
    assert all(len(each.correct) == 1 for each in twins)
    firsts = {each.responses.index("right") == each.correct[0] for each in twins}
    assert firsts == {True, False}


def test_the_right_choice_stands_in_every_place_about_as_often(tmp_path: Path) -> None:
    examples = load(tmp_path, *map(published, range(400)))

    places = Counter(each.correct for each in examples if isinstance(each, Example))
    assert set(places) == {(0,), (1,), (2,), (3,)}
    assert min(places.values()) > 70


def test_the_order_of_the_choices_is_the_questions_and_not_the_ids(
    tmp_path: Path,
) -> None:
    names = [only(tmp_path, **{"Record ID": name}) for name in ("a", "b", "c")]
    texts = [only(tmp_path, Question=f"{number}?") for number in range(20)]

    assert len({each.responses for each in names}) == 1
    assert len({each.responses for each in texts}) > 5


@pytest.mark.parametrize("hash_seed", ["1", "random"])
def test_a_fresh_process_shows_the_choices_in_the_same_order(
    tmp_path: Path, hash_seed: str
) -> None:
    path = write(tmp_path, *map(published, range(5)))
    code = (
        "from rrm_harness import host;"
        f"data = host.default().build('datasets', 'gpqa,path={path}');"
        "print([each.responses for each in data.examples()])"
    )

    fresh = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )

    here = [
        each.responses
        for each in load(tmp_path, *map(published, range(5)))
        if isinstance(each, Example)
    ]
    assert fresh.stdout.strip() == repr(here)


def run(folder: Path, decide: Callable[[Comparison], Judgment], **options: Any) -> Any:
    """The results of a policy on forty questions."""
    path = write(folder, *map(published, range(40)))
    judge = FakeJudge(decide)
    return evaluate(judge, f"gpqa,path={path}", baselines=False, **options).results


def test_the_seed_changes_no_order(tmp_path: Path) -> None:
    shown = [[], []]  # type: list[list[tuple[str, ...]]]
    for seed, seen in enumerate(shown):

        def decide(asked: Comparison, seen: list[Any] = seen) -> Judgment:
            seen.append(asked.responses)
            return judged(0)

        run(tmp_path, decide, seed=seed)

    assert shown[0] == shown[1]


def test_four_samples_are_the_protocol() -> None:
    assert gpqa().protocol == "repeated,k=4"


def test_a_policy_that_knows_is_always_right(tmp_path: Path) -> None:
    found = run(tmp_path, lambda asked: judged(asked.responses.index("right")))

    assert found["accuracy"] == 1.0
    assert found["bounds"] == [1.0, 1.0]
    assert found["extra"] == {"pass@1": 1, "maj@k": 1, "oracle@k": 1, "unfinished": 0}


@pytest.mark.parametrize("letter", range(4))
def test_a_policy_that_always_says_one_letter_is_right_where_that_is(
    tmp_path: Path, letter: int
) -> None:
    found = run(tmp_path, lambda _: judged(letter))

    examples = load(tmp_path, *map(published, range(40)))
    right = sum(
        isinstance(each, Example) and each.correct == (letter,) for each in examples
    )
    assert found["accuracy"] == found["extra"]["oracle@k"] == right / 40


def test_a_few_samples_by_hand() -> None:
    """Of four: three right; a tie; one right of a majority elsewhere; none read."""
    cut = Failure.TRUNCATED

    found = extra([2, 2, 2, 0], [2, 0, cut, cut], [2, 1, 1, 1], [cut] * 4)

    assert found == {
        "pass@1": (3 / 4 + 1 / 4 + 1 / 4 + 0) / 4,
        "maj@k": (1 + 1 / 2 + 0 + 0) / 4,
        "oracle@k": 3 / 4,
        "unfinished": (0 + 2 + 0 + 4) / 16,
    }


def test_only_what_was_cut_short_is_unfinished() -> None:
    found = extra([Failure.TRUNCATED, Failure.UNPARSABLE, Failure.REFUSED, 2])

    assert found["unfinished"] == 1 / 4


@given(answers=st.lists(ANSWERS, min_size=1, max_size=9))
def test_the_numbers_are_those_of_counting(answers: list[Answer]) -> None:
    given_answers = [each for each in answers if not isinstance(each, Failure)]
    counts = Counter(given_answers)
    leaders = [each for each in counts if counts[each] == max(counts.values())]

    row = scored(answers)

    values = row.values
    assert row.credit == values["pass@1"] == pytest.approx(counts[2] / len(answers))
    assert values["maj@k"] == (1 / len(leaders) if 2 in leaders else 0)
    assert values["oracle@k"] == float(2 in given_answers)
    assert values["unfinished"] == answers.count(Failure.TRUNCATED) / len(answers)


@given(answers=st.lists(ANSWERS, min_size=1, max_size=9))
def test_the_bounds_are_the_failed_samples_wrong_or_right(
    answers: list[Answer],
) -> None:
    wrong, right = (
        [other if isinstance(each, Failure) else each for each in answers]
        for other in (0, 2)
    )

    row = scored(answers)

    assert row.low == pytest.approx(scored(wrong).credit)
    assert row.high == pytest.approx(scored(right).credit)


@given(answers=st.lists(ANSWERS, min_size=1, max_size=9))
def test_a_vote_is_worth_the_majority(answers: list[Answer]) -> None:
    vote = scored(answers, f"voting,k={len(answers)},stop=none")

    assert vote.credit == scored(answers).values["maj@k"]


@pytest.mark.parametrize(("answer", "credit"), [(2, 1), (0, 0), (Failure.REFUSED, 0)])
def test_a_single_answer_is_right_or_wrong(answer: Answer, credit: float) -> None:
    row = scored([answer], "single")

    assert (row.credit, row.values) == (credit, {})


def test_what_one_choice_scores_beyond_the_others_does_not_count() -> None:
    def decide(_: Comparison) -> Judgment:
        return Judgment((700.0, 200.0, 300.0, 400.0))

    outcome = play(host.default().build("strategies", "single"), QUESTION, decide)

    assert gpqa().rule.credit(QUESTION, outcome) == 0.0


def test_the_headline_is_the_mean_over_questions(tmp_path: Path) -> None:
    rows = [published(0, **{"High-level domain": "Physics"})]
    rows += [published(n, **{"High-level domain": "Biology"}) for n in (1, 2)]
    path = write(tmp_path, *rows)
    knows_physics = FakeJudge(
        lambda asked: judged(
            (asked.responses.index("right") + (asked.example.subset != "Physics")) % 4
        )
    )

    found = evaluate(knows_physics, f"gpqa,path={path}", baselines=False).results

    assert found["accuracy"] == pytest.approx(1 / 3)
    assert {name: part["accuracy"] for name, part in found["subsets"].items()} == {
        "Biology": 0.0,
        "Physics": 1.0,
    }


def test_a_judge_that_draws_its_answers_is_near_chance(tmp_path: Path) -> None:
    path = write(tmp_path, *map(published, range(100)))

    result = evaluate("first", f"gpqa,path={path}")

    assert result.results["baselines"]["random"] == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize("token", ["", "hf_of_nobody"])
def test_a_gated_set_says_how_to_get_in(tmp_path: Path, token: str) -> None:
    command = Path(sys.executable).with_name("rrm-harness")
    options = ["--judge=first", "--dataset=gpqa", "--output", tmp_path / "run"]
    unset = {"HUGGING_FACE_HUB_TOKEN", "HF_HUB_CACHE", "HF_DATASETS_CACHE"}
    environment = {
        **{name: value for name, value in os.environ.items() if name not in unset},
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": token,
    }

    done = subprocess.run(
        [command, "run", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert (
        "it is gated, so accept its terms at"
        " https://huggingface.co/datasets/Idavidrein/gpqa and set HF_TOKEN, or give a"
        " copy with path=FILE"
    ) in done.stderr
    assert ("without a token" in done.stderr) == (not token)
