"""Nothing heavy is imported before it is needed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rrm_harness.conformance.fresh import HEAVY

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))


def imported(*command: str) -> set[str]:
    """The top-level names of all modules that a command imports."""
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +([\w.]+)", done.stderr, re.M)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-P", "-c", "import rrm_harness"],
        [sys.executable, "-P", "-c", "import rrm_harness.testing"],
        [sys.executable, "-P", "-c", "import rrm_harness.conformance.pytest_plugin"],
        [sys.executable, "-P", "-c", "import rrm_harness.rewards.server"],
        [sys.executable, "-P", "-c", "import rrm_harness.rewards.verl"],
        [COMMAND, "--help"],
        [COMMAND, "list", "judges"],
        [COMMAND, "list", "datasets"],
        [COMMAND, "list", "strategies"],
        [COMMAND, "list", "engines"],
        [COMMAND, "list", "heads"],
        [COMMAND, "list", "models"],
        [COMMAND, "list", "parsers"],
    ],
    ids=lambda command: " ".join(command[1:]),
)
def test_nothing_heavy_is_imported(command: list[str]) -> None:
    found = imported(*command)

    assert "rrm_harness" in found
    assert found & HEAVY == set()


def test_what_is_heavy_would_be_noticed() -> None:
    found = imported(sys.executable, "-P", "-c", "import numpy")

    assert found & HEAVY == {"numpy"}
