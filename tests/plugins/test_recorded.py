"""Recorded judgments: found by example, order and sample, and never made up."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    DataError,
    Example,
    Failure,
    Judge,
    Judgment,
    SpecError,
    evaluate,
    host,
)

ASKED = Comparison.of(Example("x", (), ("a", "b", "c"), (0,)))
PAIR = ASKED.only(0, 1)


def entry(**changed: Any) -> dict[str, Any]:
    return {"example": "x", "order": [0, 1], "scores": [1, 0], **changed}


def judge(path: Path, **options: Any) -> Judge:
    plugin = host.default().lookup("judges", "recorded")
    built: Judge = plugin.thing(path=path, **options)
    return built


def write(path: Path, *entries: Any) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in entries))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "replies.jsonl"


def ask(file: Path, comparison: Comparison, *entries: Any, **options: Any) -> Judgment:
    return judge(write(file, *entries), **options).parse(comparison, ())


def test_scores_come_back_as_they_were_recorded(file: Path) -> None:
    assert ask(file, PAIR, entry(scores=[0.25, -3])) == Judgment((0.25, -3.0))


def test_a_text_is_read_by_the_parser(file: Path) -> None:
    recorded = {"example": "x", "order": [0, 1], "text": "so: [[B]]"}

    found = ask(file, PAIR, recorded, parser="mt-bench")

    assert found == Judgment((0.0, 1.0), None, "so: [[B]]")


def test_a_text_that_the_parser_cannot_read_is_unparsable(file: Path) -> None:
    recorded = {"example": "x", "order": [0, 1], "text": "both are fine"}

    found = ask(file, PAIR, recorded, parser="mt-bench")

    assert found == Judgment.failed(Failure.UNPARSABLE, "both are fine")


def test_scores_count_more_than_a_text(file: Path) -> None:
    found = ask(file, PAIR, entry(text="[[B]]"), parser="mt-bench")

    assert found.scores == (1.0, 0.0)


def test_scores_that_are_null_are_unparsable(file: Path) -> None:
    assert ask(file, PAIR, entry(scores=None)).failure == Failure.UNPARSABLE


@pytest.mark.parametrize("failure", list(Failure))
def test_a_recorded_failure_stays_that_failure(file: Path, failure: Failure) -> None:
    recorded = {"example": "x", "order": [0, 1], "failure": failure, "text": "why"}

    assert ask(file, PAIR, recorded) == Judgment.failed(failure, "why")


@pytest.mark.parametrize(
    "asked",
    [
        PAIR.reversed(),
        PAIR.resampled(1),
        ASKED.only(0, 2),
        ASKED,
        Comparison.of(Example("y", (), ("a", "b"), (0,))),
    ],
)
def test_another_order_sample_or_example_is_not_recorded(
    file: Path, asked: Comparison
) -> None:
    found = ask(file, asked, entry())

    assert found.failure == Failure.NOT_RECORDED
    shown = f"order {list(asked.order)}, sample {asked.sample}"
    assert found.text == f"{shown} is not in the file"


def test_samples_are_told_apart(file: Path) -> None:
    entries = [entry(), entry(sample=1, scores=[0, 1])]

    assert ask(file, PAIR, *entries).scores == (1.0, 0.0)
    assert ask(file, PAIR.resampled(1), *entries).scores == (0.0, 1.0)


def test_an_examples_id_may_be_a_number(file: Path) -> None:
    asked = Comparison.of(Example("7", (), ("a", "b"), (0,)))

    assert ask(file, asked, entry(example=7)).scores == (1.0, 0.0)


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_any_order_permutes_the_scores_to_the_order_asked(
    tmp_path_factory: pytest.TempPathFactory, recorded: list[int], asked: list[int]
) -> None:
    file = tmp_path_factory.mktemp("recorded") / "replies.jsonl"
    comparison = Comparison.of(Example("x", (), ("a", "b", "c", "d"), (0,)))
    by_response = [10.0, 11.0, 12.0, 13.0]
    scores = [by_response[index] for index in recorded]

    found = ask(
        file,
        comparison.only(*asked),
        entry(order=recorded, scores=scores),
        any_order=True,
    )

    assert found.scores == tuple(by_response[index] for index in asked)


def test_any_order_prefers_the_order_that_was_recorded(file: Path) -> None:
    entries = [entry(), entry(order=[1, 0], scores=[0.3, 0.7])]

    found = ask(file, PAIR.reversed(), *entries, any_order=True)

    assert found.scores == (0.3, 0.7)


def test_any_order_does_not_mix_samples(file: Path) -> None:
    found = ask(file, PAIR.reversed().resampled(1), entry(), any_order=True)

    assert found.failure == Failure.NOT_RECORDED


def test_any_order_does_not_answer_for_other_responses(file: Path) -> None:
    found = ask(file, ASKED.only(0, 2), entry(), any_order=True)

    assert found.failure == Failure.NOT_RECORDED


META = replace(ASKED, role="meta", critique="well reasoned")


def test_a_meta_judges_one_score_is_told_apart_from_the_judges(file: Path) -> None:
    entries = [
        entry(order=[0, 1, 2], scores=[1, 2, 3]),
        entry(order=[0, 1, 2], role="meta", scores=[0.75]),
    ]

    assert ask(file, ASKED, *entries).scores == (1.0, 2.0, 3.0)
    assert ask(file, META, *entries).scores == (0.75,)


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [
        (META, entry(order=[0, 1, 2], scores=[1, 2, 3])),
        (ASKED, entry(order=[0, 1, 2], role="meta", scores=[1])),
    ],
)
@pytest.mark.parametrize("any_order", [False, True])
def test_one_role_does_not_answer_for_the_other(
    file: Path, asked: Comparison, recorded: dict[str, Any], any_order: bool
) -> None:
    found = ask(file, asked, recorded, any_order=any_order)

    assert found.failure == Failure.NOT_RECORDED


def test_a_meta_judges_text_is_read_as_one_score(file: Path) -> None:
    recorded = entry(order=[0, 1, 2], role="meta", text="4")
    del recorded["scores"]

    assert ask(file, META, recorded, parser="rating").scores == (4.0,)


def test_any_order_leaves_a_meta_judges_score_as_it_is(file: Path) -> None:
    recorded = entry(order=[2, 0, 1], role="meta", scores=[0.25])

    assert ask(file, META, recorded, any_order=True).scores == (0.25,)


POLICY = replace(ASKED, role="policy")


def test_a_policys_answer_is_told_apart_from_the_judges_verdict(file: Path) -> None:
    entries = [
        entry(order=[0, 1, 2], scores=[1, 2, 3]),
        entry(order=[0, 1, 2], role="policy", scores=[0, 1, 0]),
    ]

    assert ask(file, ASKED, *entries).scores == (1.0, 2.0, 3.0)
    assert ask(file, POLICY, *entries).scores == (0.0, 1.0, 0.0)


def test_a_policys_text_is_read_over_the_choices_shown(file: Path) -> None:
    recorded = entry(order=[2, 0, 1], role="policy", text="so \\boxed{C}")
    del recorded["scores"]
    shown = replace(POLICY, order=(2, 0, 1))

    found = ask(file, shown, recorded, parser="boxed-letter")

    assert (found.scores, found.text) == ((0.0, 0.0, 1.0), "so \\boxed{C}")


def test_any_order_permutes_a_policys_scores(file: Path) -> None:
    recorded = entry(order=[2, 0, 1], role="policy", scores=[1, 0, 0])

    assert ask(file, POLICY, recorded, any_order=True).scores == (0.0, 0.0, 1.0)


def test_recorded_critiques_choose_what_sum_voting_keeps(
    tmp_path: Path, file: Path
) -> None:
    row = {"id": "x", "prompt": "q", "responses": ["a", "b"], "correct": [0]}
    data = write(tmp_path / "rows.jsonl", row)
    votes = [[0, 9], [1, 0], [0, 9], [1, 0]]
    judge_lines = [entry(sample=n, scores=vote) for n, vote in enumerate(votes)]
    meta_lines = [
        entry(sample=n, role="meta", scores=[float(vote == [1, 0])])
        for n, vote in enumerate(votes)
    ]
    recorded = f"recorded,path={write(file, *judge_lines, *meta_lines)}"

    def credit(strategy: str, **options: Any) -> float | None:
        return evaluate(recorded, f"jsonl,path={data}", strategy, **options).accuracy

    plain = "sum-voting,k=4,order=given"
    assert credit(plain) == 0.0
    assert credit(f"{plain},meta=true", meta_judge=recorded) == 1.0


def test_any_order_hands_a_failure_on(file: Path) -> None:
    recorded = {"example": "x", "order": [0, 1], "failure": "refused"}

    found = ask(file, PAIR.reversed(), recorded, any_order=True)

    assert found.failure == Failure.REFUSED


def test_a_failure_that_any_order_has_scores_for_stays_a_failure(file: Path) -> None:
    entries = [entry(failure="refused"), entry(order=[1, 0])]

    found = ask(file, PAIR, *entries, any_order=True)

    assert found.failure == Failure.REFUSED


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"example": None}, "field 'example'"),
        ({"example": ["x"]}, "field 'example'"),
        ({"order": None}, "field 'order'"),
        ({"order": 0}, "field 'order'"),
        ({"order": []}, "field 'order' must name each response shown once"),
        ({"order": ["0", "1"]}, "field 'order'"),
        ({"order": [0, 0]}, "field 'order' must name each response shown once"),
        ({"order": [True, False]}, "field 'order'"),
        ({"role": "critic"}, "field 'role' must be judge, meta or policy"),
        ({"role": None}, "field 'role' must be judge, meta or policy"),
        ({"role": "meta"}, "field 'scores' must hold one number"),
        ({"role": "policy", "scores": [1]}, "one number for each response in 'order'"),
        ({"sample": None}, "field 'sample'"),
        ({"sample": "0"}, "field 'sample'"),
        ({"scores": [1]}, "field 'scores' must hold one number for each response"),
        ({"scores": [1, 2, 3]}, "field 'scores' must hold one number"),
        ({"scores": ["1", "0"]}, "field 'scores' must hold one number"),
        ({"scores": 1}, "field 'scores' must hold one number"),
        ({"text": 3}, "field 'text' must be a string"),
        ({"failure": "tired"}, "field 'failure' must be one of unparsable"),
    ],
)
def test_a_line_that_is_wrong_names_file_line_and_field(
    file: Path, changed: dict[str, Any], told: str
) -> None:
    write(file, entry(sample=5), entry(**changed))

    with pytest.raises(DataError) as raised:
        judge(file)

    message = str(raised.value)
    assert message.startswith(f"{file}, line 2: ")
    assert told in message


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ('"x"', "not an object"),
        ("[" * 200_000, "not JSON"),
        ('{"example": "x", "order": [0]}', "needs a field 'text', 'scores' or"),
    ],
)
def test_a_line_that_is_no_entry_names_file_and_line(
    file: Path, line: str, told: str
) -> None:
    file.write_text("\n" + line + "\n")

    with pytest.raises(DataError) as raised:
        judge(file)

    assert str(raised.value).startswith(f"{file}, line 2: ")
    assert told in str(raised.value)


def test_bytes_that_are_no_text_name_file_and_line(file: Path) -> None:
    file.write_bytes(b'{"example": "\xff"}\n')

    with pytest.raises(DataError, match="line 1: not JSON"):
        judge(file)


def test_an_entry_that_comes_twice_names_both_lines(file: Path) -> None:
    write(file, entry(), entry(sample=1), entry(scores=[0, 1]))

    with pytest.raises(DataError, match=r"line 3: the same example.* as line 1"):
        judge(file)


def test_a_text_without_a_parser_lists_the_parsers(file: Path) -> None:
    write(file, {"example": "x", "order": [0, 1], "text": "[[A]]"})

    with pytest.raises(SpecError, match=r"line 1: .*parser=NAME .*mt-bench"):
        judge(file)


def test_an_unknown_parser_gets_the_nearest(file: Path) -> None:
    write(file, entry())

    with pytest.raises(SpecError, match="did you mean 'mt-bench'"):
        judge(file, parser="mt_bench")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no.jsonl"

    with pytest.raises(DataError, match=f"{path}: No such file"):
        judge(path)


def test_the_identity_is_that_of_the_content_and_how_it_is_read(tmp_path: Path) -> None:
    one, two = (write(tmp_path / name, entry()) for name in ("1.jsonl", "2.jsonl"))
    other = write(tmp_path / "3.jsonl", entry(scores=[0, 1]))

    identity = judge(one).identity

    assert judge(two).identity == identity
    assert judge(other).identity != identity
    assert judge(one, any_order=True).identity != identity
    assert judge(one, parser="rrm").identity != identity
