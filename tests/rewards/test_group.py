"""A reward for the completions of one prompt: fair, whole, and never a failure's."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    DataError,
    EngineError,
    Failure,
    HarnessError,
    Judgment,
    OutputError,
    SpecError,
)
from rrm_harness.rewards import GroupReward
from rrm_harness.rewards.group import grouped
from rrm_harness.testing import FakeEngine, FakeJudge, FakeModelJudge

STRATEGIES = ["elo", "elo,rating=bradley-terry", "knockout", "single", "best-of-n"]
FAILED = Judgment.failed(Failure.REFUSED)


def longer(shown: Comparison) -> Judgment:
    return Judgment(tuple(float(len(text)) for text in shown.responses))


def failing(unless: Callable[[str], bool]) -> Callable[[Comparison], Judgment]:
    """Prefer the longer, and fail wherever a response is shown that is not liked."""

    def decide(shown: Comparison) -> Judgment:
        return longer(shown) if all(map(unless, shown.responses)) else FAILED

    return decide


def score(
    completions: Sequence[Any],
    decide: Callable[[Comparison], Judgment] = longer,
    prompt: Any = "Why?",
    **options: Any,
) -> list[float]:
    with GroupReward(FakeJudge(decide), **options) as reward:
        return reward.score(prompt, completions)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_best_completion_has_the_highest_reward(strategy: str) -> None:
    rewards = score(["aa", "aaaa", "a", "aaa"], strategy=strategy)

    assert max(rewards) == rewards[1]


@pytest.mark.parametrize("spec", ["longest", FakeJudge(longer)])
def test_a_judge_is_a_spec_or_an_object(spec: Any) -> None:
    with GroupReward(spec) as reward:
        first, second = reward.score("Why?", ["a", "aaa"])

    assert first < second


@settings(max_examples=20)
@given(st.lists(st.sampled_from("abcde"), min_size=2, max_size=8))
def test_rewards_of_a_group_add_up_to_nothing(letters: list[str]) -> None:
    completions = [letter * (ord(letter) - 96) for letter in letters]

    assert sum(score(completions)) == pytest.approx(0, abs=1e-6)


def test_equal_completions_have_equal_rewards() -> None:
    rewards = score(["a", "aaa", "a", "aa", "aaa"])

    assert rewards[0] == rewards[2]
    assert rewards[1] == rewards[4]


def test_equal_completions_are_judged_once() -> None:
    judge = FakeJudge(longer)
    with GroupReward(judge) as reward:
        reward.score("Why?", ["a", "aa", "a", "aa"])

    assert len(judge.asked) == 1


@settings(max_examples=10)
@given(st.permutations(["a", "bb", "cc", "dddd"]))
def test_a_completions_place_counts_for_nothing(order: list[str]) -> None:
    completions = ["a", "bb", "cc", "dddd"]

    with GroupReward("first") as reward:
        expected = dict(zip(completions, reward.score("?", completions), strict=True))
        rewards = reward.score("?", order)

    assert rewards == pytest.approx([expected[each] for each in order])


@pytest.mark.parametrize("completions", [["a"], ["a", "a"], [""]])
def test_a_response_alone_has_a_neutral_reward_that_nobody_is_asked_for(
    completions: list[str],
) -> None:
    judge = FakeJudge(longer)
    with GroupReward(judge) as reward:
        assert set(reward.score("Why?", completions)) == {0.0}

    assert judge.asked == []


def test_a_response_alone_is_judged_where_its_score_means_something() -> None:
    assert score(["aaa"], strategy="best-of-n", scale="raw") == [3.0]


def test_an_empty_completion_is_judged_like_others() -> None:
    empty, other = score(["", "a"])

    assert empty < other


class TestWhatHasNoAnswerAndComesLast:
    def test_is_below_all_that_have_one(self) -> None:
        rewards = score(["aa", "<think>a", "", "a"], unanswered="last")

        assert rewards[1] == rewards[2] < rewards[3] < rewards[0]

    def test_is_not_shown_to_the_judge(self) -> None:
        judge = FakeJudge(longer)
        with GroupReward(judge, unanswered="last") as reward:
            reward.score("Why?", ["aa", "", "a"])

        assert {text for shown in judge.asked for text in shown.responses} == {
            *("aa", "a")
        }

    def test_is_below_the_only_answer_though_nobody_is_asked(self) -> None:
        answered, unanswered, same = score(["a", "", "a"], unanswered="last")

        assert unanswered < answered == same

    def test_is_neutral_where_nothing_has_an_answer(self) -> None:
        assert score(["", " ", "<think>"], unanswered="last") == [0, 0, 0]

    def test_is_neutral_where_the_others_could_not_be_judged(self) -> None:
        options: dict[str, Any] = {"unanswered": "last", "patience": 0}

        assert score(["aa", "a", ""], lambda _: FAILED, **options) == [0, 0, 0]


def test_no_completions_have_no_rewards() -> None:
    assert score([]) == []


def test_ranks_are_shares_of_the_others() -> None:
    assert score(["a", "aaa", "aa"], scale="rank") == [-1.0, 1.0, 0.0]


def test_raw_rewards_are_the_strategys_scores() -> None:
    assert score(["a", "aaa"], strategy="single", scale="raw") == [1.0, 3.0]


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [
        ("scale", "elo", "centered, rank, raw"),
        ("thinking", True, "strip, begun, keep"),
        ("too_long", "skip", "fail, truncate"),
    ],
)
def test_an_option_that_is_none_of_several_is_refused(
    option: str, value: Any, known: str
) -> None:
    with pytest.raises(SpecError, match=f"{option}={value}: say one of {known}"):
        GroupReward("longest", **{option: value})


def test_what_is_judged_is_what_follows_the_thought() -> None:
    rewards = score(["<think>at length</think>a", "<think>hm</think>aa"])

    assert rewards[0] < rewards[1]


def test_thoughts_are_judged_if_asked_for() -> None:
    completions = ["<think>at length</think>a", "<think>hm</think>aa"]
    rewards = score(completions, thinking="keep")

    assert rewards[0] > rewards[1]


def test_a_thought_that_the_prompt_began_and_nothing_ended_is_no_answer() -> None:
    cut, answered = score(["at great length", "hm</think>a"], prompt="Why?<think>\n")

    assert cut < answered


def test_a_thought_that_the_template_begins_and_nothing_ended_is_no_answer() -> None:
    cut, answered = score(["at great length", "hm</think>a"], thinking="begun")

    assert cut < answered


def test_a_completion_may_be_messages() -> None:
    prompt = [{"role": "user", "content": "Why?"}]
    said: Any = [
        [{"role": "assistant", "content": "a"}],
        [
            {"role": "assistant", "content": None},
            {"role": "tool", "content": "a long result"},
            {"role": "assistant", "content": [{"type": "text", "text": "aa"}]},
        ],
    ]
    judge = FakeJudge(longer)
    with GroupReward(judge) as reward:
        reward.score(prompt, said)

    (shown,) = judge.asked
    assert sorted(shown.responses) == ["a", "aa"]
    assert [(turn.role, turn.content) for turn in shown.example.prompt] == [
        ("user", "Why?")
    ]


@pytest.mark.parametrize("wrong", [3, None, [1], [{"content": "a"}], b"a"])
def test_what_is_no_text_is_refused(wrong: Any) -> None:
    with pytest.raises(DataError, match="give a string, or a list of messages"):
        score(["a", wrong])


def test_a_picture_is_refused() -> None:
    shown: Any = [{"role": "assistant", "content": [{"type": "image"}]}]

    with pytest.raises(DataError, match="only text can be judged"):
        score([shown, "a"])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_completion_that_cannot_be_judged_has_no_low_reward(strategy: str) -> None:
    decide = failing(lambda text: text != "aaaa")

    rewards = score(["a", "aa", "aaa", "aaaa"], decide, strategy=strategy, patience=0)

    assert rewards[3] == pytest.approx(sum(rewards) / 4)


def test_completions_beside_one_that_cannot_be_judged_have_rewards() -> None:
    decide = failing(lambda text: text != "aaaa")

    first, second, third, _ = score(["a", "aa", "aaa", "aaaa"], decide)

    assert first < second < third


def test_a_group_that_hung_on_a_coin_trains_nothing() -> None:
    def decide(shown: Comparison) -> Judgment:
        return FAILED if {*shown.responses} == {"a", "aa"} else longer(shown)

    for seed in range(8):  # in some brackets these two meet before the final
        completions = ["a", "aa", "aaa", "aaaa"]
        judge = FakeJudge(decide)
        options: Any = {"strategy": "knockout", "seed": seed, "patience": 0}
        with GroupReward(judge, **options) as reward:
            rewards = reward.score("Why?", completions)
        if reward.failures:
            assert rewards == [0.0] * 4


def test_failures_are_counted_by_kind() -> None:
    with GroupReward(FakeJudge(failing(lambda text: text != "aaa"))) as reward:
        reward.score("Why?", ["a", "aa", "aaa"])

    assert reward.failures == {"refused": 2}
    assert reward.unjudged == 1


def test_a_call_of_which_nothing_could_be_judged_raises() -> None:
    with pytest.raises(EngineError, match=r"no group of 1 could be judged.*refused 1"):
        score(["a", "aa"], failing(lambda _: False))


def test_patience_is_for_calls_in_a_row() -> None:
    with GroupReward(FakeJudge(failing(lambda t: t != "x")), patience=2) as reward:
        assert reward.score("Why?", ["x", "aa"]) == [0.0, 0.0]
        reward.score("Why?", ["a", "aa"])
        assert reward.score("Why not?", ["x", "aa"]) == [0.0, 0.0]
        with pytest.raises(EngineError, match="could be judged"):
            reward.score("Why?", ["x", "aaa"])


def test_a_failed_group_beside_others_is_neutral() -> None:
    judge = FakeJudge(failing(lambda text: text != "x"))
    with GroupReward(judge) as reward:
        rewards = reward(["p", "p", "q", "q"], ["a", "aa", "x", "aa"])

    assert rewards[0] < rewards[1]
    assert rewards[2:] == [0.0, 0.0]


def test_what_failed_is_asked_again_by_the_next_call() -> None:
    down = True

    def decide(shown: Comparison) -> Judgment:
        return FAILED if down else longer(shown)

    with GroupReward(FakeJudge(decide), patience=0) as reward:
        assert reward.score("Why?", ["a", "aa"]) == [0.0, 0.0]
        down = False
        first, second = reward.score("Why?", ["a", "aa"])

    assert first < second


def test_an_engine_that_fails_ends_the_call() -> None:
    def reply(_: Any) -> Any:
        raise OSError("no power")

    engine = FakeEngine(reply)
    with (
        GroupReward(FakeModelJudge(longer), engine=engine) as reward,
        pytest.raises(EngineError, match="no power"),
    ):
        reward.score("Why?", ["a", "aa"])


@pytest.mark.parametrize(
    ("prompts", "size", "places"),
    [
        ("aabb", None, [[0, 1], [2, 3]]),
        ("aaaa", None, [[0, 1, 2, 3]]),
        ("aaaa", 2, [[0, 1], [2, 3]]),
        ("aba", None, [[0], [1], [2]]),
        ("", None, []),
        ("", 2, []),
    ],
)
def test_equal_prompts_in_a_row_are_a_group(
    prompts: str, size: int | None, places: list[list[int]]
) -> None:
    assert grouped(prompts, prompts, size) == places


@pytest.mark.parametrize("prompts", ["aab", "abab", "aaabbb"])
def test_groups_that_are_not_whole_are_refused(prompts: str) -> None:
    with pytest.raises(DataError, match="whole groups of num_generations=2"):
        grouped(prompts, prompts, 2)


def test_prompts_and_completions_are_of_one_number() -> None:
    with pytest.raises(DataError, match="2 prompts and 1 completions"):
        grouped(["a", "a"], ["a"])


def test_groups_of_one_call_are_judged_side_by_side() -> None:
    engine = FakeEngine()
    with GroupReward(FakeModelJudge(longer), engine=engine) as reward:
        reward([*"aabbcc"], ["a", "aa"] * 3)

    assert engine.most == 3


def test_the_trainer_is_told_the_share_that_could_not_be_judged() -> None:
    told: dict[str, float] = {}
    judge = FakeJudge(failing(lambda text: text != "x"))
    with GroupReward(judge) as reward:
        reward([*"aabb"], ["a", "aa", "x", "aa"], log_metric=told.__setitem__)

    assert told == {"FakeJudge/unjudged": 0.5}


def test_a_reward_is_called_like_its_judge(tmp_path: Path) -> None:
    (tmp_path / "replies.jsonl").touch()

    with GroupReward(f"recorded,path={tmp_path}/replies.jsonl") as reward:
        assert reward.__name__ == "recorded"


def test_what_was_judged_is_not_asked_again() -> None:
    engine = FakeEngine()
    with GroupReward(FakeModelJudge(longer), engine=engine) as reward:
        first = reward.score("Why?", ["a", "aa"])
        assert reward.score("Why?", ["aa", "a"]) == first[::-1]

    assert engine.answered == 1


def test_judgments_persist_in_the_output(tmp_path: Path) -> None:
    for asked in (1, 0):
        engine = FakeEngine()
        judge = FakeModelJudge(longer)
        with GroupReward(judge, engine=engine, output=tmp_path / "run") as reward:
            reward.score("Why?", ["a", "aa"])
        assert engine.answered == asked


def test_the_output_of_another_reward_is_refused(tmp_path: Path) -> None:
    with GroupReward("longest", output=tmp_path / "run") as reward:
        reward.score("Why?", ["a", "aa"])

    with pytest.raises(OutputError, match="holds another run"):
        GroupReward("longest", "knockout", output=tmp_path / "run")


def test_an_output_in_use_is_refused(tmp_path: Path) -> None:
    with (
        GroupReward("longest", output=tmp_path / "run"),
        pytest.raises(OutputError, match="in use"),
    ):
        GroupReward("longest", output=tmp_path / "run")


def test_a_reward_can_be_called_from_several_threads() -> None:
    found: dict[int, list[float]] = {}
    with GroupReward(FakeModelJudge(longer), engine=FakeEngine()) as reward:

        def call(number: int) -> None:
            found[number] = reward.score(f"Why {number}?", ["a", "aa", "aaa"])

        threads = [Thread(target=call, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(found) == 8
    assert all(sorted(each) == each for each in found.values())


def test_a_closed_reward_says_so() -> None:
    reward = GroupReward("longest")
    reward.close()

    with pytest.raises(SpecError, match="was closed"):
        reward.score("Why?", ["a", "aa"])


def test_an_engine_that_was_given_is_not_closed() -> None:
    class Closable(FakeEngine):
        closed = False

        def close(self) -> None:
            self.closed = True

    engine = Closable()
    with GroupReward(FakeModelJudge(longer), engine=engine):
        pass

    assert not engine.closed


@pytest.mark.parametrize(
    "options", [{"judge": "longes"}, {"judge": "longest", "strategy": "el"}]
)
def test_a_wrong_spec_is_refused_at_once(options: Any) -> None:
    with pytest.raises(HarnessError, match="did you mean"):
        GroupReward(**options)


def test_a_reward_model_is_loaded_once_and_rewards_as_it_scores(
    tiny: Callable[[str], Path],
) -> None:
    judge = f"sequence-classifier,model={tiny('llama_classifier')}"
    options: Any = {"engine": "transformers,dtype=float32", "scale": "raw"}

    with GroupReward(judge, "best-of-n", **options) as reward:
        first = reward.score("Why?", ["Because.", "No idea.", "Because."])
        (alone,) = reward.score("Why?", ["Because."])

    assert first[0] == first[2] != first[1]
    assert alone == first[0]
    assert reward.failures == {}
