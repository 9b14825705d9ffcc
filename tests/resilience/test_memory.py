"""Memory that runs out: what fits is done, what does not is named and asked again."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from rrm_harness import (
    Comparison,
    Completion,
    Judge,
    Judgment,
    Message,
    Model,
    Request,
    chance,
    evaluate,
)
from rrm_harness.report.cautions import cautions

Tiny = Callable[[str], Path]
ROWS = 12
LONG = 7
"""The number of the row that is far longer than the others."""


@contextmanager
def memory_for(tokens: int, error: type[Exception]) -> Iterator[list[int]]:
    """A machine on which batches of more tokens than that do not fit.

    What is handed out are the sizes that did not.
    """
    refused: list[int] = []

    def check(module: Any, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, torch.nn.Embedding) and inputs[0].numel() > tokens:
            refused.append(inputs[0].numel())
            raise error("out of memory")

    hook = register_module_forward_pre_hook(check)
    try:
        yield refused
    finally:
        hook.remove()


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Pairs whose first response is right; one of them is long."""
    file = tmp_path / "rows.jsonl"
    rows = [
        {
            "id": f"row-{number}",
            "prompt": "Add 2 and 2.",
            "responses": ["It is 4." + " Surely." * 150 * (number == LONG), "Seven."],
            "correct": [0],
        }
        for number in range(ROWS)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"jsonl,path={file}"


@dataclass(frozen=True)
class Writes(Judge):
    """Has a model write about each response, and scores the text by its content."""

    runs_on: Model

    pointwise = True

    def render(self, comparison: Comparison) -> Sequence[Request]:
        (response,) = comparison.responses
        return [Request((Message("user", response),), max_tokens=8)]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        return Judgment((chance.uniform(completions[0].text),))


CASES = {
    "scoring": "batch-tokens=100000",
    "writing": "batching=static",
    "writing, continuously": "batching=continuous",
}


def judge(tiny: Tiny, case: str) -> str | Judge:
    if case == "scoring":
        return f"sequence-classifier,model={tiny('llama_classifier')}"
    return Writes(Model(str(tiny("llama"))))


def judged(by: str | Judge, data: str, case: str, output: Path) -> tuple[Any, Any]:
    """A run's results, and what each row's scores are."""
    engine = f"transformers,device=cpu,{CASES[case]}"
    found = evaluate(by, data, "single", engine=engine, output=output, baselines=False)
    return found.results, {line["id"]: line["scores"] for line in found.outcomes()}


@pytest.mark.parametrize(
    ("case", "error"),
    [*((case, torch.OutOfMemoryError) for case in CASES), ("writing", MemoryError)],
)
def test_what_does_not_fit_is_named_and_the_rest_is_judged(
    tiny: Tiny, data: str, tmp_path: Path, case: str, error: type[Exception]
) -> None:
    by = judge(tiny, case)
    _, expected = judged(by, data, case, tmp_path / "a" / "whole")

    with memory_for(250, error) as refused:
        scarce, known = judged(by, data, case, tmp_path / "b" / "run")
    mended, all_known = judged(by, data, case, tmp_path / "b" / "run")

    assert len(refused) > 1, "a batch was halved before the row was given up"
    assert scarce["failures"] == {"out-of-memory": 1}
    assert scarce["first_failures"]["out-of-memory"].startswith(f"row-{LONG}: ")
    assert "do not fit into memory" in " ".join(cautions(scarce))
    assert known.pop(f"row-{LONG}") is None
    for row, said in known.items():
        assert said == pytest.approx(expected[row], abs=1e-5)
    assert mended["failures"] == {}
    assert mended["judgments"] - mended["cached"] == 1
    assert all_known[f"row-{LONG}"] == pytest.approx(expected[f"row-{LONG}"], abs=1e-5)
