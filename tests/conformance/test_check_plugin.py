"""`rrm-harness check plugin SPEC`, and what it means to be found."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rrm_harness import SpecError
from rrm_harness.cli_check import check
from rrm_harness.conformance import check as tried
from rrm_harness.conformance import names, verdict
from rrm_harness.conformance.kit import properties
from rrm_harness.conformance.subject import KINDS, Subject
from rrm_harness.scaffold import Scaffold


def ran(spec: str) -> Result:
    return CliRunner().invoke(check, ["plugin", spec])


def test_every_property_has_a_line_with_its_verdict() -> None:
    done = ran("longest")

    lines = [line.split()[:2] for line in done.output.splitlines()[1:]]
    assert done.exit_code == 0
    assert [name for name, _ in lines] == [each.name for each in properties("judges")]
    assert {verdict for _, verdict in lines} == {"holds", "skipped"}


def test_what_cannot_be_built_by_its_name_is_no_success() -> None:
    done = ran("recorded")

    assert done.exit_code == 1
    assert "recorded needs path=" in done.output


def test_a_new_judge_that_asks_a_model_keeps_its_promises(
    tmp_path: Path, laid_out: Callable[[Path, str], Path]
) -> None:
    Scaffold("judge", "my-chat", True).write(tmp_path / "new")
    (tmp_path / "new" / "test_my_chat.py").unlink()
    program = "from rrm_harness.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, "check", "plugin", "my-chat"],
        env={**os.environ, "PYTHONPATH": str(laid_out(tmp_path / "new", "chat"))},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" holds ") == len(properties("judges"))


def test_a_wrong_option_is_told_before_anything_is_tried() -> None:
    with pytest.raises(SpecError, match="no option 'kk'"):
        list(tried("voting,kk=3"))


@pytest.mark.parametrize("promise", names("strategies"))
def test_a_test_of_ones_own_asks_for_one_verdict(promise: str) -> None:
    assert verdict("strategies", "single", promise).kept


def test_an_unknown_promise_is_told_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="did you mean 'any-order'"):
        verdict("strategies", "single", "any-orders")


def test_the_kind_may_be_said() -> None:
    assert Subject.named("strategies:single,order=seeded").title == (
        "strategies:single,order=seeded"
    )


def test_a_nest_is_a_strategy() -> None:
    assert Subject.named("knockout of voting,k=3").kind == "strategies"


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_short_and_promises_are_sentences(kind: str) -> None:
    promised = properties(kind)

    assert len({each.name for each in promised}) == len(promised)
    assert all(each.name.replace("-", "").isalpha() for each in promised)
    assert all(each.promise.endswith(".") for each in promised)


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_names_every_property(kind: str) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    row = next(
        line for line in readme.splitlines() if line.startswith(f"| `{kind}` | `")
    )

    assert all(f"`{each.name}`" in row for each in properties(kind))
