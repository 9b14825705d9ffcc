"""Nano-arithmetic: problems, solutions, and the dataset made of them."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Example, SpecError, evaluate, host
from rrm_harness.arithmetic import (
    LEVELS,
    LIMIT,
    SLIPS,
    STYLES,
    Draws,
    answered,
    problem,
    problems,
    solution,
    solved,
    verify,
)


def examples(options: str) -> list[Example]:
    dataset = host.default().build("datasets", f"nano-arithmetic,{options}")
    return [each for each in dataset.examples() if isinstance(each, Example)]


levels = st.sampled_from([*LEVELS])
seeds = st.integers(0, 10**6)


class TestAProblem:
    @given(levels, seeds)
    def test_its_question_says_all_that_its_answer_needs(
        self, level: str, seed: int
    ) -> None:
        drawn = problem(level, Draws(seed), "train")

        assert solved(drawn.question) == drawn.answer

    @given(levels, seeds)
    def test_every_total_is_in_range(self, level: str, seed: int) -> None:
        drawn = problem(level, Draws(seed), "train")

        assert all(0 <= total < LIMIT for total in drawn.totals)
        assert len(drawn.totals) == LEVELS[level][0]

    def test_no_question_is_both_trained_on_and_held_back(self) -> None:
        train, test = (
            {each.question for _, _, each in itertools.islice(problems(split, 0), 2000)}
            for split in ("train", "test")
        )

        assert not train & test


class TestASolution:
    @given(levels, seeds)
    def test_a_right_one_verifies(self, level: str, seed: int) -> None:
        draws = Draws(seed)
        drawn = problem(level, draws, "test")

        assert verify(drawn.question, solution(drawn, True, draws).text)

    @given(levels, seeds)
    def test_a_wrong_one_does_not_and_has_an_answer(
        self, level: str, seed: int
    ) -> None:
        draws = Draws(seed)
        drawn = problem(level, draws, "test")
        wrong = solution(drawn, False, draws)

        assert not verify(drawn.question, wrong.text)
        assert answered(wrong.text) in range(LIMIT)
        assert wrong.slip in SLIPS

    def test_every_slip_and_every_style_occurs_right_and_wrong(self) -> None:
        shown = [each.metadata for each in examples("n=300")]

        slips = Counter(slip for each in shown for slip in each["slips"])
        styled = {
            (bool(slip), style)
            for each in shown
            for slip, style in zip(each["slips"], each["styles"], strict=True)
        }
        assert {*slips} == {"", *SLIPS}
        assert styled == {(wrong, style) for wrong in (0, 1) for style in STYLES}

    @pytest.mark.parametrize("text", ["", "12", "It is x", "It is 12 or 13", "So"])
    def test_what_ends_in_no_answer_has_none(self, text: str) -> None:
        assert answered(text) is None

    @pytest.mark.parametrize("question", ["", "1+=?", "what?", "1*2=?"])
    def test_what_is_no_question_is_not_worked_out(self, question: str) -> None:
        with pytest.raises(ValueError, match="is no question"):
            solved(question)


class TestTheDataset:
    def test_the_same_spec_is_the_same_examples(self) -> None:
        assert examples("n=50,seed=3") == examples("n=50,seed=3")

    def test_another_seed_is_other_examples(self) -> None:
        assert examples("n=50,seed=3") != examples("n=50,seed=4")

    def test_more_examples_begin_with_the_fewer(self) -> None:
        assert examples("n=20") == examples("n=50")[:20]

    @pytest.mark.parametrize("judge", ["longest", "shortest", "first", "random"])
    def test_a_judge_that_reads_nothing_scores_about_one_half(self, judge: str) -> None:
        result = evaluate(judge, "nano-arithmetic,n=2000", baselines=False)

        assert abs(result.accuracy - 0.5) < 0.03

    def test_long_wrong_answers_and_short_right_ones_are_as_frequent_as_others(
        self,
    ) -> None:
        longer = Counter(
            len(each.responses[each.correct[0]])
            > len(each.responses[1 - each.correct[0]])
            for each in examples("n=1000")
            if len({*map(len, each.responses)}) == 2
        )

        assert 0.8 < longer[True] / longer[False] < 1.25

    def test_a_pair_has_one_right_response(self) -> None:
        assert all(
            [verify(each.prompt[0].content, text) for text in each.responses]
            == [place in each.correct for place in (0, 1)]
            and len(each.correct) == 1
            for each in examples("n=200")
        )

    def test_several_pairs_of_a_question_are_one_cluster(self) -> None:
        shown = examples("n=3,pairs=5")

        assert Counter(each.cluster for each in shown) == {
            f"test/0/{number}": 5 for number in range(3)
        }
        assert len({each.id for each in shown}) == 15

    @given(st.integers(2, 32))
    def test_best_of_k_shows_k_with_a_right_and_a_wrong_one(self, k: int) -> None:
        for each in examples(f"shape=best-of-k,n=5,k={k}"):
            assert len(each.responses) == k
            assert 0 < len(each.correct) < k
            assert each.correct == tuple(
                place
                for place, text in enumerate(each.responses)
                if verify(each.prompt[0].content, text)
            )

    def test_the_right_one_of_all_answers_is_marked(self) -> None:
        assert all(
            each.responses[each.correct[0]] == str(solved(each.prompt[0].content))
            for each in examples("shape=answers,n=20")
        )

    def test_queries_tell_nothing_of_what_is_right(self) -> None:
        assert all(
            (each.responses, each.correct, each.metadata) == ((), (), {})
            for each in examples("shape=queries,split=train,n=20")
        )

    @pytest.mark.parametrize(
        ("options", "told"),
        [("n=0", "at least 1"), ("k=33", "2 to 32"), ("k=1", "2 to 32")],
    )
    def test_a_size_that_there_is_none_of_is_refused(
        self, options: str, told: str
    ) -> None:
        with pytest.raises(SpecError, match=told):
            host.default().build("datasets", f"nano-arithmetic,{options}")
