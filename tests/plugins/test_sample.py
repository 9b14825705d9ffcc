"""The bundled sample: what it holds, and that its form gives nothing away."""

from collections import Counter

import pytest

from rrm_harness import Dataset, Example, host


def sample(part: str = "all") -> Dataset:
    built: Dataset = host.default().build("datasets", f"sample,part={part}")
    return built


def examples(part: str = "all") -> list[Example]:
    found = list(sample(part).examples())
    return [each for each in found if isinstance(each, Example)]


def test_every_row_is_good() -> None:
    assert all(isinstance(each, Example) for each in sample().examples())


def test_there_are_48_pairs_in_six_subsets_of_eight() -> None:
    pairs = examples("pairs")

    assert {len(each.responses) for each in pairs} == {2}
    sizes = Counter(each.subset for each in pairs)
    assert len(sizes) == 6
    assert set(sizes.values()) == {8}


def test_there_are_12_questions_with_eight_responses() -> None:
    questions = examples("best-of-8")

    assert len(questions) == 12
    assert {len(each.responses) for each in questions} == {8}


def test_the_parts_make_the_whole() -> None:
    whole = {each.id for each in examples()}

    parts = [each.id for part in ("pairs", "best-of-8") for each in examples(part)]

    assert sorted(parts) == sorted(whole)


def test_every_id_is_used_once() -> None:
    ids = [each.id for each in examples()]

    assert len(set(ids)) == len(ids) == 60


def test_every_prompt_is_asked_once() -> None:
    prompts = [each.prompt for each in examples()]

    assert len(set(prompts)) == len(prompts)


@pytest.mark.parametrize("part", ["pairs", "best-of-8"])
def test_every_example_has_a_correct_and_a_wrong_response(part: str) -> None:
    for each in examples(part):
        assert 0 < len(each.correct) < len(each.responses)


def test_a_pair_has_two_different_responses() -> None:
    assert all(len(set(each.responses)) == 2 for each in examples("pairs"))


def test_half_of_the_correct_responses_come_first() -> None:
    first = [each.correct == (0,) for each in examples("pairs")]

    assert sum(first) == 24


def test_half_of_the_correct_responses_are_the_longer_ones() -> None:
    pairs = examples("pairs")
    longer = [
        len(p.responses[p.correct[0]]) > len(p.responses[1 - p.correct[0]])
        for p in pairs
    ]
    shorter = [
        len(p.responses[p.correct[0]]) < len(p.responses[1 - p.correct[0]])
        for p in pairs
    ]

    assert (sum(longer), sum(shorter)) == (24, 24)


def test_position_and_length_are_not_tied_to_each_other() -> None:
    seen = Counter(
        (pair.correct[0], len(pair.responses[0]) > len(pair.responses[1]))
        for pair in examples("pairs")
    )

    assert set(seen.values()) == {12}


def test_a_correct_response_of_eight_has_no_favorite_place() -> None:
    places = Counter(index for each in examples("best-of-8") for index in each.correct)

    assert set(places) == set(range(8))


def test_the_revision_names_the_content() -> None:
    assert sample().revision.startswith("sha256:")
