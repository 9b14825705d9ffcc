"""The fakes for authors of plugins make whole runs."""

from pathlib import Path

from rrm_harness import BadRow, Judgment, evaluate
from rrm_harness.testing import EXAMPLES, FakeDataset, FakeJudge


def test_a_fake_judge_judges_a_fake_dataset(tmp_path: Path) -> None:
    judge = FakeJudge(lambda asked: Judgment((1.0,) + (0.0,) * (len(asked.order) - 1)))

    result = evaluate(judge, FakeDataset(), output=tmp_path / "run", baselines=False)

    assert result.accuracy == 2 / 3  # the first is right twice
    assert {each.example.id for each in judge.asked} == {each.id for each in EXAMPLES}


def test_a_fake_dataset_yields_what_it_is_given(tmp_path: Path) -> None:
    items = [EXAMPLES[0], BadRow("line 2", "no prompt")]
    judge = FakeJudge(lambda _: Judgment((1.0, 0.0)))

    result = evaluate(
        judge, FakeDataset(items), output=tmp_path / "run", skip_bad_rows=True
    )

    assert result.results["n"] == 1
    assert result.results["skipped_rows"] == 1
