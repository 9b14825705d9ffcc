"""The arguments of `--model rrm`: who judges, by which strategy, on which engine.

An argument that is none of ours is an option of the plugin that has it, so that
`judge=rrm,size=32b,strategy=voting,k=16,engine=vllm,tensor_parallel=2` means what it
says. A plugin with an option that another one has too stands in brackets with it:
`judge=[recorded,path=FILE,parser=rrm]`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from rrm_harness import host
from rrm_harness.errors import SpecError
from rrm_harness.records import Judge, Strategy
from rrm_harness.specs import Spec, nearest

from .setting import OF_STRATEGIES, rejoined, unwrapped, whole, with_option

Kind = Literal["judges", "strategies", "engines"]
LM_EVAL = ("batch_size", "max_batch_size", "device")
"""What lm-eval passes to every model, asked for or not: wishes, for a backend alone."""
OF_MODELS = ("model", "pretrained", "revision", "trust_remote_code")
"""What says which weights: with a backend it is that one's."""
OF_TASKS = ("path", "options", "skip_bad_rows", "measures")
"""What goes to the tasks alone, though it may stand among a model's arguments."""
STORE = "rrm-judgments"
"""The folder, beside where one works, that judgments are kept in."""


@dataclass(frozen=True)
class Arguments:
    """Specs, and what they are about.

    Args:
        judge: Who judges.
        strategy: What is asked; each task's own unless given.
        engine: What runs the judge's model.
        model: The judge's weights: an id or a folder.
        revision: Of those.
        policy: Who writes the solutions of a best-of-N task.
        policy_model: The policy's weights.
        policy_engine: What runs them; `engine` unless given.
        meta_judge: A judge of judgments.
        meta_engine: What runs its model; `engine` unless given.
        backend: A model of lm-eval's that takes the engine's place.
        backend_options: Its arguments.
        store: The folder that judgments are kept in.
        seed: Every draw comes from it; each task's unless given.
    """

    judge: str
    strategy: str = ""
    engine: str = ""
    model: str = ""
    revision: str = ""
    policy: str = ""
    policy_model: str = ""
    policy_engine: str = ""
    meta_judge: str = ""
    meta_engine: str = ""
    backend: str = ""
    store: str = STORE
    seed: int | None = None
    backend_options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Arguments:
        """Sort what lm-eval was given.

        Raises:
            SpecError: There is no judge, or an argument belongs to nobody, or to two.
        """
        given = {key: each for key, each in rejoined(given).items() if each is not None}
        named = {key: value for key, value in given.items() if key in OWN}
        named.setdefault("model", given.get("pretrained", ""))
        if not named.get("judge"):
            raise SpecError(
                "--model rrm needs a judge: --model_args judge=NAME,strategy=NAME"
                " (rrm-harness list judges)"
            )
        texts: dict[str, Any] = {key: unwrapped(each) for key, each in named.items()}
        seed = whole("seed", named["seed"]) if "seed" in named else None
        made = cls(**texts | {"seed": seed})
        if made.backend and made.policy_model and not made.policy_engine:
            raise SpecError(
                f"backend={made.backend} runs one model, the judge's; say what runs the"
                " policy's with policy_engine=SPEC, or leave policy_model out to have"
                " one model in both roles"
            )
        if made.backend and made.engine:
            raise SpecError(
                f"engine={made.engine} and backend={made.backend} cannot both run the"
                " judge; leave one out"
            )
        _refuse_unclear_path(made.judge, given)
        return made._with_options(given)

    def _with_options(self, given: Mapping[str, Any]) -> Arguments:
        """Give each further argument to whom it belongs."""
        made = self
        kept: dict[str, Any] = {}
        for key, value in given.items():
            if self.backend and key in OF_MODELS:
                kept[key] = value
            elif key in (*OWN, *OF_TASKS, *LM_EVAL, "pretrained"):
                continue
            elif key in OF_STRATEGIES and not self.strategy:
                continue  # of the task's own strategy
            elif self.backend and not self._owners(key):
                kept[key] = value
            else:
                made = made._with_option(key, unwrapped(value))
        return replace(made, backend_options=kept)

    def _owners(self, key: str) -> list[str]:
        """The plugins that have such an option."""
        return [name for name, kind in _PLUGINS.items() if self._has(name, kind, key)]

    def _with_option(self, key: str, value: str) -> Arguments:
        owners = self._owners(key)
        if len(owners) == 1:
            changed = with_option(getattr(self, owners[0]), _dashed(key), value)
            return self._with(owners[0], changed)
        if owners:
            raise SpecError(
                f"{key}={value} may be {' or '.join(owners)}'s; put it in brackets with"
                f" its own: {owners[0]}=[{getattr(self, owners[0])},{_dashed(key)}="
                f"{value}]"
            )
        raise SpecError(
            f"--model rrm has no argument '{key}', and none of its plugins has such an"
            f" option; {nearest(key, sorted(OWN))}"
        )

    def _with(self, name: str, spec: str) -> Arguments:
        changed: dict[str, Any] = {name: spec}
        return replace(self, **changed)

    def _has(self, name: str, kind: Kind, key: str) -> bool:
        spec = getattr(self, name)
        if not spec:
            return False
        outermost = Spec.parse(spec.partition(" of ")[0])
        return key in _options(kind, outermost.name)

    @property
    def judge_spec(self) -> str:
        """The judge, with its model."""
        return _with_model(self.judge, self.model, self.revision)

    @property
    def policy_spec(self) -> str:
        """The policy, with its model; none if neither was named."""
        named = self.policy or ("solver" if self.policy_model else "")
        return _with_model(named, self.policy_model, "") if named else ""

    @property
    def specs(self) -> dict[str, tuple[str, str]]:
        """The judge and the engine of each role that there is one for."""
        found = {
            "judge": (self.judge_spec, self.engine),
            "policy": (self.policy_spec, self.policy_engine or self.engine),
            "meta": (self.meta_judge, self.meta_engine or self.engine),
        }
        return {role: each for role, each in found.items() if each[0]}

    def judges(self) -> dict[str, Judge]:
        """Build the judge of each role.

        Raises:
            HarnessError: A spec is wrong.
        """
        build = host.default().build
        return {role: build("judges", spec) for role, (spec, _) in self.specs.items()}

    def strategy_of(self, default: str) -> tuple[str, Strategy]:
        """The strategy asked for, or a task's own.

        Raises:
            SpecError: It is unknown, or an option of it.
        """
        spec = self.strategy or default
        return spec, host.default().build("strategies", spec)


OWN = {each.name for each in fields(Arguments)} - {"backend_options"}
"""The arguments that are no plugin's."""
_PLUGINS: Mapping[str, Kind] = {
    "judge": "judges",
    "strategy": "strategies",
    "engine": "engines",
}


def _options(kind: Kind, name: str) -> set[str]:
    """The names of a plugin's options; none of one that is not installed."""
    entry = host.default().registry(kind).get(name)
    return set(inspect.signature(entry.thing).parameters) if entry else set()


def _with_model(spec: str, model: str, revision: str) -> str:
    """A judge's spec with its weights, if it takes any and has none."""
    parsed = Spec.parse(spec)
    taken = _options("judges", parsed.name)
    for key, value in (("model", model), ("revision", revision)):
        if value and key in taken and key not in parsed.options:
            spec = with_option(spec, key, value)
    return spec


def _refuse_unclear_path(judge: str, rest: Mapping[str, Any]) -> None:
    """Refuse a path that the judge lacks and the dataset would get."""
    parsed = Spec.parse(judge)
    lacks = "path" in _options("judges", parsed.name) and "path" not in parsed.options
    if "path" in rest and lacks:
        raise SpecError(
            f"path={rest['path']} is the dataset's, and {parsed.name} needs one of its"
            f" own, in brackets: judge=[{judge},path=FILE]"
        )


def _dashed(key: str) -> str:
    return key.replace("_", "-")
