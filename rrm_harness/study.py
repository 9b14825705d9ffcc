"""Several runs of one judge: every dataset under every strategy, one load of its model.

Datasets are taken one after another, each under all strategies, so that a strategy
finds what the one before it has asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from rrm_harness import host
from rrm_harness.chance import digest
from rrm_harness.errors import EngineError, FailuresError, HarnessError
from rrm_harness.evaluate import evaluate, same_model
from rrm_harness.records import Engine
from rrm_harness.result import Result
from rrm_harness.study_file import StudyFile

Told = Callable[[str, HarnessError], None]


def evaluate_each(
    judge: str,
    datasets: Sequence[str],
    strategies: Sequence[str],
    *,
    output: Path,
    engine: str | None = None,
    meta_judge: str | None = None,
    meta_engine: str | None = None,
    policy: str | None = None,
    policy_engine: str | None = None,
    failed: Told | None = None,
    alone: bool = True,
    **options: Any,
) -> Iterator[Result]:
    """Yield the result of each dataset under each strategy, in that order.

    A lone run's directory is `output`; several have one each inside it, named after
    dataset and strategy. All specs are built before anything is asked.

    Args:
        judge: A spec.
        datasets: Specs, at least one.
        strategies: Specs; each dataset's published protocol if there is none.
        output: The directory.
        engine: A spec; the engine is loaded once, when it is first needed.
        meta_judge: A spec.
        meta_engine: A spec, as in `evaluate`.
        policy: A spec.
        policy_engine: A spec, as in `evaluate`.
        failed: Is told of a run that ended over a mistake in its data, and the next
            one goes on. Without it, and in a lone run, the mistake is raised.
        alone: Whether the study has no other judge, so that a single pair is a lone
            run.
        **options: Those of `evaluate`.

    Raises:
        HarnessError: As `evaluate`.
    """
    asked_how: Sequence[str | None] = strategies or [None]
    pairs = list(product(datasets, asked_how))
    for kind, specs in (("datasets", datasets), ("strategies", strategies)):
        for spec in specs:
            host.default().build(kind, spec)
    places = _places(output, pairs)
    with ExitStack() as stack:
        meta_own = meta_engine or _anew(engine, judge, meta_judge)
        policy_own = policy_engine or _anew(engine, judge, policy)
        options |= {
            "meta_judge": meta_judge,
            "policy": policy,
            "engine": _engine(engine, judge, stack),
            "meta_engine": _engine(meta_own, meta_judge, stack),
            "policy_engine": _engine(policy_own, policy, stack),
        }
        for (dataset, strategy), place in zip(pairs, places, strict=True):
            try:
                yield evaluate(judge, dataset, strategy, output=place, **options)
            except (EngineError, FailuresError):
                raise
            except HarnessError as error:
                if failed is None or (alone and len(pairs) == 1):
                    raise
                who = "" if alone else f"{judge} on "
                failed(f"{who}{dataset} {strategy or ''}".strip(), error)


def evaluate_all(
    study: StudyFile, output: Path, failed: Told | None = None, **options: Any
) -> Iterator[Result]:
    """Yield the result of every judge on every dataset under every strategy.

    Each judge has a directory inside `output`, unless it is the only one, and each
    loads its model once.

    Args:
        study: What is to be run.
        output: The directory.
        failed: As in `evaluate_each`.
        **options: Those of `evaluate`, before the study's own.

    Raises:
        HarnessError: As `evaluate`.
    """
    alone = len(study.judges) == 1
    for asked in study.judges:
        judge, roles = asked["judge"], {k: v for k, v in asked.items() if k != "judge"}
        place = output if alone else output / _called(asked, study)
        given = {**study.options, **options, **roles}
        yield from evaluate_each(
            judge,
            study.datasets,
            study.strategies,
            output=place,
            failed=failed,
            alone=alone,
            **given,
        )


def _anew(engine: str | None, judge: str, other: str | None) -> str | None:
    """The engine's spec, if a judge in another role needs one for another model."""
    if engine is None or other is None:
        return None
    made = (host.default().build("judges", each) for each in (other, judge))
    return None if same_model(*made) else engine


def _engine(spec: str | None, judge: str | None, stack: ExitStack) -> Engine | None:
    """Make the engine that serves all runs; it is closed at the end."""
    if spec is None or judge is None:
        return None
    made = host.default().engine(spec, host.default().build("judges", judge))
    stack.callback(made.close)
    return made


def _places(output: Path, pairs: Sequence[tuple[str, str | None]]) -> list[Path]:
    if len(pairs) == 1:
        return [output]
    names = [_name(f"{data}--{how}" if how else data) for data, how in pairs]
    return [output / name for name in names]


def _called(asked: Mapping[str, str], study: StudyFile) -> str:
    """The directory of a judge; of one that comes twice, with all that it runs on."""
    alike = [each for each in study.judges if each["judge"] == asked["judge"]]
    return _name(asked["judge"] if len(alike) == 1 else "--".join(asked.values()))


def _name(text: str) -> str:
    """A spec as a directory's name; what that leaves out is told by a hash."""
    plain = re.sub(r"[^\w.,=-]+", "-", text).strip("-.")[:100]
    return plain if plain == text else f"{plain}-{digest(text).hex()[:6]}"
