"""What one of our tasks is asked for: its own YAML, and what the command line adds.

lm-eval hands a task its YAML and, as metadata, all of `--model_args` and `--metadata`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from rrm_harness import host, models
from rrm_harness.errors import HarnessError, SpecError
from rrm_harness.examples import Examples
from rrm_harness.records import Dataset, Example, Judge, Strategy, described
from rrm_harness.specs import Spec, build, nearest

FOLDER = "RRM_HARNESS_DATASETS"
"""The environment variable of a folder with local copies, named as tasks or datasets"""
POLICY = "solver"
"""Answers questions: what its card says is no judge of pairs, nor the other way."""
OF_STRATEGIES = ("k", "n")
"""Options that are a strategy's wherever they stand."""
KEYS = ("dataset", "judge", "strategy", "headline", "measures")


@dataclass(frozen=True)
class Setting:
    """A task's dataset, judge, strategy and seed.

    Args:
        task: Its name.
        own: What its YAML says under `rrm`.
        metadata: What the command line adds.

    Raises:
        SpecError: The YAML has a key that no task has.
    """

    task: str
    own: Mapping[str, Any]
    metadata: Mapping[str, Any]

    def __post_init__(self) -> None:
        for key in self.own:
            if key not in KEYS:
                raise SpecError(
                    f"task {self.task}: there is no key rrm: {key};"
                    f" {nearest(key, list(KEYS))}"
                )
        if "dataset" not in self.own:
            raise SpecError(
                f"task {self.task}: rrm: needs a dataset (rrm-harness list datasets)"
            )

    @property
    def seed(self) -> int:
        """The run's seed.

        Raises:
            SpecError: It is no whole number.
        """
        return whole("seed", self.metadata.get("seed", 0))

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset, from a local path if one is given.

        Raises:
            HarnessError: A spec is wrong; says how lm-eval is given a path.
        """
        text = unwrapped(self.own["dataset"])
        added = unwrapped(self.metadata.get("options", "")).split(",")
        for pair in filter(None, added):
            text = with_option(text, *pair.split("=", 1))
        spec = Spec.parse(text)
        path = self._path(spec.name)
        local = {"path": path} if path else {}
        return _told(lambda: _dataset(Spec(spec.name, {**spec.options, **local})))

    def _path(self, name: str) -> str:
        """The local copy: `path`, or what the folder of local copies holds."""
        if self.metadata.get("path"):
            return str(self.metadata["path"])
        folder = os.environ.get(FOLDER)
        if not folder:
            return ""
        if not Path(folder).is_dir():
            raise SpecError(f"{FOLDER}={folder}: no such folder; name an existing one")
        wanted = [self.task.removeprefix("rrm_"), name]
        found = {_plain(each.stem): each for each in sorted(Path(folder).iterdir())}
        return next((str(found[n]) for n in map(_plain, wanted) if n in found), "")

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """The dataset's examples, checked and read once in a process.

        Raises:
            HarnessError: A row is malformed, or there are none.
        """
        return self._read[0]

    @property
    def skipped(self) -> int:
        """How many malformed rows were left out."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[tuple[Example, ...], int]:
        skip = self.metadata.get("skip_bad_rows", False)
        if not isinstance(skip, bool):
            raise SpecError(f"skip_bad_rows={skip}: give true or false")
        revision = _told(lambda: self.dataset.revision)
        key = (described(self.dataset), revision, skip)
        if key not in _READ:
            checked = _told(lambda: Examples.checked(self.dataset, None, skip))
            _READ[key] = (tuple(checked), checked.skipped)
        return _READ[key]

    @cached_property
    def strategy_spec(self) -> str:
        """The strategy asked for, the YAML's, or the dataset's published protocol."""
        asked = self.metadata.get("strategy") or self.own.get("strategy")
        spec = unwrapped(asked or self.dataset.protocol)
        for key in OF_STRATEGIES:
            if self.metadata.get(key) is not None:
                spec = with_option(spec, key, str(self.metadata[key]))
        return spec

    @cached_property
    def strategy(self) -> Strategy:
        """The strategy.

        Raises:
            SpecError: It is unknown, or an option of it.
        """
        made: Strategy = host.default().build("strategies", self.strategy_spec)
        return made

    @property
    def measures(self) -> list[str]:
        """The further numbers to show: the YAML's, and those asked for."""
        asked = unwrapped(self.metadata.get("measures", "")).split(",")
        return [*map(str, self.own.get("measures", ())), *filter(None, asked)]

    @cached_property
    def judge_spec(self) -> str:
        """The judge asked for, the one of the model's card, or the YAML's."""
        own = unwrapped(self.own.get("judge", ""))
        if self.metadata.get("judge"):
            return unwrapped(self.metadata["judge"])
        card = models.cards().get(str(self.metadata.get("pretrained", "")))
        if card is None or card.judge == Spec.parse(own).name:
            return own
        return own if POLICY in (card.judge, own) else card.judge

    @cached_property
    def judge(self) -> Judge:
        """The judge.

        Raises:
            SpecError: It is unknown, or an option of it.
        """
        made: Judge = host.default().build("judges", self.judge_spec)
        return made


Made = TypeVar("Made")

_READ: dict[tuple[str, str, bool], tuple[tuple[Example, ...], int]] = {}


def _dataset(spec: Spec) -> Dataset:
    made: Dataset = build(spec, host.default().lookup("datasets", spec.name).thing)
    return made


def _told(make: Callable[[], Made]) -> Made:
    """What is made, or why not, with what lm-eval's users can give."""
    try:
        return make()
    except HarnessError as error:
        said = str(error).replace("--skip-bad-rows", "--metadata skip_bad_rows=true")
        if "path" not in said:
            raise type(error)(said) from error
        raise type(error)(
            f"{said} (with lm_eval, that is --metadata path=..., or a copy named after"
            f" the task or its dataset in the folder that {FOLDER} names)"
        ) from error


def whole(name: str, value: object) -> int:
    """A whole number out of lm-eval's arguments.

    Raises:
        SpecError: It is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise SpecError(f"{name}={value}: give a whole number")


def rejoined(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with specs in brackets whole: lm-eval 0.4.12 splits them too."""
    found: dict[str, Any] = {}
    opened = ""
    for key, value in given.items():
        if opened:
            found[opened] += f",{key}={value}"
            opened = "" if str(value).endswith("]") else opened
            continue
        found[key] = value
        text = str(value)
        opened = key if text.startswith("[") and not text.endswith("]") else ""
    return found


def unwrapped(value: object) -> str:
    """A spec out of lm-eval's arguments, where one with commas stands in brackets.

    Raises:
        SpecError: It is no text, as JSON allows.
    """
    if isinstance(value, list | dict):
        raise SpecError(
            f"{value!r:.80} is no spec; write it as a text: 'name,key=value'"
        )
    text = str(value).strip()
    if text[:1] + text[-1:] in ("[]", "()"):
        text = text[1:-1]
    return text


def with_option(text: str, key: str, value: str = "") -> str:
    """A spec with an option of its outermost plugin set."""
    first, of, rest = text.partition(" of ")
    spec = Spec.parse(first)
    options = {**spec.options, key: value}
    listed = [spec.name, *(f"{name}={each}" for name, each in options.items())]
    return ",".join(listed) + of + rest


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
