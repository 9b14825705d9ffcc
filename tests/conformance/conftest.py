"""Plugins that are laid out as distributions, without pip."""

from collections.abc import Callable
from pathlib import Path

import pytest
import verdicts


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Path]:
    """Make a folder of a folder's modules and their metadata, for PYTHONPATH."""
    return lambda source, name: verdicts.laid_out(
        source, tmp_path_factory.mktemp(name), name
    )
