"""Progress in a notebook, by what IPython is told to display."""

import os
import subprocess
import sys
from pathlib import Path

NOTEBOOK = """
class HTML:
    def __init__(self, data):
        self.data = data

class Shown:
    def update(self, what):
        print(what.data)

def display(what, display_id):
    print(what.data)
    return Shown()
"""
"""As much of IPython.display as a notebook's bar takes."""
PROGRAM = """
import builtins
from rrm_harness import evaluate

class ZMQInteractiveShell:
    pass

builtins.get_ipython = ZMQInteractiveShell
evaluate("longest", "sample", "single", progress=True)
"""


def test_a_notebook_shows_a_bar_without_widgets(tmp_path: Path) -> None:
    folder = tmp_path / "IPython"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "display.py").write_text(NOTEBOOK)

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert first == "judging"
    assert '<progress value="60" max="60"></progress> 60 of 60, ' in last
