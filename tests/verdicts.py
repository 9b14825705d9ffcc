"""What the conformance kit says of all that comes along: `make conformance` records it.

Every built-in judge, strategy and dataset is tried, in its other modes too, on data of
its own schema; every engine with what it needs, really there: a llama.cpp server, a Ray
cluster of two nodes, vLLM. Beside them the planted faults, each by what it broke.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray_nodes
import servers
import tiny_models
from lmeval import benchmarks

from rrm_harness import host
from rrm_harness.conformance.kit import check_subject, properties
from rrm_harness.conformance.subject import KINDS, Subject, together
from rrm_harness.testing import EXAMPLES

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "docs" / "conformance.json"
PLANTED = ROOT / "tests" / "conformance" / "planted"
OTHERWISE = [
    "judges:j1,mode=scores",
    "judges:j1,mode=verdict-scores",
    "judges:j1,mode=pointwise",
    "judges:llm,tie=true",
    "judges:llm,mode=arena-hard",
    "judges:llm,mode=rating",
    "judges:llm,verdict=probabilities",
    "judges:prm,aggregate=product",
    "judges:prometheus,mode=absolute",
    "judges:rm-r1,variant=instruct",
    "judges:rrm-nano,thinking=none",
    "strategies:voting,stop=none",
    "strategies:voting,stop=abort",
    "strategies:single,order=seeded",
    "strategies:elo,opponents=3,rating=bradley-terry",
    "strategies:sum-voting,k=4,meta=true",
    "strategies:knockout of both-orders of voting,k=3",
    "datasets:nano-arithmetic,shape=best-of-k,n=50",
    "datasets:nano-arithmetic,shape=answers,n=20",
    "datasets:ppe,shape=best-of-k",
    "datasets:sample,part=pairs",
]
"""What has other modes is tried in them too."""
NAMES = {
    ("strategies", "resume"): "bad-strategy-resume",
    ("engines", "batch-invariance"): "bad-engine-batch-invariance",
    ("engines", "determinism"): "bad-engine-determinism",
    ("engines", "failure-kinds"): "bad-engine-failure-kinds",
}
"""What planted plugins are called, where another kind has the property's name."""
FAULTS = [
    (f"{kind}:{NAMES.get((kind, each.name), f'bad-{each.name}')}", each.name)
    for kind in KINDS
    for each in properties(kind)
] + [("judges:bad-both-orders-pointwise", "both-orders")]
"""Every planted plugin with a fault, and the promise that it breaks."""
GOOD = [
    "judges:good-reader",
    "judges:good-writer",
    "strategies:good-round-robin",
    "datasets:good-two",
    "engines:good-echo",
]
"""Those without one."""
PROGRAM = """
import json, sys, verdicts
from rrm_harness.conformance.subject import Subject, together
subjects = together(Subject.named(each) for each in sys.argv[1:])
told = {each.title: each.factory.__doc__ for each in subjects}
print(json.dumps([verdicts.tried(subjects), told]))
"""
HEAVY = "Its module imports numpy."
"""What is wrong with the planted plugins that are others', from another module."""
Said = Mapping[str, str]
"""By a property's name: `holds`, or `broken` or `skipped` with the reason."""


def _rewardbench(folder: Path) -> Path:
    """Two rows of each subset that the headline counts."""
    file = folder / "rewardbench.jsonl"
    rule = host.default().build("datasets", f"rewardbench,path={file}").rule
    subsets = [each for listed in rule.sections.values() for each in listed]
    rows = [
        {
            "id": number,
            "prompt": f"question {number}",
            "chosen": f"good answer {number}",
            "rejected": "bad answer",
            "subset": subset,
        }
        for number, subset in enumerate(2 * subsets)
    ]
    return benchmarks.lines(file, rows)


PUBLISHED = {
    "gpqa": benchmarks.gpqa,
    "judgebench": benchmarks.judgebench,
    "llmbar": benchmarks.llmbar,
    "pandalm": benchmarks.pandalm,
    "ppe": benchmarks.ppe,
    "rewardbench": _rewardbench,
    "rewardbench2": benchmarks.rewardbench2,
    "rm-bench": benchmarks.rm_bench,
}
"""What writes a few rows of a benchmark's published schema."""


def built_in(*kinds: str) -> list[str]:
    """The specs of all that comes along of some kinds, without options."""
    return [
        f"{kind}:{entry.name}"
        for kind in kinds
        for entry in host.default().registry(kind).values()
        if entry.origin.startswith("rrm-harness:")
    ]


def specs(folder: Path) -> dict[str, str]:
    """What is tried of judges, strategies and datasets; the spec that builds each.

    What needs data or a file has some in the folder.
    """
    needed = {
        **{f"datasets:{name}": f"path={PUBLISHED[name](folder)}" for name in PUBLISHED},
        "datasets:jsonl": f"path={_rows(folder / 'rows.jsonl')}",
        "judges:recipe": f"file={_recipe(folder / 'judge.toml')}",
        "judges:recorded": f"path={_recorded(folder / 'votes.jsonl')}",
    }
    found = {}
    for each in [*built_in("judges", "strategies", "datasets"), *OTHERWISE]:
        option = needed.get(each.partition(",")[0])
        found[each] = f"{each},{option}" if option else each
    return found


def _rows(file: Path) -> Path:
    rows = [
        {
            "id": each.id,
            "prompt": each.prompt[0].content,
            "responses": each.responses,
            "correct": each.correct,
        }
        for each in EXAMPLES
    ]
    return benchmarks.lines(file, rows)


def _recipe(file: Path) -> Path:
    file.write_text('parser = "verdict"\nprompt = "{{ responses | join }}"\n')
    return file


def _recorded(file: Path) -> Path:
    """Scores of what the kit asks."""
    rows = [
        {"example": f"kit-{number}", "order": order, "scores": [1.5, -1.0, 0.5][:size]}
        for number in range(3)
        for size in (2, 3)
        for order in (list(range(size)), list(range(size))[::-1])
    ]
    return benchmarks.lines(file, rows)


@contextmanager
def engines(names: Iterable[str], folder: Path) -> Iterator[dict[str, str]]:
    """The specs of engines, with what each needs running as long as the block does."""
    found = {}
    with ExitStack() as stack:
        for each in names:
            if each == "engines:openai":
                model = tiny_models.llama(folder / "llama")
                server = servers.llama_cpp(model, folder / "llama.gguf")
                found[each] = f"{each},url={stack.enter_context(server)}"
            elif each == "engines:ray":
                nodes = stack.enter_context(ray_nodes.two_nodes())
                found[each] = (
                    f"{each},of=transformers,workers=2,address={nodes.address}"
                )
            elif each == "engines:vllm":
                found[each] = f"{each},dtype=float32,eager=true"
            else:
                found[each] = each
        yield found


def tried(subjects: Iterable[Subject]) -> dict[str, Said]:
    """The verdicts on each, by its title."""
    return {
        each.title: {
            said.promise.name: "holds"
            if said.verdict == "holds"
            else f"{said.verdict}: {said.sentence}"
            for said in check_subject(each)
        }
        for each in subjects
    }


def laid_out(source: Path, folder: Path, name: str) -> Path:
    """Lay a folder's modules out as a distribution that is installed, without pip.

    Returns the folder for PYTHONPATH.
    """
    site = folder / "site"
    shutil.copytree(source, site, ignore=shutil.ignore_patterns("__pycache__"))
    metadata = site / f"{name}-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
    modules = sorted(each.stem for each in source.glob("*.py"))
    lines = ["[rrm_harness]", *(f"{each} = {each}" for each in modules)]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return site


def tried_planted(folder: Path) -> tuple[dict[str, Said], dict[str, str]]:
    """The verdicts on all planted plugins, and what each says is wrong with it.

    They are tried in a process that has them installed.
    """
    path = (laid_out(PLANTED, folder, "planted"), ROOT / "tests")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *GOOD, *(spec for spec, _ in FAULTS)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found, told = json.loads(done.stdout)
    faults = {spec: HEAVY if "import-weight" in spec else told[spec] for spec in told}
    return found, faults


def record(folder: Path) -> dict[str, Any]:
    """All verdicts, as the page of them shows them."""
    asked = specs(folder)
    with engines(built_in("engines"), folder) as running:
        asked |= running
        found = tried(together(Subject.named(each) for each in asked.values()))
    planted, faults = tried_planted(folder)
    return {
        "built-in": {name: found[spec] for name, spec in asked.items()},
        "planted": [
            {
                "plugin": spec,
                "fault": faults[spec],
                "broken": {
                    name: said.partition(": ")[2]
                    for name, said in planted[spec].items()
                    if said.startswith("broken")
                },
            }
            for spec, _ in FAULTS
        ],
    }


def main() -> None:
    """Write the record that docs/conformance.md shows."""
    import conftest  # noqa: F401 - the settings that engines have in tests

    with TemporaryDirectory(prefix="rrm-verdicts-") as folder:
        found = record(Path(folder))
    text = json.dumps(found, indent=1, ensure_ascii=False)
    RECORD.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
