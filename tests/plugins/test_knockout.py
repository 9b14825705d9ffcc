"""The strategy `knockout`: n-1 matches, byes, coins, and who is left."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, log2
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    Completion,
    DataError,
    Failure,
    Judgment,
    Outcome,
    SpecError,
    Strategy,
    chance,
    host,
)
from rrm_harness.testing import FakeEngine, example, play

Decide = Callable[[Comparison], Judgment]
TIE = Judgment((0.5, 0.5))
FAILED = Judgment.failed(Failure.REFUSED)


@dataclass
class Recorder:
    """Answers as told, and remembers each match and its winner."""

    decide: Decide
    matches: list[tuple[int, ...]] = field(default_factory=list)
    judgments: list[Judgment] = field(default_factory=list)

    def __call__(self, shown: Comparison) -> Judgment:
        self.matches.append(shown.order)
        self.judgments.append(self.decide(shown))
        return self.judgments[-1]


@dataclass
class Holding(FakeEngine):
    """An engine that answers one request only when nothing else waits."""

    held: str = ""
    log: list[str] = field(default_factory=list)

    def collect(self) -> list[tuple[int, Completion]]:
        texts = {t: each.messages[0].content for t, each in self.waiting.items()}
        others = [ticket for ticket, text in texts.items() if text != self.held]
        ticket = min(others or texts)
        self.log.append(texts[ticket])
        return [(ticket, self.reply(self.waiting.pop(ticket)))]


def build(spec: str = "knockout") -> Strategy:
    return host.default().build("strategies", spec)


def prefer(ranking: Sequence[int]) -> Decide:
    """A judge that prefers whoever comes first in a ranking."""

    def decide(shown: Comparison) -> Judgment:
        return Judgment(tuple(float(-ranking.index(index)) for index in shown.order))

    return decide


def settle_all_but_the_final(final: Judgment) -> Decide:
    """A judge of four, in brackets (0, 1) and (2, 3), where 0 and 2 advance."""
    return lambda shown: final if shown.order == (0, 2) else Judgment((1.0, 0.0))


def bracketed(folder: Path, leaves: Sequence[int]) -> Strategy:
    """A knock-out whose first round is these responses in pairs."""
    pairs = [leaves[at : at + 2] for at in range(0, len(leaves), 2)]
    return from_file(folder, json.dumps([list(pair) for pair in pairs]))


def from_file(folder: Path, content: str) -> Strategy:
    file = folder / "bracket.json"
    file.write_text(content)
    return build(f"knockout,bracket={file}")


def simulated(leaves: Iterable[int], ranking: Sequence[int]) -> dict[int, float]:
    """The rounds that each response survives, played round by round."""
    survived = dict.fromkeys(leaves, 0.0)
    alive = list(survived)
    while len(alive) > 1:
        pairs = [alive[at : at + 2] for at in range(0, len(alive), 2)]
        alive = [min(pair, key=ranking.index) for pair in pairs]
        for each in alive:
            survived[each] += 1
    return survived


def first_round(seed: int, id: str) -> set[frozenset[int]]:  # noqa: A002
    """Who meets whom first among eight, when the first shown always wins."""
    judge = Recorder(lambda _: Judgment((1.0, 0.0)))
    play(build(), example(8, id=id), judge, seed=seed)
    return {frozenset(match) for match in judge.matches[:4]}


RANKINGS = st.integers(2, 33).flatmap(lambda count: st.permutations(range(count)))


@pytest.mark.parametrize("responses", range(1, 34))
def test_n_responses_take_n_minus_1_matches(responses: int) -> None:
    judge = Recorder(prefer(range(responses)))

    play(build(), example(responses), judge)

    assert len(judge.matches) == responses - 1


@given(ranking=RANKINGS, seed=st.integers(0, 99))
def test_the_best_response_wins_when_verdicts_agree_on_a_ranking(
    ranking: list[int], seed: int
) -> None:
    outcome = play(build(), example(len(ranking)), prefer(ranking), seed=seed)

    assert outcome.winners == (ranking[0],)


@given(ranking=RANKINGS)
def test_nobody_is_shown_again_after_a_defeat(ranking: list[int]) -> None:
    judge = Recorder(prefer(ranking))

    play(build(), example(len(ranking)), judge)

    losers = [max(match, key=ranking.index) for match in judge.matches]
    assert sorted(losers) == sorted(ranking[1:])


@given(ranking=RANKINGS, drawn=st.randoms(use_true_random=False))
def test_a_score_is_the_number_of_rounds_survived(
    tmp_path_factory: pytest.TempPathFactory, ranking: list[int], drawn: Random
) -> None:
    leaves = drawn.sample(ranking, len(ranking))
    strategy = bracketed(tmp_path_factory.getbasetemp(), leaves)

    outcome = play(strategy, example(len(ranking)), prefer(ranking))

    assert outcome.scores == simulated(leaves, ranking)


@pytest.mark.parametrize("responses", range(2, 34))
def test_the_champion_survives_every_round(responses: int) -> None:
    outcome = play(build(), example(responses), prefer(range(responses)))

    assert outcome.scores[0] == ceil(log2(responses))


@pytest.mark.parametrize(
    ("responses", "byes"), [(2, 0), (3, 1), (5, 2), (6, 1), (8, 0)]
)
def test_an_odd_round_has_a_bye(responses: int, byes: int) -> None:
    outcome = play(build(), example(responses), prefer(range(responses)))

    assert outcome.notes.get("byes", 0) == byes


@given(
    responses=st.integers(2, 33),
    key=st.integers(0, 2**32),
    failing=st.sampled_from([0.0, 0.4]),
)
def test_two_champions_mean_a_tied_final(
    responses: int, key: int, failing: float
) -> None:
    def decide(shown: Comparison) -> Judgment:
        if chance.uniform(key, "fails", *shown.order) < failing:
            return FAILED
        return TIE if chance.coin(key, *shown.order) else Judgment((1.0, 0.0))

    judge = Recorder(decide)

    outcome = play(build(), example(responses), judge)

    final = judge.judgments[-1]
    champions = 0 if final.failure else 2 if final == TIE else 1
    assert len(outcome.winners) == champions


def test_one_response_wins_without_a_match() -> None:
    outcome = play(build(), example(1), lambda _: FAILED)

    assert outcome == Outcome({0: 0.0})


def test_a_tied_final_has_two_champions(tmp_path: Path) -> None:
    strategy = bracketed(tmp_path, range(4))

    outcome = play(strategy, example(4), settle_all_but_the_final(TIE))

    assert outcome.scores == {0: 2.0, 1: 0.0, 2: 2.0, 3: 0.0}


def test_a_failed_final_fails_the_outcome(tmp_path: Path) -> None:
    strategy = bracketed(tmp_path, range(4))

    outcome = play(strategy, example(4), settle_all_but_the_final(FAILED))

    assert outcome == Outcome(failure=Failure.REFUSED)


def test_a_tied_match_is_settled_by_a_coin_and_counted() -> None:
    outcome = play(build(), example(8), lambda _: TIE)

    assert len(outcome.winners) == 2
    assert not outcome.uncertain
    assert outcome.notes == {"coins_for_tied_matches": 6}


def test_a_failed_match_is_settled_by_a_coin_and_makes_the_outcome_uncertain(
    tmp_path: Path,
) -> None:
    def decide(shown: Comparison) -> Judgment:
        return FAILED if shown.order == (0, 1) else Judgment((1.0, 0.0))

    outcome = play(bracketed(tmp_path, range(4)), example(4), decide)

    assert outcome.failure is None
    assert outcome.uncertain
    assert outcome.notes == {"coins_for_failed_matches": 1}


def test_coins_fall_both_ways(tmp_path: Path) -> None:
    strategy = bracketed(tmp_path, range(4))

    advanced = set()
    for seed in range(20):
        judge = Recorder(lambda _: TIE)
        play(strategy, example(4), judge, seed=seed)
        advanced.add(judge.matches[-1])

    assert advanced == {(0, 2), (0, 3), (1, 2), (1, 3)}


def test_a_coin_does_not_look_at_who_is_shown_first(tmp_path: Path) -> None:
    finals: dict[str, list[tuple[int, ...]]] = {"one way": [], "the other": []}
    for way, leaves in zip(finals, ([0, 1, 2, 3], [1, 0, 3, 2]), strict=True):
        strategy = bracketed(tmp_path, leaves)
        for seed in range(20):
            judge = Recorder(lambda _: TIE)
            play(strategy, example(4), judge, seed=seed)
            finals[way].append(judge.matches[-1])

    assert finals["one way"] == finals["the other"]


def test_the_bracket_depends_on_the_seed() -> None:
    brackets = {frozenset(first_round(seed, "a")) for seed in range(5)}

    assert len(brackets) == 5


def test_the_bracket_depends_on_the_example() -> None:
    brackets = {frozenset(first_round(0, id)) for id in "abcde"}  # noqa: A001

    assert len(brackets) == 5


def test_matches_are_shown_in_the_order_of_the_bracket(tmp_path: Path) -> None:
    judge = Recorder(lambda _: Judgment((0.0, 1.0)))

    play(bracketed(tmp_path, [3, 1, 0, 2]), example(4), judge)

    assert judge.matches == [(3, 1), (0, 2), (1, 2)]


def test_a_bracket_file_may_name_its_first_round(tmp_path: Path) -> None:
    judge = Recorder(lambda _: Judgment((1.0, 0.0)))
    content = {"round_1": [[3, 1], [0, 2]], "round_2": "not read"}

    play(from_file(tmp_path, json.dumps(content)), example(4), judge)

    assert judge.matches == [(3, 1), (0, 2), (3, 0)]


def test_the_last_of_a_bracket_file_may_have_a_bye(tmp_path: Path) -> None:
    judge = Recorder(lambda _: Judgment((1.0, 0.0)))

    play(from_file(tmp_path, "[[2, 0], [1]]"), example(3), judge)

    assert judge.matches == [(2, 0), (2, 1)]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[[0, 1]",
        "7",
        "null",
        '"01"',
        "[]",
        "{}",
        '{"round_1": []}',
        '{"round_2": [[0, 1]]}',
        "[0, 1]",
        "[[0, null]]",
        '[["0", "1"]]',
        '["01"]',
        "[[0.2, 1.9]]",
        "[[false, true]]",
        "[[0, 0]]",
        "[[1, 2]]",
        "[[0, 1, 2, 3]]",
        "[[0], [1, 2]]",
        "[[0, 1], []]",
        "[" * 100_000,
    ],
    ids=lambda content: content[:20] or "empty",
)
def test_a_file_that_is_no_bracket_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"bracket\.json"):
        from_file(tmp_path, content)


def test_a_bracket_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bracket.json").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(DataError, match="not a bracket"):
        build(f"knockout,bracket={tmp_path / 'bracket.json'}")


def test_a_missing_bracket_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="readable"):
        build(f"knockout,bracket={tmp_path / 'none.json'}")


def test_a_bracket_for_another_number_of_responses_is_refused(tmp_path: Path) -> None:
    strategy = bracketed(tmp_path, range(4))

    with pytest.raises(DataError, match=r"names 4 responses .* 'example' has 3"):
        play(strategy, example(3), lambda _: TIE)


def test_k_votes_settle_a_match() -> None:
    judge = Recorder(lambda shown: Judgment((1.0, 0.0) if shown.sample else (0.0, 1.0)))

    outcome = play(build("knockout,k=3"), example(2), judge)

    assert judge.matches == [judge.matches[0]] * 3
    assert outcome.winners == (judge.matches[0][0],)


def test_a_match_is_settled_by_the_inner_strategy() -> None:
    outcome = play(
        build("knockout of both-orders"), example(2), lambda _: Judgment((1.0, 0.0))
    )

    assert outcome.winners == (0, 1)


def test_a_match_starts_as_soon_as_its_players_are_known(tmp_path: Path) -> None:
    engine = Holding(held="example (0, 1) judge")

    play(bracketed(tmp_path, range(8)), example(8), prefer(range(8)), engine=engine)

    assert engine.log[:5] == [
        "example (2, 3) judge",
        "example (4, 5) judge",
        "example (6, 7) judge",
        "example (4, 6) judge",
        "example (0, 1) judge",
    ]


@pytest.mark.parametrize("k", [0, -3, 10_001, 10**12])
def test_a_number_of_votes_that_nobody_means_is_refused(k: int) -> None:
    with pytest.raises(SpecError, match=f"knockout,k={k}: k must be from 1 to 10,000"):
        build(f"knockout,k={k}")


@pytest.mark.parametrize(("k", "cost"), [(1, 1), (5, 5), (10_000, 10_000)])
def test_a_copy_with_another_k_asks_that_often(k: int, cost: int) -> None:
    strategy = build("knockout,k=3")

    assert replace(strategy) == strategy
    assert replace(strategy, k=k).cost(2) == cost
    assert replace(replace(strategy, k=k), k=3).cost(2) == 3
    assert replace(strategy, k=k) == build(f"knockout,k={k}")


def test_a_copy_with_another_bracket_plays_that_one(tmp_path: Path) -> None:
    strategy = bracketed(tmp_path, [3, 1, 0, 2])

    assert replace(strategy) == strategy
    assert replace(strategy, bracket="seeded") == build()
    assert replace(build(), bracket=strategy.bracket) == strategy


def test_a_match_that_was_uncertain_makes_the_outcome_so() -> None:
    def decide(shown: Comparison) -> Judgment:
        return FAILED if shown.sample == 0 else Judgment((1.0, 0.0))

    outcome = play(build("knockout of sum-voting,k=2"), example(4), decide)

    assert outcome.failure is None
    assert outcome.uncertain
