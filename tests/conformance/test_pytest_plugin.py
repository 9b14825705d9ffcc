"""`pytest --rrm-conformance NAME`, as anyone's tests have it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "example_plugin"
OURS = ["mentions", "king-of-the-hill", "reasons"]
USAGE_ERROR = 4
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def example(laid_out: Callable[[Path, str], Path]) -> Path:
    return laid_out(EXAMPLE, "example")


@pytest.fixture(scope="module")
def planted(laid_out: Callable[[Path, str], Path]) -> Path:
    return laid_out(HERE / "planted", "planted")


@pytest.fixture
def run(example: Path, planted: Path, tmp_path: Path) -> Run:
    """Run pytest in a folder that has a test of its own, which passes."""
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        plain = [*arguments, "-p", "no:cacheprovider", "-W", "error"]
        path = os.pathsep.join(map(str, (example, planted)))
        return subprocess.run(
            [sys.executable, "-m", "pytest", *plain],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "400"},
            capture_output=True,
            text=True,
            check=False,
        )

    return ran


def options(*specs: str) -> list[str]:
    return [part for spec in specs for part in ("--rrm-conformance", spec)]


def counted(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The numbers in pytest's last line."""
    last = done.stdout.strip().rpartition("\n")[2]
    return {what: int(number) for number, what in re.findall(r"(\d+) ([a-z]+)", last)}


def test_the_examples_plugins_keep_what_they_promise(run: Run) -> None:
    done = run(*options(*OURS), "-v")

    assert done.returncode == 0, done.stdout + done.stderr
    assert counted(done) == {"passed": 29, "skipped": 1}
    assert "judges:mentions::determinism PASSED" in done.stdout


def test_with_nothing_named_no_other_test_runs(run: Run) -> None:
    done = run(*options("single"))

    assert "test_own" not in done.stdout
    assert counted(done) == {"passed": 10}


def test_named_tests_run_beside_the_properties(run: Run) -> None:
    done = run(*options("single"), "test_own.py")

    assert counted(done) == {"passed": 11}


def test_without_the_option_nothing_is_different(run: Run) -> None:
    assert counted(run()) == {"passed": 1}


def test_properties_are_selected_as_tests_are(run: Run) -> None:
    done = run(*options("single", "longest"), "-k", "resume")

    assert counted(done)["passed"] == 2


def test_several_processes_share_the_properties(run: Run) -> None:
    done = run(*options(*OURS), "-n", "2")

    assert done.returncode == 0, done.stdout + done.stderr
    assert counted(done) == {"passed": 29, "skipped": 1}


def test_a_broken_promise_is_a_sentence_without_a_traceback(run: Run) -> None:
    done = run(*options("bad-labels-in-range"))

    assert counted(done)["failed"] == 1
    assert "labels-in-range: example '2' has 2 responses" in done.stdout
    assert "conformance/" not in done.stdout


def test_an_unknown_name_ends_pytest_in_one_sentence(run: Run) -> None:
    done = run(*options("nobody"))

    assert done.returncode == USAGE_ERROR
    assert "no plugin is called 'nobody'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_of_several_kinds_has_to_say_which(run: Run) -> None:
    done = run(*options("bad-import-weight"))

    assert done.returncode == USAGE_ERROR
    assert "say which: judges:bad-import-weight" in done.stderr


def test_the_plugin_alone_imports_nothing_else_of_ours() -> None:
    """It is loaded by every pytest where rrm-harness is installed."""
    program = "import sys, pytest; pytest.main(['--markers']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    loaded = set(done.stdout.rpartition("\n\n")[2].split())
    ours = {each for each in loaded if each.startswith("rrm_harness.")}
    assert "rrm_harness.conformance.pytest_plugin" in ours
    assert ours <= {
        "rrm_harness.chance",
        "rrm_harness.conformance",
        "rrm_harness.conformance.pytest_plugin",
        "rrm_harness.errors",
        "rrm_harness.records",
    }
