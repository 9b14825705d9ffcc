"""The walk of a new plugin, as a stranger takes it: `make walk`.

In an environment of its own with this checkout installed, `rrm-harness new` is called
for each kind and what it prints as next is typed: install, the plugin's own test, a
first judged benchmark. A row of the table has the seconds of each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
KINDS = ("judge", "strategy", "dataset", "engine")
LIMIT = 120.0
"""Seconds that a walk may take, from `new` to the benchmark's numbers."""
STEPS = ("new", "pip install", "pytest", "rrm-harness run", "all")


def typed(command: str, folder: Path, environment: Path) -> tuple[str, float]:
    """What a command says that must succeed, and its seconds."""
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    begun = time.perf_counter()
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout}{done.stderr}"[-4000:])
    return done.stdout, time.perf_counter() - begun


def installed(folder: Path) -> tuple[Path, float]:
    """An environment with the checkout and nothing else of the tests'."""
    place = folder / "environment"
    typed(f"'{sys.executable}' -m build --outdir '{folder}' '{ROOT}'", folder, place)
    (wheel,) = folder.glob("rrm_harness-*.whl")
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    limits = f"--constraint '{ROOT / 'constraints.txt'}'"
    typed(f"pip install -qq {limits} '{wheel}'", folder, place)
    return place, time.perf_counter() - begun


def walked(kind: str, folder: Path, environment: Path) -> Iterator[float]:
    """The seconds of each step, and of all."""
    said, seconds = typed(f"rrm-harness new {kind} my-{kind}", folder, environment)
    taken = [seconds]
    for command in said.partition("Next:\n")[2].splitlines():
        _, seconds = typed(command, folder, environment)
        taken.append(seconds)
    results = json.loads((folder / "runs" / f"my-{kind}" / "results.json").read_text())
    if not results["n"]:
        raise SystemExit(f"the walk of a {kind} ended without a judged example")
    yield from (*taken, sum(taken))


def main() -> None:
    with TemporaryDirectory(prefix="rrm-walk-") as temporary:
        folder = Path(temporary)
        environment, seconds = installed(folder)
        print(f"a new environment with pip install of the wheel: {seconds:.0f} s")
        print(f"{'seconds':<10}{''.join(f'{each:>17}' for each in STEPS)}")
        late = []
        for kind in KINDS:
            taken = [*walked(kind, folder, environment)]
            print(
                f"{kind:<10}{''.join(f'{each:>17.1f}' for each in taken)}", flush=True
            )
            late += [kind] if taken[-1] > LIMIT else []
    sys.exit(f"longer than {LIMIT:.0f} s: {', '.join(late)}" if late else 0)


if __name__ == "__main__":
    main()
