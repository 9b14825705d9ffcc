"""READ FIRST: a judge, a dataset and a strategy in; a report out.

A dataset gives examples; the strategy's generators say which comparisons to ask; the
store, the judge or its engine answer them; the dataset's rule turns each outcome into
a credit, and all credits into the benchmark's numbers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import get_args

from rrm_harness import host
from rrm_harness.answers import TITLES, Answers, Bench
from rrm_harness.baselines import Baselines
from rrm_harness.errors import SpecError
from rrm_harness.examples import Examples
from rrm_harness.manifest import describe
from rrm_harness.metrics import Rule
from rrm_harness.output import RunDirectory
from rrm_harness.progress import Progress, following
from rrm_harness.receipt import Receipt
from rrm_harness.records import (
    Dataset,
    Engine,
    Failure,
    Judge,
    Strategy,
    described,
)
from rrm_harness.result import FORMAT, Result
from rrm_harness.schedule import play_all
from rrm_harness.tally import Tally
from rrm_harness.too_long import TooLong


def evaluate(
    judge: str | Judge,
    dataset: str | Dataset,
    strategy: str | Strategy | None = None,
    *,
    output: str | Path | None = None,
    engine: str | Engine | None = None,
    meta_judge: str | Judge | None = None,
    meta_engine: str | Engine | None = None,
    policy: str | Judge | None = None,
    policy_engine: str | Engine | None = None,
    seed: int = 0,
    limit: int | None = None,
    skip_bad_rows: bool = False,
    too_long: TooLong = "fail",
    reuse: Sequence[str | Path] | None = None,
    max_failures: int | None = None,
    baselines: bool = True,
    progress: Progress | bool | None = None,
) -> Result:
    """Judge a dataset and return the benchmark's numbers; continue if interrupted.

    A finished run whose results would come out the same is handed out as it is.

    Args:
        judge: A spec (`name,key=value`) or a judge; so for dataset, strategy, engine.
        dataset: What to judge.
        strategy: The dataset's published protocol unless given.
        output: The run's directory, with `results.json`, `outcomes.jsonl`, the
            manifest and every judgment. A temporary one unless given.
        engine: What runs the judge's requests, for judges that make any.
        meta_judge: A judge of judgments, for strategies that ask one.
        meta_engine: What runs the meta judge's requests; `engine` unless given, once
            more if the meta judge runs another model.
        policy: What answers questions, for strategies that choose among its answers.
        policy_engine: What runs the policy's requests, as `meta_engine`.
        seed: Every draw of the run comes from it.
        limit: Take only the dataset's first examples.
        skip_bad_rows: Count malformed rows instead of stopping at the first.
        too_long: What becomes of an input that the model cannot take whole: `fail`
            the judgment, `skip` the example, or `truncate` the middle of its prompt.
        reuse: Run directories whose judgments may be used: the output's neighbors
            unless given, none if empty.
        max_failures: End the run, without results, once so many judgments have failed;
            inputs that are too long do not count.
        baselines: Also play the trivial judges, to stand beside the result.
        progress: Called with the numbers of finished and of all examples; True shows
            them, as a bar on a terminal and in a notebook.

    Raises:
        HarnessError: Something the user can mend: a spec, a row, the directory.
        FailuresError: `max_failures` judgments failed; all that were made are kept.
    """
    started = time.monotonic()
    plugins = host.default()
    asked = {
        "judge": (judge, engine),
        "meta": (meta_judge, meta_engine or engine),
        "policy": (policy, policy_engine or engine),
    }
    with ExitStack() as stack:
        benches = _benches(asked, stack)
        data = plugins.made("datasets", dataset)
        playing = plugins.made("strategies", strategy or data.protocol)
        examples = Examples.checked(data, limit, skip_bad_rows)
        examples.refuse_endless(playing)
        manifest = describe(benches, data, playing, seed, limit, too_long)
        directory = Path(output or Path(mkdtemp(prefix="rrm-harness-")) / "run")
        run = stack.enter_context(RunDirectory(directory, manifest["run"], reuse))
        built = [data, data.rule, playing, *(bench.judge for bench in benches.values())]
        specs = (judge, dataset, strategy, meta_judge, policy)
        receipt = Receipt.of(run, manifest, built, specs, (baselines, skip_bad_rows))
        if receipt.fits():
            return replace(Result.read(directory), finished_before=True)

        tally = _tally(data.rule, benches["judge"].judge, too_long)
        answers = Answers(benches, run.store, max_failures)
        cut = too_long == "truncate"
        advance = stack.enter_context(following(progress))
        for finished in play_all(examples, playing, answers, seed, truncate=cut):
            run.write_outcome(tally.add(finished))
            advance(tally.examples, len(examples))
        answers.end()

        trivial: dict[str, float | None] = {}
        if baselines and len(benches) == 1:  # they judge, and do nothing else
            trivial = Baselines(plugins, data.rule).play(examples, playing, seed)
        results = {
            "format": FORMAT,
            "dataset": dataset if isinstance(dataset, str) else data.name,
            "judge": _text(judge),
            "strategy": _text(strategy or data.protocol),
            **tally.results(),
            "forecast": examples.forecast(playing),
            "baselines": trivial,
            "skipped_rows": examples.skipped,
            "outcomes": run.digest,
            "seconds": round(time.monotonic() - started, 3),
            "manifest": manifest,
        }
        run.finish(results)
        receipt.leave()
    return Result(results, directory)


def _benches(
    asked: Mapping[str, tuple[str | Judge | None, str | Engine | None]],
    stack: ExitStack,
) -> dict[str, Bench]:
    """Make the judges that were asked for and their engines, by role."""
    benches: dict[str, Bench] = {}
    for role, (judge, engine) in asked.items():
        if judge:
            beside = {each: (benches[each], asked[each][1]) for each in benches}
            benches[role] = _bench(role, judge, engine, beside, stack)
    if "judge" not in benches:
        raise SpecError("no judge was named; rrm-harness list judges")
    return benches


def _bench(
    role: str,
    judge: str | Judge,
    engine: str | Engine | None,
    beside: Mapping[str, tuple[Bench, str | Engine | None]],
    stack: ExitStack,
) -> Bench:
    """Make a judge and its engine; an engine made here is closed at the end.

    A judge of the same model as one `beside` it, asked for on the same engine, shares
    that.
    """
    built: Judge = host.default().made("judges", judge)
    alike = [each for each in beside.values() if same_model(built, each[0].judge)]
    shared = [bench.engine for bench, asked in alike if asked == engine]
    if shared and isinstance(engine, str):
        engine = shared[0]
    elif alike:
        pass
    elif engine is not None and any(
        each.engine is engine for each, _ in beside.values()
    ):
        raise SpecError(
            f"the {TITLES[role]} runs another model than the judge; give it an engine"
            f" of its own (--{role}-engine SPEC)"
        )
    if not isinstance(engine, str):
        return Bench(built, engine)
    running = host.default().engine(engine, built)
    stack.callback(running.close)
    return Bench(built, running)


def _tally(rule: Rule, judge: Judge, too_long: TooLong) -> Tally:
    if too_long not in get_args(TooLong):
        known = ", ".join(get_args(TooLong))
        raise SpecError(f"too_long is {too_long!r:.60}; it is one of {known}")
    skipped = [Failure.TOO_LONG] if too_long == "skip" else []
    return Tally(rule, skipped, logits=getattr(judge, "logits", True))


def same_model(first: Judge, second: Judge) -> bool:
    """Whether two judges can share an engine."""
    return first.runs_on is None or first.runs_on == second.runs_on


def _text(named: object) -> str:
    return named if isinstance(named, str) else described(named)
