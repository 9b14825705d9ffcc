"""Stores of an earlier version, whose upgrade is killed or has no room."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from resilience.cases import make_old
from resilience.runs import contents, look

from rrm_harness import Comparison, Completion, Judgment
from rrm_harness.store import RunStore
from rrm_harness.testing import example

SHARES = (0.01, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4)
"""Of the old store's bytes: at which byte of a file the upgrade meets its end."""
CUT_OFF = """
import resource, signal, sys
from pathlib import Path
from rrm_harness.errors import StoreError
from rrm_harness.store import RunStore
most = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[3]))
try:
    RunStore(Path(sys.argv[1])).close()
except StoreError as error:
    sys.exit(str(error))
"""
"""Upgrade a store, and be killed or refused at the first byte beyond so many."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of version 1 with 20,020 judgments."""
    path = tmp_path_factory.mktemp("old") / "judgments.sqlite"
    with RunStore(path) as store:
        for number in range(30):
            told = Judgment((1.0,), text="A", completions=(Completion("A"),))
            store.put(bytes([number]), Comparison.of(example()), told)
    make_old(path)
    return path


@pytest.fixture(scope="module")
def upgraded(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, upgraded undisturbed."""
    path = Path(shutil.copy(old, tmp_path_factory.mktemp("upgraded")))
    RunStore(path).close()
    return path


def cut_off(path: Path, most: int, how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CUT_OFF, str(path), str(most), how]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_upgrade_that_is_killed_leaves_the_old_store_or_the_new(
    old: Path, upgraded: Path, tmp_path: Path
) -> None:
    seen = set()
    for share in SHARES:
        (tmp_path / str(share)).mkdir()
        path = Path(shutil.copy(old, tmp_path / str(share)))

        done = cut_off(path, int(share * old.stat().st_size), "SIG_DFL")
        left = look(path)
        RunStore(path).close()

        assert (done.returncode, left.integrity) == (-signal.SIGXFSZ, "ok")
        assert left.judged == look(old).judged
        assert contents(path) == contents(upgraded)
        seen.add(left.version)
    assert seen == {1, 2}


@pytest.mark.parametrize("share", SHARES[:3])
def test_an_upgrade_that_cannot_write_is_one_sentence_and_loses_nothing(
    old: Path, upgraded: Path, tmp_path: Path, share: float
) -> None:
    path = Path(shutil.copy(old, tmp_path))

    done = cut_off(path, int(share * old.stat().st_size), "SIG_IGN")
    left = look(path)
    RunStore(path).close()

    (said,) = done.stderr.splitlines()
    assert str(path) in said
    assert "mend that and run again" in said
    assert left == look(old)
    assert contents(path) == contents(upgraded)


def test_an_upgraded_store_is_smaller(old: Path, upgraded: Path) -> None:
    """What was written twice is gone, and so is the room that it took."""
    assert upgraded.stat().st_size < old.stat().st_size
