"""Put the start-up file for lm-eval at the root of the wheel, editable or not.

Python runs the line of a `.pth` file at its start, up to 3.17. The `.start` file of PEP
829, which would stand in for it from 3.15 on, is left out: it would import our package
in every process, and not only in lm-eval's.

setuptools loads this module by its path while it builds: nothing else is installed.
"""

from __future__ import annotations

from pathlib import Path

from setuptools.command import build_py as setuptools_build_py

FILES = {
    # Nothing of ours is imported in other commands, or if our folder was deleted by
    # hand; `arm` looks closer.
    "rrm_harness_lm_eval.pth": (
        'import sys; any("lm_eval" in word or "lm-eval" in word for word in'
        ' sys.orig_argv) and __import__("importlib.util").util.find_spec("rrm_harness")'
        ' and __import__("rrm_harness.lmeval.startup", fromlist=["arm"]).arm()\n'
    ),
}


class build_py(setuptools_build_py.build_py):  # type: ignore[misc]  # noqa: N801
    """Copy the modules, as setuptools does, and write the start-up file."""

    def run(self) -> None:
        """Build."""
        super().run()
        root = self._root()
        root.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            (root / name).write_text(text, encoding="utf-8")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return setuptools' files and ours; an editable wheel takes all it finds."""
        outputs: list[str] = super().get_outputs(include_bytecode)
        if self.editable_mode:
            return outputs
        return [*outputs, *(str(self._root() / name) for name in FILES)]

    def _root(self) -> Path:
        """The folder that becomes site-packages."""
        if self.editable_mode:
            return Path(self.get_finalized_command("install").install_lib)
        return Path(self.build_lib)
