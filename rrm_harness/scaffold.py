"""A new plugin: a distribution of its own, made from templates, ready to install."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rrm_harness import host, prompts
from rrm_harness.errors import OutputError, SpecError
from rrm_harness.files import write_whole

PLURALS: Mapping[str, str] = {
    "judge": "judges",
    "strategy": "strategies",
    "dataset": "datasets",
    "engine": "engines",
}
"""What can be made, and how the hooks call several of it."""
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A plugin that does not exist yet.

    Args:
        kind: One of PLURALS.
        name: What specs will call it, in kebab-case.
        prompted: Of a judge: whether it asks a chat model.

    Raises:
        SpecError: The name cannot be one, or is taken.
    """

    kind: str
    name: str
    prompted: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise SpecError(
                f"'{self.name}' is no name for a plugin; use small letters, digits and"
                " single hyphens, a letter first: my-judge"
            )
        taken = host.default().registry(PLURALS[self.kind]).get(self.name)
        if taken is not None:
            raise SpecError(
                f"the {self.kind} '{self.name}' is there already, from {taken.origin};"
                " take another name"
            )
        if keyword.iskeyword(self.module) or self.module in sys.stdlib_module_names:
            raise SpecError(
                f"a module called '{self.module}' would hide Python's own; take another"
                " name"
            )

    @property
    def module(self) -> str:
        """The name of its module."""
        return self.name.replace("-", "_")

    @property
    def distribution(self) -> str:
        """The name of its distribution, and of its folder: nothing that is imported."""
        return f"rrm-harness-{self.name}"

    def write(self, folder: Path) -> list[Path]:
        """Write the distribution into a folder that is not there yet.

        Raises:
            OutputError: The folder exists, or cannot be written.
        """
        if folder.exists():
            raise OutputError(f"{folder} is there already; name another with --output")
        written = []
        for name, text in self._files():
            write_whole(folder / name, text)
            written.append(folder / name)
        return written

    def _files(self) -> Iterator[tuple[str, str]]:
        values: dict[str, Any] = {
            "kind": self.kind,
            "plural": PLURALS[self.kind],
            "name": self.name,
            "module": self.module,
            "distribution": self.distribution,
            "class": "".join(map(str.capitalize, self.name.split("-"))),
        }
        source = "prompted" if self.prompted else self.kind
        yield "pyproject.toml", prompts.render("new/pyproject.toml.jinja", **values)
        yield f"{self.module}.py", prompts.render(f"new/{source}.py.jinja", **values)
        yield f"test_{self.module}.py", prompts.render("new/test.py.jinja", **values)
