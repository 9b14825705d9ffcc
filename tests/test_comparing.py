"""Runs compared: what is paired, what is refused, and what the numbers are."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from rrm_harness import (
    BadRow,
    Dataset,
    Example,
    Judgment,
    Message,
    Rule,
    Scored,
    evaluate,
)
from rrm_harness.comparing.comparison import Compared, compare
from rrm_harness.comparing.matching import letters
from rrm_harness.comparing.paired import (
    STEPS,
    difference,
    discordance,
    holm,
    mcnemar,
    swapped,
)
from rrm_harness.comparing.ranks import ranks
from rrm_harness.errors import HarnessError, OutputError
from rrm_harness.output import DIGEST, read_results, sealed
from rrm_harness.report import comparison
from rrm_harness.testing import FakeJudge

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
CREDIT = st.sampled_from([0.0, 0.5, 1.0, None])
Made = Callable[..., Path]


@dataclass(frozen=True)
class Pairs(Dataset):
    """Pairs whose first response is right, `each` of them to a prompt.

    Which of them there are does not tell one such dataset from another.
    """

    count: int = field(default=40, repr=False)
    first: int = field(default=0, repr=False)
    each: int = 1
    average: str = "examples"
    subset: str = ""
    worth: float = 1.0
    backwards: bool = field(default=False, repr=False)

    name = "pairs"
    revision = "1"
    protocol = "single,order=given"

    @property
    def rule(self) -> Rule:
        return Halved() if self.worth < 1 else Rule(average=self.average)  # type: ignore[arg-type]

    def examples(self) -> Iterator[Example | BadRow]:
        numbers = range(self.first, self.first + self.count)
        for number in reversed(numbers) if self.backwards else numbers:
            yield Example(
                f"pair-{number}",
                (Message("user", "q"),),
                ("right", "wrong"),
                (0,),
                subset=self.subset or ("a" if number % 4 else "b"),
                cluster=f"prompt-{number // self.each}",
            )


class Halved(Rule):
    """A headline that credits alone do not give."""

    def subset_value(self, subset: str, rows: Sequence[Scored]) -> float:
        return super().subset_value(subset, rows) / 2


def judging(*wrong: int) -> FakeJudge:
    """A judge that is wrong on these pairs."""

    def judge(comparison: Any) -> Judgment:
        number = int(comparison.example.id.partition("-")[2])
        return Judgment((0.0, 1.0) if number in wrong else (1.0, 0.0))

    return FakeJudge(judge)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Judge pairs, wrongly on some; return the run's directory."""

    def make(name: str, *wrong: int, **options: Any) -> Path:
        directory = tmp_path / name
        evaluate(judging(*wrong), Pairs(**options), output=directory, baselines=False)
        return directory

    return make


def scored(credits: Sequence[float | None], each: int = 1) -> list[Scored]:  # noqa: A002
    return [
        Scored(f"{n}", "all", f"{n // each}", credit, 0.0, 1.0)
        for n, credit in enumerate(credits)
    ]


def told(directory: Path) -> list[dict[str, Any]]:
    """The lines of a run's outcomes."""
    lines = (directory / "outcomes.jsonl").read_text().splitlines()
    return [*map(json.loads, lines)]


def rewritten(directory: Path, *lines: dict[str, Any]) -> None:
    """Let a run have other outcomes."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    text = text.replace("Infinity", "1e400")
    (directory / "outcomes.jsonl").write_text(text)
    results = directory / "results.json"
    content = read_results(results)
    content["outcomes"] = DIGEST(text.encode()).hexdigest()
    results.write_text(sealed(content))


def claimed(directory: Path, key: str, value: str) -> Path:
    """Let a run's manifest say something else."""
    results = directory / "results.json"
    content = read_results(results)
    content["manifest"]["run"][key] = value
    results.write_text(sealed(content))
    return directory


def refused(*directories: Path, common: bool = False) -> str:
    """Compare what cannot be; return the one sentence."""
    with pytest.raises(HarnessError) as caught:
        compare(directories, common=common)
    return str(caught.value)


def rrm(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_two_runs_are_set_against_each_other(made: Made) -> None:
    found = compare([made("one", *range(4)), made("other", *range(2, 20))])

    (pair,) = found.pairs
    assert (pair.first, pair.second) == ("A", "B")
    assert pair.difference.value == pytest.approx((36 - 22) / 40)
    assert (pair.discordance.first_only, pair.discordance.second_only) == (16, 2)
    assert pair.discordance.by_example == pytest.approx(binomtest(2, 18).pvalue)
    assert pair.agreement.share == pytest.approx(22 / 40)
    assert [(each.run.name, each.rank) for each in found.standings] == [
        ("A", 1),
        ("B", 2),
    ]


def test_runs_that_noise_tells_apart_share_their_rank(made: Made) -> None:
    found = compare([made("one", 0, 1, 2), made("other", 3, 4)])

    assert [each.rank for each in found.standings] == [1, 1]
    assert [each.run.name for each in found.standings] == ["B", "A"]


def test_a_run_against_its_equal_is_not_certain(made: Made) -> None:
    (pair,) = compare([made("one", 3), made("other", 3)]).pairs

    assert pair.difference.value == 0
    assert pair.difference.low == -pair.difference.high < -0.05
    assert pair.difference.smallest is None
    assert pair.corrected == 1


def test_the_same_runs_are_compared_to_the_same_bytes(made: Made) -> None:
    directories = [made("one", 1, 5), made("other", 1, 2, 8)]

    first, second = (comparison.as_json(compare(directories)) for _ in range(2))

    assert first == second


def test_a_pair_has_the_same_numbers_in_any_company(made: Made) -> None:
    directories = [made("one", 1), made("other", 2, 8), made("third", *range(9))]

    alone, among = compare(directories[:2]).pairs[0], compare(directories).pairs[0]

    assert alone.difference == among.difference
    assert alone.discordance == among.discordance


def test_p_values_are_corrected_over_all_pairs(made: Made) -> None:
    found = compare([made("a", 1), made("b", *range(9)), made("c", *range(20))])

    chances = [pair.discordance.by_prompt for pair in found.pairs]
    assert [pair.corrected for pair in found.pairs] == holm(chances)
    assert [pair.corrected for pair in found.pairs] != chances


def test_the_headline_is_the_rules(made: Made) -> None:
    options = {"average": "subsets"}
    found = compare([made("one", 0, **options), made("other", 1, 2, **options)])

    assert found.headline.official
    assert found.headline.means.endswith("the mean over subsets")
    assert found.pairs[0].difference.value == pytest.approx((2 / 30 - 1 / 10) / 2)


def test_a_headline_with_a_formula_of_its_own_is_said_to_be_left(made: Made) -> None:
    found = compare([made("one", 0, worth=0.5), made("other", 1, 2, worth=0.5)])

    assert not found.headline.official
    assert "the mean over examples" in dict(comparison.notes(found))["accuracy"]
    assert found.pairs[0].difference.value == pytest.approx(1 / 40)
    assert found.standings[0].accuracy == pytest.approx(39 / 40)


def test_runs_on_other_examples_are_refused_with_what_differs(made: Made) -> None:
    message = refused(made("one"), made("other", first=38, count=5))

    assert "one alone has 38 ('pair-0', 'pair-1', 'pair-2', ...)" in message
    assert "other alone has 3 ('pair-40', 'pair-41', 'pair-42')" in message
    assert "--common to compare the 2 that all have" in message


def test_the_common_examples_are_compared_when_asked(made: Made) -> None:
    directories = [made("one", 31, 0), made("other", 30, first=30)]

    found = compare(directories, common=True)

    assert (found.examples, found.left_out) == (10, 60)
    assert (
        "10 that all runs have; 60 others" in dict(comparison.notes(found))["examples"]
    )
    assert [each.accuracy for each in found.standings] == [0.9, 0.9]


@pytest.mark.parametrize("common", [False, True])
def test_the_order_of_a_run_does_not_matter(made: Made, common: bool) -> None:
    one, other = made("one", 1, 2, each=2), made("other", 2, *range(9, 30), each=2)
    turned = made("turned", 2, *range(9, 30), each=2, backwards=True)

    found = compare([one, turned], common=common)

    expected = compare([one, other])
    assert (found.pairs, found.alpha) == (expected.pairs, expected.alpha)
    assert found.left_out == 0


def test_an_example_that_is_another_is_found_in_any_order(made: Made) -> None:
    one, other = made("one"), made("other", subset="c", backwards=True)

    assert "example 'pair-0'" in refused(one, other, common=True)


def test_runs_without_a_common_example_are_refused(made: Made) -> None:
    message = refused(made("one"), made("other", first=90), common=True)

    assert "no example in common" in message


@pytest.mark.parametrize(
    ("key", "value"), [("dataset", "other"), ("revision", "2"), ("rule", "Rule(x)")]
)
def test_runs_of_other_data_or_another_rule_are_refused(
    made: Made, key: str, value: str
) -> None:
    directories = [made("one"), claimed(made("other"), key, value)]

    message = refused(*directories)

    assert message.startswith(f"the {key} of ")
    assert ("--common" in message) == (key != "rule")


@pytest.mark.parametrize("key", ["dataset", "revision"])
def test_parts_of_data_are_compared_on_what_is_in_both(made: Made, key: str) -> None:
    directories = [made("one", 1), claimed(made("other", count=10), key, "part")]

    found = compare(directories, common=True)

    assert (found.examples, found.left_out) == (10, 30)
    assert [each.accuracy for each in found.standings] == [1.0, 0.9]


def test_many_runs_are_read_as_neighbors_in_rank(made: Made) -> None:
    directories = [made(f"run-{n}", *range(n)) for n in range(11)]

    found = compare(directories)

    shown = [f"{each.first}{each.second}" for each in comparison.shown_pairs(found)]
    assert shown == ["AB", "BC", "CD", "DE", "EF", "FG", "GH", "HI", "IJ", "JK"]
    assert "all 55 are in the JSON" in dict(comparison.notes(found))["pairs"]
    assert len(json.loads(comparison.as_json(found))["pairs"]) == 55


@pytest.mark.parametrize(
    "change",
    [{"lengths": [5, 6]}, {"subset": "c"}, {"cluster": "prompt-1"}, {"correct": [1]}],
    ids=str,
)
def test_an_example_that_is_another_under_the_same_id_is_refused(
    made: Made, change: dict[str, Any]
) -> None:
    directories = [made("one"), made("other")]
    lines = told(directories[1])
    lines[7] |= change
    rewritten(directories[1], *lines)

    assert "example 'pair-7'" in refused(*directories)


@pytest.mark.parametrize(
    "change",
    [
        {"id": 7},
        {"id": ["pair-7"]},
        {"id": "pair-8"},
        {"subset": None},
        {"cluster": 3},
        {"credit": "1.0"},
        {"credit": 10**400},
        {"credit": float("inf")},
        {"failure": "no-such"},
        {"failure": []},
        {"winners": 3},
        {"winners": [5]},
        {"lengths": [-1, 3]},
        {"lengths": None},
        {"correct": 0},
    ],
    ids=str,
)
def test_outcomes_of_another_version_are_refused(
    made: Made, change: dict[str, Any]
) -> None:
    directories = [made("one"), made("other")]
    lines = told(directories[1])
    lines[7] |= change
    rewritten(directories[1], *lines)

    assert "damaged or another version's" in refused(*directories)


def test_outcomes_that_lack_a_field_are_refused(made: Made) -> None:
    directories = [made("one"), made("other")]
    lines = told(directories[1])
    del lines[7]["cluster"]
    rewritten(directories[1], *lines)

    assert "damaged or another version's" in refused(*directories)


@pytest.mark.parametrize("common", [False, True])
def test_a_run_of_which_nothing_counts_is_refused(made: Made, common: bool) -> None:
    directories = [made("one"), made("other")]
    rewritten(
        directories[1], *[line | {"credit": None} for line in told(directories[1])]
    )

    assert "could be scored" in refused(*directories, common=common)


def test_a_run_is_not_compared_with_itself(made: Made) -> None:
    directory = made("one")

    assert "given twice" in refused(directory, directory / ".." / "one")


def test_examples_of_a_prompt_are_swapped_together(made: Made) -> None:
    options = {"each": 4, "subset": "all"}
    found = compare([made("one", **options), made("other", *range(16), **options)])

    told = found.pairs[0].discordance
    assert found.shared_prompts
    assert told.by_example == pytest.approx(2 * 0.5**16)
    assert told.by_prompt == pytest.approx(2 * 0.5**4)
    assert (
        "several examples share a prompt" in dict(comparison.notes(found))["p"].lower()
    )


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_test_is_the_binomials(first_only: int, second_only: int) -> None:
    found = mcnemar(first_only, second_only)

    total = first_only + second_only
    theirs = binomtest(first_only, total).pvalue if total else 1.0
    assert found == pytest.approx(theirs, abs=1e-12)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9))
def test_swapping_prompts_of_one_example_each_is_mcnemars_test(
    first_only: int, second_only: int, alike: int
) -> None:
    found = swapped([1] * first_only + [-1] * second_only + [0] * alike)

    assert found == pytest.approx(mcnemar(first_only, second_only), abs=1e-9)


@given(st.lists(st.integers(-5, 5), max_size=9))
def test_the_test_by_prompt_counts_all_swaps(apart: list[int]) -> None:
    found = swapped(apart)

    sums = [
        sum(sign * each for sign, each in zip(signs, apart, strict=True))
        for signs in product((1, -1), repeat=len(apart))
    ]
    far = [each for each in sums if abs(each) >= abs(sum(apart))]
    assert found == pytest.approx(len(far) / len(sums), abs=1e-9)


@given(
    st.lists(
        st.tuples(*[st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 1.0])] * 2),
        min_size=1,
        max_size=8,
    )
)
def test_parts_of_an_example_count_for_what_they_are(
    credits: list[tuple[float, float]],  # noqa: A002
) -> None:
    first, second = (scored([*each]) for each in zip(*credits, strict=True))

    found = discordance(first, second)

    apart = [round(12 * one) - round(12 * other) for one, other in credits]
    assert found.apart == pytest.approx(sum(apart) / 12)
    assert found.by_prompt == pytest.approx(swapped(apart))


def test_a_test_of_too_many_steps_to_count_is_nearly_the_counted_one() -> None:
    rng = numpy.random.default_rng(7)
    apart = [Fraction(int(each), 420) for each in rng.integers(-400, 421, 600)]
    assert sum(abs(each) for each in apart) * 420 > STEPS

    found = swapped(apart)

    signs = rng.choice([-1.0, 1.0], (20_000, len(apart)))
    drawn = abs(signs @ [float(each) for each in apart])
    assert found == pytest.approx((drawn >= abs(float(sum(apart)))).mean(), abs=0.02)


def in_subsets(credits: list[float], subsets: int) -> list[Scored]:  # noqa: A002
    """Every prompt has one example in each subset, all of them worth the same."""
    return [
        Scored(f"{place}:{part}", str(part), str(place), credit, credit, credit)
        for place, credit in enumerate(credits)
        for part in range(subsets)
    ]


def test_prompts_of_several_subsets_are_drawn_once_for_all_of_them() -> None:
    rng = numpy.random.default_rng(2)
    ours, theirs = ([*rng.integers(0, 2, 60).astype(float)] for _ in range(2))

    whole = difference(Rule(), in_subsets(ours, 1), in_subsets(theirs, 1))
    parts = difference(Rule(), in_subsets(ours, 9), in_subsets(theirs, 9))

    assert parts.value == pytest.approx(whole.value)
    assert parts.error == pytest.approx(whole.error, rel=0.1)


def test_a_prompt_that_is_in_some_subsets_alone_is_drawn_for_those() -> None:
    rng = numpy.random.default_rng(3)
    ahead = rng.integers(-1, 2, 60).astype(float)
    ours, theirs = numpy.maximum(ahead, 0), numpy.maximum(-ahead, 0)
    both = [*range(5, 60, 4), 59]
    runs = [
        [
            row
            for row in in_subsets([*each], 2)
            if row.subset == "0" or int(row.cluster) in both
        ]
        for each in (ours, theirs)
    ]

    found = difference(Rule(average="subsets"), *runs)

    drawn = rng.integers(0, 60, (4000, 60))
    also = numpy.isin(drawn, both)
    second = (ahead[drawn] * also).sum(axis=1) / also.sum(axis=1)
    naive = (ahead[drawn].mean(axis=1) + second) / 2
    assert found.value == pytest.approx((ahead.mean() + ahead[both].mean()) / 2)
    assert found.error == pytest.approx(naive.std(), rel=0.06)


def test_prompts_of_several_subsets_are_swapped_once_for_all_of_them() -> None:
    ours, theirs = [1.0] * 6 + [0.0] * 2, [0.0] * 8

    whole, parts = (
        discordance(in_subsets(ours, subsets), in_subsets(theirs, subsets))
        for subsets in (1, 9)
    )

    assert parts.by_prompt == pytest.approx(whole.by_prompt)
    assert parts.apart == 9 * whole.apart


def test_holms_correction_is_the_one_worked_out_by_hand() -> None:
    chances = [0.01, 0.04, 0.03, 0.005]

    found = holm(chances)

    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert found == pytest.approx([*multipletests(chances, method="holm")[1]])


@given(st.lists(st.tuples(CREDIT, CREDIT), min_size=1, max_size=40))
def test_every_example_is_counted_once(
    credits: list[tuple[float | None, float | None]],  # noqa: A002
) -> None:
    first, second = (scored([pair[run] for pair in credits]) for run in (0, 1))

    found = discordance(first, second)

    alike = sum(one == other and one in (0.0, 1.0) for one, other in credits)
    parted = found.first_only + found.second_only
    assert parted + found.ties + found.unscored + alike == len(credits)
    assert found.unscored == sum(None in pair for pair in credits)


def test_the_difference_is_the_one_of_the_naive_bootstrap() -> None:
    rng = numpy.random.default_rng(3)
    first, second = (rng.random(240) < rate for rate in (0.7, 0.6))
    second[::2] = first[::2]
    apart = (first.astype(float) - second).reshape(80, 3).mean(axis=1)

    found = difference(
        Rule(), scored([*first.astype(float)], 3), scored([*second.astype(float)], 3)
    )

    naive = apart[rng.integers(80, size=(4000, 80))].mean(axis=1)
    assert found.value == pytest.approx(apart.mean())
    assert found.error == pytest.approx(naive.std(), rel=0.06)
    assert found.low == pytest.approx(numpy.percentile(naive, 2.5), abs=0.008)
    assert found.high == pytest.approx(numpy.percentile(naive, 97.5), abs=0.008)


def test_what_is_hard_for_both_cancels_out() -> None:
    hard = [float(number % 2) for number in range(200)]
    once = [*hard[:-1], 0.0]

    found = difference(Rule(), scored(hard), scored(once))

    assert (found.error or 1) < 0.01


@given(
    st.lists(st.tuples(CREDIT, CREDIT), min_size=1, max_size=20).filter(
        lambda pairs: all(
            any(pair[run] is not None for pair in pairs) for run in (0, 1)
        )
    )
)
def test_a_difference_is_that_of_two_headlines_and_lies_in_its_interval(
    credits: list[tuple[float | None, float | None]],  # noqa: A002
) -> None:
    first, second = (scored([pair[run] for pair in credits], 2) for run in (0, 1))

    found = difference(Rule(), first, second)

    ours, theirs = Rule().accuracy(first), Rule().accuracy(second)
    assert ours is not None
    assert theirs is not None
    assert found.value == pytest.approx(ours - theirs)
    assert -1 <= found.low <= found.high <= 1


def test_a_rank_is_one_more_than_how_many_are_better() -> None:
    """C is worse than A and no worse than B, which is no worse than A."""
    above = {(0, 2)}

    assert ranks(3, lambda one, other: (one, other) in above) == [1, 1, 2]


def test_runs_are_named_like_the_columns_of_a_spreadsheet() -> None:
    assert [letters(number) for number in (0, 25, 26, 701, 702)] == [
        "A",
        "Z",
        "AA",
        "ZZ",
        "AAA",
    ]


def test_a_judge_that_is_right_is_ahead_of_one_that_only_ties() -> None:
    tied = scored([0.5] * 20)
    right = scored([1.0] * 20)

    told = discordance(right, tied)

    assert (told.ties, told.apart) == (20, 10)
    assert told.by_prompt == pytest.approx(2 * 0.5**20)


def test_a_run_that_lost_outcomes_is_refused(made: Made) -> None:
    whole, cut = made("whole"), made("cut")
    file = cut / "outcomes.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))

    with pytest.raises(OutputError, match="39 of the run's 40 examples"):
        compare([whole, cut])


@pytest.fixture
def compared(made: Made) -> Compared:
    return compare([made("one", 3, *range(15)), made("other", 20), made("third", 9)])


def test_the_comparison_is_a_page_of_markdown(compared: Compared) -> None:
    page = comparison.markdown(compared)

    lines = page.splitlines()
    assert lines[0] == "pairs, 40 examples"
    assert sum(line.startswith("| A−") for line in lines) == 2
    for table in page.split("\n\n"):
        rows = [line.count("|") for line in table.splitlines() if line.startswith("|")]
        assert len(set(rows)) <= 1


def test_the_comparison_has_all_digits_in_json(compared: Compared) -> None:
    content = json.loads(comparison.as_json(compared))

    assert [each["run"] for each in content["runs"]][-1] == "A"
    assert content["pairs"][0]["difference"] == compared.pairs[0].difference.value
    assert content["pairs"][0]["better"] == "B"
    assert content["pairs"][2]["better"] is None


def test_a_terminal_of_80_columns_cuts_no_number(compared: Compared) -> None:
    from io import StringIO

    from rich.console import Console

    shown = StringIO()

    comparison.show(compared, Console(width=80, file=shown, highlight=False))

    words = shown.getvalue().split()
    for pair in compared.pairs:
        for cell in comparison.pair(pair).values():
            assert set(cell.split()) <= set(words)
    assert all(len(line) <= 80 for line in shown.getvalue().splitlines())


def test_names_cannot_command_a_terminal_nor_be_markup(tmp_path: Path) -> None:
    from io import StringIO

    from rich.console import Console

    evil = "jsonl\x1b[2J[/red]<script>|x"
    directories = []
    for name in ("one", "other"):
        directories.append(tmp_path / name)
        evaluate(judging(), Pairs(), output=directories[-1], baselines=False)
        file = directories[-1] / "results.json"
        content = {**read_results(file), "dataset": evil, "judge": evil}
        file.write_text(sealed(content))
    shown = StringIO()

    found = compare(directories)
    comparison.show(found, Console(width=120, file=shown, highlight=False))

    assert "[/red]<script>|x" in shown.getvalue()
    assert "\x1b" not in shown.getvalue() + comparison.markdown(found)
    assert "<script>" not in comparison.markdown(found)


def test_the_command_prints_the_comparison(made: Made) -> None:
    done = rrm("compare", made("one", 1), made("other", *range(20)))

    assert (done.returncode, done.stderr) == (0, "")
    assert "A−B" in done.stdout
    assert "+47.50" in done.stdout


def test_the_command_writes_files_in_place_of_printing(
    made: Made, tmp_path: Path
) -> None:
    page, content = tmp_path / "page.md", tmp_path / "content.json"
    directories = [made("one", 1), made("other", 2)]

    done = rrm("compare", *directories, "--markdown", page, "--json", content)

    assert (done.returncode, done.stdout) == (0, "")
    assert page.read_text() == comparison.markdown(compare(directories))
    assert json.loads(content.read_text())["format"] == 1


def test_the_command_says_a_mistake_in_one_sentence(made: Made) -> None:
    done = rrm("compare", made("one"), made("other", first=1))

    assert done.returncode == 2
    assert done.stderr.startswith("rrm-harness: the runs are not on the same examples")
    assert len(done.stderr.splitlines()) == 1


def test_one_run_is_not_compared(made: Made) -> None:
    done = rrm("compare", made("one"))

    assert done.returncode == 2
    assert "two or more" in done.stderr
