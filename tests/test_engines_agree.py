"""One judge, three engines, the same judgments: in this process, vLLM and a server."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import servers

from rrm_harness import evaluate

pytestmark = pytest.mark.filterwarnings("ignore")  # vLLM's own, of many kinds
Tiny = Callable[[str], Path]


@pytest.fixture(scope="module")
def served(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A llama.cpp server on the same weights; its address."""
    file = tmp_path_factory.mktemp("served") / "model.gguf"
    with servers.llama_cpp(tiny("lettered"), file, context=4096) as url:
        yield url


def judged(judge: str, engine: str, output: Path) -> list[dict[str, Any]]:
    """The outcomes of the sample's pairs in both orders."""
    evaluate(
        judge,
        "sample,part=pairs",
        "both-orders",
        output=output,
        engine=engine,
        limit=12,
        reuse=[],
        baselines=False,
    )
    lines = (output / "outcomes.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def unread(output: Path) -> list[tuple[str, str, str]]:
    """What was written and could not be read: example, order, text."""
    with closing(sqlite3.connect(output / "judgments.sqlite")) as store:
        return store.execute("SELECT example, shown, text FROM failures").fetchall()


def same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    """Whether verdicts are the same, and scores to what float32 can tell."""
    return all(
        one["winners"] == other["winners"]
        and one["failure"] == other["failure"] is None
        and one["scores"] == pytest.approx(other["scores"], abs=1e-3)
        for one, other in zip(first, second, strict=True)
    )


def test_verdicts_from_probabilities_are_the_same_on_three_engines(
    tiny: Tiny, tmp_path: Path, served: str
) -> None:
    folder = tiny("lettered")
    judge = f"llm,model={folder},verdict=probabilities"

    here = judged(judge, "transformers,dtype=float32", tmp_path / "a")
    vllm = judged(judge, "vllm,dtype=float32,eager=true,context=4096", tmp_path / "b")
    there = judged(
        judge,
        f"openai,url={served},tokenizer={folder},served=tiny",
        tmp_path / "c",
    )

    assert len({tuple(each["winners"]) for each in here}) == 2
    assert same(here, vllm)
    assert same(here, there)


def test_texts_are_the_same_on_three_engines(
    tiny: Tiny, tmp_path: Path, served: str
) -> None:
    """Random weights write no verdict: what is compared is what could not be read."""
    folder = tiny("lettered")
    judge = f"rrm,model={folder},temperature=0,max-tokens=12"

    texts = []
    for name, engine in {
        "a": "transformers,dtype=float32",
        "b": "vllm,dtype=float32,eager=true,context=4096",
        "c": f"openai,url={served},tokenizer={folder},served=tiny",
    }.items():
        judged(judge, engine, tmp_path / name)
        texts.append(sorted(unread(tmp_path / name)))

    assert len(texts[0]) == 24
    assert len({text for *_, text in texts[0]}) > 1
    assert texts[0] == texts[1] == texts[2]
