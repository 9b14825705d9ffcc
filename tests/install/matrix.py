"""The bare commands in every combination of installs: `make test-install`.

Each row of the table that this prints is an environment of its own, where lm-eval and
we are installed as its name says, seen from an empty folder. A cell is a command of a
user's; the last ones are what `pip uninstall` leaves, and lm-eval by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
OLD, NEW = "0.4.12", "0.4.13"
OFF = {"RRM_HARNESS_NO_LM_EVAL_HOOK": "1"}
PAIR = {"id": 1, "prompt": "?", "chosen": "Because.", "rejected": "No."}
DOORS = {  # what upstream's plugin doors do, in our words
    "api/registry.py": """
def load_plugins(group, registry):
    from importlib.metadata import entry_points
    for each in entry_points(group=group):
        if each.name not in registry:
            registry.register(each.name, target=each.value)
""",
    "models/__init__.py": """
from lm_eval.api import registry as _registry
_registry.load_plugins("lm_eval.models", _registry.model_registry)
""",
    "tasks/manager.py": """
def discover_plugin_task_paths():
    from importlib.metadata import entry_points
    from importlib.util import find_spec
    found = [find_spec(each.value) for each in entry_points(group="lm_eval.tasks")]
    return [Path(each) for spec in found for each in spec.submodule_search_locations]

_build = TaskManager.__init__
def _with_plugins(self, verbosity=None, include_path=None, *rest, **options):
    given = include_path or []
    theirs = list(given) if isinstance(given, (list, tuple)) else [given]
    _build(self, verbosity, [*discover_plugin_task_paths(), *theirs], *rest, **options)
TaskManager.__init__ = _with_plugins
""",
}


@dataclass(frozen=True)
class Built:
    """Our wheel, lm-eval's wheels and its source, and what both need."""

    folder: Path
    ours: Path
    theirs: dict[str, Path]
    source: Path
    needs: Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment that finds what both need in another one."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def packages(self) -> Path:
        return next((self.folder / "lib").glob("python*/site-packages"))

    def command(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    def install(self, *what: str | Path) -> None:
        ran(self.python, "-m", "pip", "install", "-qq", "--no-deps", *map(str, what))

    def see(self, other: Path) -> None:
        """Find the packages of another environment, behind one's own."""
        (self.packages / f"zz_{len(list(self.packages.glob('zz_*')))}.pth").write_text(
            f"{other}\n"
        )


def ran(*command: str, **environment: str) -> str:
    """Run a command that must succeed; what it said."""
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}"[-4000:])
    return done.stdout


def build(folder: Path) -> Built:
    """Make and fetch everything, once."""
    ran(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT))
    (ours,) = folder.glob("rrm_harness-*.whl")
    needs = made(folder / "needs")
    limits = ("--constraint", str(ROOT / "constraints.txt"))
    ran(needs.python, "-m", "pip", "install", "-qq", *limits, str(ours))
    ran(needs.python, "-m", "pip", "uninstall", "-qq", "-y", "lm_eval", "rrm-harness")
    fetch = (
        needs.python,
        "-m",
        "pip",
        "download",
        "-qq",
        "--no-deps",
        "-d",
        str(folder),
    )
    theirs = {}
    for version in (OLD, NEW):
        ran(*fetch, "--only-binary", ":all:", f"lm-eval=={version}")
        (theirs[version],) = folder.glob(f"lm_eval-{version}-*.whl")
    ran(*fetch, "--no-binary", ":all:", "--no-build-isolation", f"lm-eval=={NEW}")
    (packed,) = folder.glob(f"lm_eval-{NEW}.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    return Built(folder, ours, theirs, source, needs.packages)


def made(folder: Path) -> Environment:
    ran(sys.executable, "-m", "venv", str(folder))
    return Environment(folder)


Install = Callable[[Environment, Built], str]
"""Installs a combination; says what `lm_eval` is there."""


def both(ours: str, theirs: str) -> Install:
    """Ours as a wheel or editable, with a version of lm-eval or its editable source."""

    def install(environment: Environment, built: Built) -> str:
        environment.see(built.needs)
        if theirs == "editable":
            environment.install("-e", built.source)
        else:
            environment.install(built.theirs[theirs])
        environment.install(*(["-e", ROOT] if ours == "editable" else [built.ours]))
        return environment.command("lm_eval")

    return install


def upgraded(environment: Environment, built: Built) -> str:
    """lm-eval's upgrade comes after us."""
    both("wheel", OLD)(environment, built)
    environment.install("--upgrade", built.theirs[NEW])
    return environment.command("lm_eval")


def overlaid(environment: Environment, built: Built) -> str:
    """lm-eval is in a base environment, we in one on top of it."""
    base = made(environment.folder.with_name("base"))
    base.install(built.theirs[NEW])
    environment.see(base.packages)
    environment.see(built.needs)
    environment.install(built.ours)
    return base.command("lm_eval")


def native(environment: Environment, built: Built) -> str:
    """An lm-eval that has doors for plugins."""
    program = both("wheel", NEW)(environment, built)
    for name, text in DOORS.items():
        with (environment.packages / "lm_eval" / name).open("a") as file:
            file.write(text)
    return program


COMBINATIONS: dict[str, Install] = {
    **{
        f"{ours} + lm-eval {theirs}": both(ours, theirs)
        for ours in ("wheel", "editable")
        for theirs in (OLD, NEW, "editable")
    },
    f"wheel + lm-eval {OLD}, upgraded to {NEW}": upgraded,
    f"wheel over a base with lm-eval {NEW}": overlaid,
    f"wheel + lm-eval {NEW} with plugin doors": native,
}


def cells(
    environment: Environment, program: str, doors: bool
) -> Iterator[tuple[str, bool]]:
    """Each command of a user's, and whether it did what it should."""
    run = ("--tasks", "rrm_rewardbench", "--metadata", '{"path": "pairs.jsonl"}')
    ours = (*run, "--model", "rrm", "--model_args", "judge=longest")
    plain = (*run, "--model", "dummy")
    bare = (environment.python, program)
    yield "task", scored(*bare, *plain)
    yield "model", scored(*bare, *ours)
    yield "python -m", scored(environment.python, "-m", "lm_eval", *ours)
    yield "ls", "rrm_rewardbench" in said(*bare, "ls", "tasks")
    yield "off", scored(*bare, *plain, **OFF) == doors
    folder = ran(environment.command("rrm-harness"), "path", "tasks").strip()
    yield "path", scored(*bare, *plain, "--include_path", folder, **OFF)
    ran(environment.python, "-m", "pip", "uninstall", "-qq", "-y", "rrm-harness")
    left = [*environment.packages.glob("*rrm_harness*")]
    yield "nothing left", not left
    yield "lm-eval alone", "No module" not in said(*bare, "--help")


def scored(*command: str, **environment: str) -> bool:
    return "|rrm_rewardbench|" in said(*command, **environment)


def said(*command: str, **environment: str) -> str:
    asked = os.environ | {"HF_HUB_OFFLINE": "1"} | environment
    done = subprocess.run(command, capture_output=True, text=True, env=asked)
    return done.stdout + ("" if done.returncode == 0 else done.stderr)


@contextmanager
def empty(folder: Path) -> Iterator[Path]:
    """Be in a folder that holds a benchmark of one pair and nothing else."""
    folder.mkdir()
    (folder / "pairs.jsonl").write_text(json.dumps({**PAIR, "subset": "hep-go"}))
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


def start_up(environment: Environment) -> tuple[float, float]:
    """Milliseconds of `python -c pass`, the least of many, with our file and not."""
    (file,) = environment.packages.glob("rrm_harness_lm_eval.pth")
    text, least = file.read_text(), [1e9, 1e9]
    for _ in range(40):
        for place, content in enumerate((text, "")):
            file.write_text(content)
            begun = time.perf_counter()
            subprocess.run([environment.python, "-c", "pass"], check=True)
            least[place] = min(least[place], 1000 * (time.perf_counter() - begun))
    file.write_text(text)
    return least[0], least[1]


def main() -> None:
    wrong = 0
    with TemporaryDirectory(prefix="rrm-install-") as temporary:
        built = build(Path(temporary))
        for number, (name, install) in enumerate(COMBINATIONS.items()):
            place = Path(temporary) / str(number)
            place.mkdir()
            environment = made(place / "environment")
            program = install(environment, built)
            with empty(place / "empty"):
                if install is native:
                    with_ours, without = start_up(environment)
                found = list(cells(environment, program, install is native))
            wrong += sum(not good for _, good in found)
            marks = "  ".join(
                f"{cell} {'ok' if good else 'FAIL'}" for cell, good in found
            )
            print(f"{name:<44} {marks}", flush=True)
    print(f"python -c pass: {with_ours:.1f} ms with our file, {without:.1f} without")
    sys.exit(f"{wrong} cells failed" if wrong else 0)


if __name__ == "__main__":
    main()
