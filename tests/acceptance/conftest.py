"""Where the recorded data of published figures is; the tests skip without it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def recorded_data() -> Callable[[str], Path]:
    """Return a folder of recorded data by name, or skip the test.

    The folders are in RRM_HARNESS_DATA, or in shared/data beside the project.
    """
    beside = Path(__file__).parents[3] / "shared" / "data"
    data = Path(os.environ.get("RRM_HARNESS_DATA") or beside)

    def find(folder: str) -> Path:
        path = data / folder
        if not path.is_dir():
            pytest.skip(f"{path} is absent; set RRM_HARNESS_DATA to the recorded data")
        return path

    return find
