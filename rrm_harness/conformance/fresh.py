"""Plugins in a process of their own: what they import, and what they come to there.

One process serves all plugins that are checked together. It has another hash seed than
this one. Each plugin is first imported in a fork of it that has imported none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple

HEAVY = frozenset(
    {
        "datasets",
        "evalica",
        "httpx",
        "huggingface_hub",
        "krippendorff",
        "lm_eval",
        "matplotlib",
        "numpy",
        "pandas",
        "pyarrow",
        "ray",
        "safetensors",
        "scipy",
        "starlette",
        "statsmodels",
        "tenacity",
        "torch",
        "transformers",
        "trl",
        "uvicorn",
        "vllm",
    }
)
"""What takes long to import, so that nothing may before it is used."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A plugin as the other process finds it; one that lacks an option is not built."""

    kind: str
    spec: str
    origin: str
    lacking: bool = False

    @property
    def key(self) -> str:
        """What its answer stands under."""
        return f"{self.kind}:{self.spec}"


class Told(NamedTuple):
    """What a plugin is in another process; `problem` is why it does not register."""

    heavy: Sequence[str]
    problem: str
    came_to: Mapping[str, str]


@dataclass
class Fresh:
    """The other process, started at the first question."""

    asked: Sequence[Asked]

    def told(self, asked: Asked) -> Told:
        """What a plugin imports there, and the digests of what it comes to."""
        return Told(*self._all[asked.key])

    @cached_property
    def _all(self) -> dict[str, Any]:
        mine = os.environ.get("PYTHONHASHSEED")
        others = [each for each in sys.path if each and not _installed(each)]
        environment = os.environ | {
            "PYTHONHASHSEED": "2" if mine == "1" else "1",
            "PYTHONPATH": os.pathsep.join(others),
        }
        done = subprocess.run(
            [sys.executable, "-P", "-m", "rrm_harness.conformance.fresh"],
            input=json.dumps([asdict(each) for each in self.asked]),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = done.stderr.strip().rpartition("\n")[2]
            raise RuntimeError(f"a fresh process did not come to an end: {last}")
        found: dict[str, Any] = json.loads(done.stdout.rpartition("\n")[2])
        return found


def _installed(place: str) -> bool:
    """Whether every Python here has this on its path."""
    return place.startswith((sys.prefix, sys.base_prefix))


def _heavy(asked: Asked) -> list[str]:
    """The heavy libraries that a plugin's registration imports, where none was yet."""
    from rrm_harness.host import GROUP, Host, called

    before = _loaded()
    wanted = [
        each for each in entry_points(group=GROUP) if called(each) == asked.origin
    ]
    Host(wanted).registry(asked.kind)
    return sorted(_loaded() - before)


def _loaded() -> set[str]:
    return {name.partition(".")[0] for name in sys.modules} & HEAVY


def _came_to(asked: Asked) -> dict[str, str]:
    """The digests of what a plugin comes to, by what they are of."""
    module = import_module(f"rrm_harness.conformance.{asked.kind}")
    digests: Callable[[Any], dict[str, str]] | None = getattr(module, "digests", None)
    if asked.lacking or digests is None:
        return {}
    from rrm_harness import host

    try:
        return digests(host.default().build(asked.kind, asked.spec))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _in_a_fork(
    work: Callable[[Asked], list[str]], asked: Asked
) -> tuple[list[str], str]:
    """What work comes to in a copy of this process, which stays as it was."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        found: tuple[list[str], str]
        try:
            found = work(asked), ""
        except BaseException as error:
            found = [], f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        heavy, problem = json.loads(answer.read() or b'[[], "it ended the process"]')
    os.waitpid(child, 0)
    return heavy, problem


def main() -> None:
    """Answer for all plugins that standard input lists."""
    asked = [Asked(**each) for each in json.load(sys.stdin)]
    weighed = {each.key: _in_a_fork(_heavy, each) for each in asked}
    told = {each.key: (*weighed[each.key], _came_to(each)) for each in asked}
    sys.stdout.write("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
