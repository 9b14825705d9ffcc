"""Figures: what is drawn is what was measured or published, and can be read."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import HarnessError, OutputError, SpecError, evaluate, models, stats
from rrm_harness.cli_figure import figure
from rrm_harness.figures import (
    bars,
    compute,
    drawing,
    estimates,
    frontier,
    labels,
    picture,
    published,
    reliability,
    runs,
)
from rrm_harness.figures.estimates import Estimate
from rrm_harness.figures.frontier import Frontier, Star, staircase
from rrm_harness.figures.room import Spot
from rrm_harness.models import Card, Published

Json = dict[str, Any]
HOSTILE = "$\\frac{1}{0}$ <script>\n\x00\u202e\ud800 e\u0301" + "\u0300" * 50 + " 猫"


def ignore(_: str) -> None:
    """Take a sentence that the test says nothing about."""


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with drawing.style():
        yield


def results(
    judge: str = "judge",
    dataset: str = "sample",
    strategy: str = "single",
    accuracy: float = 0.8,
    **other: Any,
) -> Json:
    """What results.json holds of a run of 100 examples, as far as figures read it."""
    interval = stats.wilson(100 * accuracy, 100)
    seed, model = other.pop("seed", 0), other.pop("model", "")
    return {
        "format": 1,
        "dataset": dataset,
        "judge": judge,
        "strategy": strategy,
        "n": 100,
        "examples": 100,
        "failed_examples": 0,
        **{name: {} for name in ("subsets", "sections", "baselines", "extra")},
        "failures": {},
        "bounds": [accuracy, accuracy],
        "accuracy": accuracy,
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "comparisons": 300,
        "cached": 0,
        "tokens": {"prompt": 0, "completion": 5000},
        "seconds": 50.0,
        "manifest": {
            "run": {"judge": judge, "seed": seed, "limit": None, "revision": "r"},
            "models": {"judge": {"id": model}} if model else {},
        },
        **other,
    }


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a run of made-up results; return its directory."""
    written: list[Path] = []

    def one(**told: Any) -> Path:
        place = tmp_path / f"run-{len(written)}"
        place.mkdir()
        (place / "results.json").write_text(json.dumps(results(**told)))
        written.append(place)
        return place

    return one


def read(*places: Path, **choice: Any) -> list[runs.Run]:
    return [*runs.Choice(**choice).read(places, {}, ignore)[0]]


def command(*arguments: object) -> str:
    """What the command prints."""
    asked = [str(each) for each in arguments]
    done = CliRunner().invoke(figure, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def refused(*arguments: object) -> str:
    """The sentence that the command ends with."""
    with pytest.raises(HarnessError) as error:
        command(*arguments)
    return str(error.value)


def texts(figure: Any) -> list[Any]:
    from matplotlib.text import Text

    return [each for each in figure.findobj(Text) if each.get_text()]


def marked(axes: Any, marker: str) -> list[tuple[float, float]]:
    """Where the points of some marker are, in the data's coordinates."""
    return [
        (float(x), float(y))
        for line in axes.get_lines()
        if line.get_marker() == marker
        for x, y in line.get_xydata()
    ]


def reaches(axes: Any) -> list[tuple[float, float]]:
    """The ends of all vertical interval bars."""
    return [
        (float(segment[0][1]), float(segment[1][1]))
        for container in axes.containers
        if hasattr(container, "has_yerr")
        for collection in container.lines[2]
        for segment in collection.get_segments()
    ]


def boxes(axes: Any, written: Sequence[str]) -> list[Any]:
    """The bounding boxes of labels in pixels."""
    found = [each for each in axes.texts if each.get_text() in written]
    return [each.get_window_extent() for each in found]


def card(name: str, size: float, *figures: Published) -> Card:
    return Card(name, "rrm", "MIT", size, 4096, "a page", published=figures)


def figure_of(benchmark: str, value: float, protocol: str = "once") -> Published:
    return Published(benchmark, value, protocol, "a paper")


class TestRuns:
    def test_a_real_run_is_read_as_it_was_measured(self, tmp_path: Path) -> None:
        measured = evaluate("longest", "sample", "single", output=tmp_path / "run")

        (run,) = read(tmp_path / "run")
        assert (run.judge, run.strategy, run.benchmark) == (
            "longest",
            "single",
            "sample",
        )
        assert run.accuracy == (measured.accuracy, *(measured.interval or ()))

    @pytest.mark.parametrize(
        ("spec", "name"),
        [
            ("rewardbench,path=/a/b", "rewardbench"),
            ("ppe,subset=math,path=x", "ppe math"),
            ("nano-arithmetic,seed=1,n=20", "nano-arithmetic,n=20,seed=1"),
            ("jsonl,path=a/mine.jsonl", "jsonl mine"),
            ("not, a spec", "not, a spec"),
        ],
    )
    def test_a_dataset_is_named_as_in_published_figures(
        self, spec: str, name: str
    ) -> None:
        assert runs.dataset_name(spec) == name

    def test_a_part_of_a_benchmark_is_another_benchmark(self, write: Write) -> None:
        place = write(dataset="rewardbench")
        told = json.loads((place / "results.json").read_text())
        told["manifest"]["run"]["limit"] = 10
        (place / "results.json").write_text(json.dumps(told))

        assert [run.benchmark for run in read(place)] == ["rewardbench, first 10"]

    def test_each_benchmark_counts_alike(self, write: Write) -> None:
        accuracies = {"a": [0.2, 0.4], "b": [0.9]}
        places = [
            write(dataset=name, accuracy=each)
            for name, values in accuracies.items()
            for each in values
        ]

        (point,) = runs.points(read(*places))
        assert point.accuracy.value == pytest.approx((0.3 + 0.9) / 2)

    def test_judges_that_lack_a_benchmark_are_named(self, write: Write) -> None:
        places = [write(judge="one", dataset=each) for each in ("a", "b")]
        places.append(write(judge="two", dataset="a"))

        with pytest.raises(SpecError, match="'two' under 'single' has no run of b"):
            runs.points(read(*places))

    def test_a_judge_may_have_each_benchmarks_own_protocol(self, write: Write) -> None:
        places = [write(dataset="a"), write(dataset="b", strategy="both-orders")]

        (point,) = runs.points(read(*places))
        assert point.strategy == "single / both-orders"

    def test_judges_of_one_name_are_one(self, write: Write) -> None:
        places = [write(judge=f"recorded,path={each}", dataset=each) for each in "ab"]

        names = {f"recorded,path={each}": "o1" for each in "ab"}
        (point,) = runs.points(read(*places, names=names))
        assert point.judge == "o1"

    def test_judges_whose_folders_have_one_name_stay_apart(self, write: Write) -> None:
        places = [write(judge=f"rrm,model=/{each}/last") for each in "ab"]

        assert len({run.judge for run in read(*places)}) == 2

    def test_data_of_two_revisions_are_two_benchmarks(self, write: Write) -> None:
        places = [write(judge=each) for each in "ab"]
        told = json.loads((places[0] / "results.json").read_text())
        told["manifest"]["run"]["revision"] = "other"
        (places[0] / "results.json").write_text(json.dumps(told))

        with pytest.raises(SpecError, match="the same benchmarks"):
            runs.points(read(*places))


class TestEstimates:
    def test_the_mean_of_one_benchmark_is_its_own(self) -> None:
        own = Estimate(0.8, 0.7, 0.85)

        assert estimates.of_several([own]) == pytest.approx(own)

    def test_intervals_of_means_cover_as_often_as_they_say(self) -> None:
        """Three benchmarks of 60 to 400 examples; 2,000 draws of all; 95 ± 2 %."""
        shares, counts = (0.95, 0.7, 0.55), (60, 150, 400)
        rng = stats.generator("test", "macro")
        covered = 0
        for drawn in rng.binomial(counts, shares, size=(2000, 3)):
            parts = [
                Estimate(right / n, *stats.wilson(right, n)[:2])
                for right, n in zip(map(int, drawn), counts, strict=True)
            ]
            mean = estimates.of_several(parts)
            covered += mean.low <= sum(shares) / 3 <= mean.high
        assert covered / 2000 == pytest.approx(0.95, abs=0.02)

    def test_students_interval_is_scipys(self) -> None:
        from scipy.stats import ttest_1samp

        values = [0.8392, 0.8532, 0.8213]

        expected = ttest_1samp(values, 0).confidence_interval(0.95)
        assert estimates.student(values)[1:] == pytest.approx(tuple(expected))


class TestPublished:
    def test_a_circle_is_the_mean_of_figures_with_a_source(self) -> None:
        cards = {"m": card("m", 7, figure_of("a", 0.5), figure_of("b", 0.7))}

        (circle,) = published.circles(cards, ["a", "b"], {}, ignore)
        assert circle.value == pytest.approx(0.6)
        assert circle.parameters == 7
        assert circle.source.count("a paper") == 2

    def test_a_model_without_all_benchmarks_has_no_circle(self) -> None:
        cards = {"m": card("m", 7, figure_of("a", 0.5))}

        assert published.circles(cards, ["a", "b"], {}, ignore) == []

    def test_protocols_are_mixed_only_if_none_covers_all(self) -> None:
        figures = (figure_of("a", 0.5), figure_of("a", 0.9, "votes"))
        whole = card("whole", 7, *figures, figure_of("b", 0.7))
        mixed = card("mixed", 7, *figures, figure_of("b", 0.7, "raw"))

        found = published.circles(
            {"whole": whole, "mixed": mixed}, ["a", "b"], {}, ignore
        )
        protocols = {
            circle.model: {each.protocol for each in circle.figures} for circle in found
        }
        assert protocols == {"whole": {"once"}, "mixed": {"once", "raw"}}

    def test_a_figure_belongs_to_the_model_that_it_was_measured_on(self) -> None:
        told = Published("a", 0.5, "once", "a paper", measured_on="other")
        cards = {"m": card("m", 7, told), "other": card("other", 70)}

        (circle,) = published.circles(cards, ["a"], {}, ignore)
        assert (circle.model, circle.parameters) == ("other", 70)

    def test_a_model_of_unknown_size_is_named_and_left_out(self) -> None:
        told = Published("a", 0.5, "once", "a paper", measured_on="other")
        said: list[str] = []

        found = published.circles({"m": card("m", 7, told)}, ["a"], {}, said.append)
        assert found == []
        assert "other" in said[0]
        assert "--parameters" in said[0]

    def test_ppes_headline_is_the_mean_of_its_printed_subsets(self) -> None:
        parts = [figure_of(f"ppe {each}", 0.6) for each in ("mmlu-pro", "math")]
        cards = {"m": card("m", 7, *parts, figure_of("ppe gpqa", 0.3))}

        (circle,) = published.circles(cards, ["ppe"], {}, ignore)
        assert circle.value == pytest.approx(0.5)

    def test_all_cards_figures_of_rewardbench_are_drawn_where_they_were_read(
        self,
    ) -> None:
        cards = models.cards()

        found = published.circles(cards, ["rewardbench"], {}, ignore)
        printed = {
            (each.measured_on or name, each.value)
            for name, known in cards.items()
            for each in known.published
            if each.benchmark == "rewardbench"
        }
        assert found
        assert {(each.model, each.value) for each in found} <= printed


class TestFrontier:
    def drawn(self, shown: Frontier) -> Any:
        return picture.of_frontier(shown, ignore).axes[0]

    def test_stars_are_at_size_and_accuracy_with_their_interval(self) -> None:
        star = Star("a", 7.6, Estimate(0.8, 0.7, 0.85))

        axes = self.drawn(Frontier(("x",), (star,), ()))
        assert marked(axes, "*") == [(7.6, pytest.approx(80))]
        assert reaches(axes) == [(pytest.approx(70), pytest.approx(85))]

    def test_published_points_are_circles_apart_from_the_stars(self) -> None:
        star = Star("a", 7, Estimate(0.8, 0.7, 0.85))
        cards = {"m": card("m", 32, figure_of("x", 0.9))}

        found = published.circles(cards, ["x"], {}, ignore)
        axes = self.drawn(Frontier(("x",), (star,), tuple(found)))
        assert marked(axes, "o") == [(32, pytest.approx(90))]
        assert marked(axes, "*") == [(7, pytest.approx(80))]
        told = [each.get_text() for each in axes.get_legend().get_texts()]
        assert told[:2] == ["measured, 95 % interval", "published"]

    def test_the_size_comes_from_the_models_card(self, write: Write) -> None:
        place = write(judge="rrm,size=7b", model="Reward-Reasoning/RRM-7B")

        shown = frontier.collect(read(place), [], {}, False, ignore)
        assert shown.stars[0].parameters == 7.6

    @pytest.mark.parametrize("named", ["rrm,model=/x/y", "rrm,model=y", "/x/y"])
    def test_a_size_can_be_given_by_any_name(self, write: Write, named: str) -> None:
        place = write(judge="rrm,model=/x/y", model="/x/y")

        shown = frontier.collect(read(place), [], {named: 3.0}, False, ignore)
        assert shown.stars[0].parameters == 3

    def test_a_judge_of_unknown_size_is_named_and_left_out(self, write: Write) -> None:
        places = [write(judge="known"), write(judge="unknown")]
        said: list[str] = []

        shown = frontier.collect(read(*places), [], {"known": 1}, False, said.append)
        assert [star.label for star in shown.stars] == ["known"]
        assert any("unknown; give --parameters" in each for each in said)

    def test_published_figures_can_be_switched_off(self, write: Write) -> None:
        run = read(write(dataset="rewardbench"))

        found = [
            frontier.collect(run, [], {"judge": 1}, each, ignore).circles
            for each in (True, False)
        ]
        assert found[0]
        assert not found[1]

    def test_the_region_ends_at_the_best_so_far(self) -> None:
        stars = [
            Star(str(size), size, Estimate(value, value, value))
            for size, value in ((1, 0.5), (2, 0.4), (4, 0.7))
        ]

        assert Frontier(("x",), tuple(stars), ()).corners == [(1, 0.5), (4, 0.7)]

    @given(
        st.lists(
            st.tuples(st.floats(0.001, 1000), st.floats(0, 1)), min_size=1, max_size=20
        )
    )
    def test_the_staircase_rises_and_no_point_is_above_it(
        self, found: list[tuple[float, float]]
    ) -> None:
        corners = staircase(found)

        assert all(
            low[0] < high[0] and low[1] < high[1] for low, high in pairwise(corners)
        )
        for size, value in found:
            assert value <= max(each for at, each in corners if at <= size)
        assert set(corners) <= set(found)


class TestLabels:
    @pytest.mark.parametrize("crowd", ["spread", "one size", "one place", "edges"])
    def test_thirty_labels_neither_overlap_nor_leave_the_axes(self, crowd: str) -> None:
        axes, spots = crowded(crowd)

        assert labels.place(axes, spots) == []

        written = boxes(axes, [spot.text for spot in spots])
        assert len(written) == 30
        frame = axes.get_window_extent()
        for box in written:
            assert frame.x0 <= box.x0 < box.x1 <= frame.x1
            assert frame.y0 <= box.y0 < box.y1 <= frame.y1
        for one, other in combinations(written, 2):
            assert not one.overlaps(other)

    def test_spread_labels_cover_no_marker(self) -> None:
        axes, spots = crowded("spread")

        labels.place(axes, spots)

        for box in boxes(axes, [spot.text for spot in spots]):
            for spot in spots:
                x, y = axes.transData.transform((spot.x, spot.y))
                assert not box.contains(x, y)

    def test_what_has_no_room_is_told_and_not_drawn(self) -> None:
        made = drawing.blank(1.5, 1.5)
        axes = made.add_subplot()
        drawing.settle(made)
        spots = [Spot(0.5, 0.5, 0.5, 0.5, f"label {each}") for each in range(30)]

        unplaced = labels.place(axes, spots)

        written = boxes(axes, [spot.text for spot in spots])
        assert 0 < len(unplaced) < 30
        assert len(written) == 30 - len(unplaced)


def crowded(crowd: str) -> tuple[Any, list[Spot]]:
    """A frontier's axes with thirty labels of twenty letters to write."""
    made = drawing.blank(drawing.PAGE, picture.FRONTIER_HEIGHT)
    axes = made.add_subplot()
    axes.set(xscale="log", xlim=(0.5, 100), ylim=(40, 100))
    drawing.settle(made)
    rng = stats.generator("test", "labels")
    x = numpy.exp(rng.uniform(0, 4, 30))
    y = rng.uniform(50, 95, 30)
    x = numpy.full(30, 7.0) if crowd in ("one size", "one place") else x
    y = numpy.full(30, 70.0) if crowd == "one place" else y
    if crowd == "edges":
        x = rng.choice([0.6, 90.0], 30)
    spots = [
        Spot(
            float(at),
            float(high),
            float(high) - 2,
            float(high) + 2,
            f"Judge-{n:02}-of-a-7B-model",
        )
        for n, (at, high) in enumerate(zip(x, y, strict=True))
    ]
    return axes, spots


class TestBars:
    def test_a_bar_is_the_mean_over_seeds_with_students_interval(
        self, write: Write
    ) -> None:
        values = [0.7392, 0.8532, 0.6213]  # that part further than chance would
        seeds = read(*(write(accuracy=each, seed=n) for n, each in enumerate(values)))

        found = bars.collect({"after": seeds}, ignore)
        axes = picture.of_bars(found).axes[0]
        mean, low, high = (100 * each for each in estimates.student(values))
        assert [patch.get_height() for patch in axes.patches] == [pytest.approx(mean)]
        assert reaches(axes) == [(pytest.approx(low), pytest.approx(high))]
        assert [y for _, y in marked(axes, "o")] == pytest.approx(
            [100 * each for each in values]
        )

    def test_seeds_that_agree_are_no_surer_than_each_is(self, write: Write) -> None:
        seeds = read(*(write(accuracy=0.8, seed=n) for n in range(3)))
        said: list[str] = []

        (bar,) = bars.collect({"after": seeds}, said.append)
        assert bar.mean == pytest.approx(seeds[0].accuracy)
        assert "their own" in said[0]

    def test_the_same_run_again_is_no_other_seed(self, write: Write) -> None:
        place = write(accuracy=0.6)
        said: list[str] = []

        (bar,) = bars.collect({"before": read(place, place, place)}, said.append)
        assert bar.mean == read(place)[0].accuracy
        assert "the run's own" in said[0]

    def test_bars_begin_at_zero(self, write: Write) -> None:
        found = bars.collect({"a": read(write(accuracy=0.97))}, ignore)

        assert picture.of_bars(found).axes[0].get_ylim()[0] == 0

    def test_the_gain_is_that_of_pairs(self, write: Write) -> None:
        before = read(*(write(accuracy=0.6, seed=n) for n in range(3)))
        after = read(*(write(accuracy=0.8 + n / 100, seed=n) for n in range(3)))
        said: list[str] = []

        bars.collect({"before": before, "after": after}, said.append)
        gain = estimates.student([0.2, 0.21, 0.22])
        told = re.search(r"([+-][\d.]+) points, ([+-][\d.]+) to ([+-][\d.]+)", said[-1])
        assert told
        assert [float(each) for each in told.groups()] == pytest.approx(
            [100 * each for each in gain], abs=0.051
        )

    def test_a_group_that_lacks_a_benchmark_is_named(self, write: Write) -> None:
        groups = {
            "before": read(write(dataset="a")),
            "after": read(write(dataset="a"), write(dataset="b")),
        }

        with pytest.raises(SpecError, match="'before' has no run of b"):
            bars.collect(groups, ignore)

    def test_bars_differ_by_more_than_color(self, write: Write) -> None:
        groups = {name: read(write()) for name in ("before", "after")}

        axes = picture.of_bars(bars.collect(groups, ignore)).axes[0]
        assert len({patch.get_hatch() for patch in axes.patches}) == 2


class TestCompute:
    @pytest.mark.parametrize(
        ("cost", "each"), [("comparisons", 3), ("tokens", 50), ("seconds", 0.5)]
    )
    def test_a_point_is_at_its_cost_an_example(
        self, write: Write, cost: compute.Cost, each: float
    ) -> None:
        shown = compute.collect(read(write()), cost, ignore)

        axes = picture.of_compute(shown, ignore).axes[0]
        assert marked(axes, "o") == [(pytest.approx(each), pytest.approx(80))]

    def test_a_judge_is_one_line_by_cost(self, write: Write) -> None:
        places = [
            write(strategy=f"voting,k={k}", comparisons=100 * k) for k in (5, 1, 3)
        ]
        places.append(write(judge="other"))

        shown = compute.collect(read(*places), "comparisons", ignore)
        axes = picture.of_compute(shown, ignore).axes[0]
        assert [x for x, _ in marked(axes, "o")] == [1, 3, 5]
        assert [x for x, _ in marked(axes, "s")] == [3]

    def test_seconds_of_stored_judgments_are_not_drawn(self, write: Write) -> None:
        places = [write(cached=5, strategy="voting"), write()]
        said: list[str] = []

        shown = compute.collect(read(*places), "seconds", said.append)
        assert [each.strategy for each in shown.paid] == ["single"]
        assert "from a store" in said[0]

    def test_runs_that_all_came_from_a_store_have_no_seconds(
        self, write: Write
    ) -> None:
        with pytest.raises(SpecError, match="every run's judgments came from a store"):
            compute.collect(read(write(cached=5)), "seconds", ignore)


class TestReliability:
    BINS = (
        {"n": 40, "confidence": 0.9, "accuracy": 0.85},
        {"n": 0, "confidence": None, "accuracy": None},
        {"n": 10, "confidence": 0.6, "accuracy": 0.5},
    )

    def test_bins_are_drawn_with_wilsons_interval_and_their_counts(
        self, write: Write
    ) -> None:
        place = write(calibration={"bins": self.BINS})

        curves = reliability.collect(read(place), ignore)
        above, below = picture.of_reliability(curves).axes
        assert marked(above, "o") == [(60, 50), (90, 85)]
        low, high, _ = stats.wilson(5, 10)
        assert reaches(above)[0] == (
            pytest.approx(100 * low),
            pytest.approx(100 * high),
        )
        assert [patch.get_height() for patch in below.patches] == [10, 40]

    def test_small_bins_are_seen_beside_full_ones(self, write: Write) -> None:
        bins = [{**self.BINS[0], "n": 2000}, {**self.BINS[2], "n": 4}]

        curves = reliability.collect(read(write(calibration={"bins": bins})), ignore)
        made = picture.of_reliability(curves)
        assert made.axes[1].get_yscale() == "log"
        assert not any("math" in each.get_text() for each in texts(made))

    @pytest.mark.parametrize("told", [None, {}, {"bins": []}])
    def test_a_run_without_calibration_is_left_out(
        self, write: Write, told: Any
    ) -> None:
        places = [
            write(calibration=told),
            write(calibration={"bins": self.BINS}),
        ]
        said: list[str] = []

        curves = reliability.collect(read(*places), said.append)

        assert len(curves) == 1
        assert "is left out: it has no calibration" in said[0]

    def test_nothing_but_runs_without_calibration_is_refused(
        self, write: Write
    ) -> None:
        with pytest.raises(OutputError, match="no run has a calibration"):
            reliability.collect(read(write(calibration=None)), ignore)


class TestNames:
    def test_a_dollar_starts_no_mathematics(self, write: Write, tmp_path: Path) -> None:
        place = write(judge=HOSTILE, strategy=HOSTILE, dataset=HOSTILE)

        run = read(place)
        shown = frontier.collect(run, [], {HOSTILE: 1.0}, False, ignore)
        made = picture.of_frontier(shown, ignore)
        assert not any(each.get_parse_math() for each in texts(made))
        assert any("$\\frac{1}{0}$" in each.get_text() for each in texts(made))

    @pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
    @pytest.mark.parametrize("drawn", ["frontier", "bars", "compute", "reliability"])
    def test_any_name_can_be_drawn(
        self, write: Write, tmp_path: Path, kind: str, drawn: str
    ) -> None:
        told = {"judge": HOSTILE, "strategy": HOSTILE, "dataset": HOSTILE}
        place = write(**told, calibration={"bins": TestReliability.BINS})

        output = tmp_path / f"drawn.{kind}"
        asked = [place, "--kind", drawn, "--output", output]
        asked += ["--parameters", f"{HOSTILE}=7"] if drawn == "frontier" else []
        printed = command(*asked)
        assert output.stat().st_size > 1000
        assert "\x00" not in printed
        assert "\u202e" not in printed

    @given(st.text(max_size=80))
    def test_a_name_is_one_short_line_of_known_characters(self, text: str) -> None:
        drawn = drawing.short(text, 20)

        assert len(drawn) <= 20
        assert drawn == drawing.plain(drawn) or "\ufffd" in drawn
        assert drawn.isprintable()

    def test_a_long_name_keeps_its_ends(self) -> None:
        drawn = drawing.short("Skywork-Reward-V2-Llama-3.1-8B-40M", 20)

        assert len(drawn) == 20
        assert drawn.startswith("Skywork")
        assert drawn.endswith("40M")
        assert "…" in drawn


class TestFiles:
    @pytest.mark.parametrize(
        ("kind", "signature"),
        [("svg", b"<?xml"), ("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF-")],
    )
    def test_the_ending_says_the_format(
        self, write: Write, tmp_path: Path, kind: str, signature: bytes
    ) -> None:
        output = tmp_path / "deeper" / f"drawn.{kind}"

        command(write(), "--kind", "bars", "--output", output)
        assert output.read_bytes().startswith(signature)
        assert (b"<svg" in output.read_bytes()) == (kind == "svg")

    @pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
    def test_the_same_command_gives_the_same_bytes(
        self, write: Write, tmp_path: Path, kind: str
    ) -> None:
        """In another process, with another hash seed and clock."""
        place, output = write(), tmp_path / f"drawn.{kind}"
        asked = [place, "--parameters", "judge=7", "--output", output]
        command(*asked)
        first = output.read_bytes()

        subprocess.run(
            [Path(sys.executable).with_name("rrm-harness"), "figure", *map(str, asked)],
            env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
            check=True,
            capture_output=True,
        )
        assert output.read_bytes() == first

    def test_a_users_own_settings_change_nothing(
        self, write: Write, tmp_path: Path
    ) -> None:
        import matplotlib

        asked = [write(), "--kind", "bars", "--output"]
        command(*asked, tmp_path / "plain.svg")
        with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
            command(*asked, tmp_path / "styled.svg")

        one, other = (tmp_path / f"{each}.svg" for each in ("plain", "styled"))
        assert one.read_bytes() == other.read_bytes()

    def test_the_sources_of_published_figures_are_printed_and_kept_inside(
        self, tmp_path: Path
    ) -> None:
        output = tmp_path / "drawn.svg"

        printed = command("--dataset", "rewardbench", "--output", output)
        inside = "".join(ElementTree.fromstring(output.read_text()).itertext())  # noqa: S314
        assert "microsoft/LMOps@af6bc85" in printed
        assert "microsoft/LMOps@af6bc85" in inside

    def test_nothing_is_smaller_than_eight_points(
        self, write: Write, tmp_path: Path
    ) -> None:
        shown = frontier.collect(read(write()), [], {"judge": 1}, False, ignore)
        bar = bars.collect({"a": read(write())}, ignore)

        made = picture.paper(shown, bar, ignore)
        assert min(each.get_fontsize() for each in texts(made)) >= 8
        assert made.get_figwidth() == drawing.PAGE

    def test_no_text_leaves_the_paper(self, write: Write) -> None:
        long = "x" * 200
        run = read(write(judge=long, strategy=long, dataset=long))
        shown = frontier.collect(run, [], {long: 1}, False, ignore)

        made = picture.paper(shown, bars.collect({long: run}, ignore), ignore)
        drawn = made.get_tightbbox()
        assert 0 <= drawn.x0 < drawn.x1 <= made.get_figwidth()
        assert 0 <= drawn.y0 < drawn.y1 <= made.get_figheight()


class TestPreset:
    def test_the_paper_has_the_frontier_left_and_the_bars_right(
        self, write: Write, tmp_path: Path
    ) -> None:
        judge, before, after = write(), write(seed=1), write(seed=2, accuracy=0.9)

        command(
            *(judge, "--preset", "paper", "--parameters", "judge=7"),
            *("--before", before, "--after", after),
            *("--output", tmp_path / "paper.svg"),
        )
        assert (tmp_path / "paper.svg").exists()

    def test_policies_are_known_by_their_strategy(self, write: Write) -> None:
        judges = read(write(), write(judge="policy", strategy="repeated,k=4"))

        left, right = picture.divided(judges, {})
        assert [run.judge for run in left] == ["judge"]
        assert [*right] == ["policy"]

    def test_a_pattern_names_all_seeds(self, write: Write, tmp_path: Path) -> None:
        for seed in range(3):
            write(seed=seed, accuracy=0.8 + seed / 100)

        printed = command(
            *("--group", f"after={tmp_path}/run-*", "--output", tmp_path / "b.svg")
        )
        assert "3 runs" in printed


class TestRefusals:
    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            (["--output", "drawn.gif"], ".svg, .png or .pdf"),
            (["--output", "drawn"], ".svg, .png or .pdf"),
            (["--output", "d.svg", "--parameters", "judge"], "JUDGE=BILLIONS"),
            (["--output", "d.svg", "--parameters", "judge=big"], "write billions"),
            (["--output", "d.svg", "--parameters", "judge=-1"], "write billions"),
            (["--output", "d.svg", "--parameters", "judge=nan"], "write billions"),
            (["--output", "d.svg", "--parameters", "other=7"], "the judges are: judge"),
            (["--output", "d.svg", "--name", "other=x"], "there is: judge"),
            (["--output", "d.svg", "--dataset", "other"], "there is: sample"),
            (["--output", "d.svg", "--strategy", "other"], "there is: single"),
            (["--output", "d.svg"], "--parameters JUDGE=BILLIONS"),
            (["--output", "d.svg", "--preset", "paper"], "--before DIR"),
            (["--output", "d.svg", "--kind", "reliability"], "nothing to draw"),
        ],
    )
    def test_a_mistake_is_one_sentence_with_the_way_out(
        self, write: Write, asked: list[str], said: str
    ) -> None:
        told = refused(write(), *asked)

        assert said in told
        assert "\n" not in told

    def test_a_directory_without_a_run_is_named(self, tmp_path: Path) -> None:
        told = refused(tmp_path, "--output", tmp_path / "d.svg")

        assert str(tmp_path) in told

    def test_a_pattern_that_names_nothing_is_told(self, tmp_path: Path) -> None:
        told = refused(f"{tmp_path}/none-*", "--output", tmp_path / "d.svg")

        assert "nothing is named" in told

    def test_a_run_without_a_score_is_told(self, write: Write, tmp_path: Path) -> None:
        place = write()
        told = json.loads((place / "results.json").read_text())
        told |= {"accuracy": None, "accuracy_low": None, "accuracy_high": None}
        (place / "results.json").write_text(json.dumps(told))

        assert "nothing was scored" in refused(place, "--output", tmp_path / "d.svg")

    @pytest.mark.parametrize(
        "asked",
        [
            [],
            ["--preset", "paper", "--kind", "bars"],
            ["--before", "x"],
            ["--kind", "compute", "--dataset", "sample"],
        ],
    )
    def test_a_command_that_names_nothing_to_draw_is_a_wrong_usage(
        self, asked: list[str], tmp_path: Path
    ) -> None:
        done = CliRunner().invoke(figure, [*asked, "--output", str(tmp_path / "d.svg")])

        assert done.exit_code == 2
        assert "Usage" in done.output
