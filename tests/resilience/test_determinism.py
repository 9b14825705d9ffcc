"""The same question, the same bytes: whatever the order, the process or the workers.

`tests/plugins/test_ray.py` has this for workers of Ray, `tests/test_engines_agree.py`
and `rrm-harness check parity` for different engines.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from resilience import marked
from resilience.cases import STRATEGIES, Asked
from resilience.marked import Marked, MarkedEngine
from resilience.runs import STORE, contents, left, verdicts, write_rows

from rrm_harness import evaluate

EXAMPLES = 20
EXACT = [each for each in STRATEGIES if each.exact]
SEEDS = range(10)
ALL_OF_THEM = """
import sys
from pathlib import Path
from resilience.test_determinism import EXACT, judged
for number, asked in enumerate(EXACT):
    judged(asked, Path(sys.argv[1]), Path(sys.argv[2]) / str(number))
"""


def judged(asked: Asked, data: Path, output: Path, **engine: Any) -> Path:
    """Run a strategy."""
    engines = MarkedEngine(**engine)
    roles = {"policy": Marked()} if asked.strategy.startswith("sampled") else {}
    evaluate(
        Marked(),
        f"jsonl,path={data / f'{asked.responses}.jsonl'}",
        asked.strategy,
        engine=engines,
        output=output,
        reuse=[],
        **roles,
    )
    return output


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for responses in (2, 4):
        write_rows(folder / f"{responses}.jsonl", EXAMPLES, responses)
    return folder


@pytest.mark.parametrize("asked", EXACT, ids=lambda each: each.strategy)
def test_the_order_of_arrival_changes_no_byte(
    asked: Asked, data: Path, tmp_path: Path
) -> None:
    first = judged(asked, data, tmp_path / "first")

    for seed in SEEDS:
        other = judged(asked, data, tmp_path / str(seed), shuffle=1 + seed, batch=3)

        assert left(other) == left(first)
        assert contents(other / STORE) == contents(first / STORE)


def test_votes_that_are_abandoned_change_no_verdict(data: Path, tmp_path: Path) -> None:
    """Which are still cast depends on the engine's pace; who wins does not."""
    (asked,) = (each for each in STRATEGIES if not each.exact)
    first = judged(asked, data, tmp_path / "first")

    for seed in SEEDS:
        other = judged(asked, data, tmp_path / str(seed), shuffle=1 + seed, batch=3)

        assert verdicts(other) == verdicts(first)


def test_the_hash_seed_and_the_process_change_no_byte(
    data: Path, tmp_path: Path
) -> None:
    environment = marked.install(tmp_path / "plugin")
    for seed in SEEDS:
        subprocess.run(
            [sys.executable, "-c", ALL_OF_THEM, str(data), str(tmp_path / f"{seed}")],
            env={**os.environ, **environment, "PYTHONHASHSEED": str(seed)},
            check=True,
        )

    for number in range(len(EXACT)):
        found = [tmp_path / str(seed) / str(number) for seed in SEEDS]
        assert all(left(each) == left(found[0]) for each in found)
        stores = [contents(each / STORE) for each in found]
        assert all(each == stores[0] for each in stores)
