"""The reward as trainers ask for it, by their own code: `make trainers`.

verl and OpenRLHF pin another transformers than ours, so both are in an environment of
its own, without what only training needs (vllm, deepspeed, flash-attn). There the parts
of them that ask for rewards run, with options of docs/training.md, against a reward
server of this checkout. A row of the table says whether the rewards that came back are
those of `GroupReward` for the same texts.

What is not theirs: the policy's engine, which writes what is written down here, its
tokenizer, and the rows of the data set.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "training.md"
VERL = ("verl==0.9.1", "transformers==5.10.4", "tensordict==0.10.0")
OPENRLHF = ("openrlhf==0.11.2", "transformers==5.15.0")
IMPORTED = (
    *("torch", "ray", "aiohttp", "pandas", "pillow", "cachetools", "fastapi"),
    *("uvicorn", "orjson", "accelerate", "hydra-core", "torchdata", "codetiming"),
    *("dill", "pylatexenc", "sympy", "pydantic"),
)
"""What the trainers' modules that run here import; of our pins those that are pinned.
All of our pins cannot be had: they leave no transformers that verl takes."""
SIZE = 8
"""The group of docs/training.md."""
GROUPS = {
    "Why is the sky blue?": ["It is." + " Really." * number for number in range(SIZE)],
    "Name a prime.": ["7", "11", "It is 2.", "7", "13 is.", "A prime is 101.", "", "2"],
}
Rewards = list[list[float]]


# --- inside the environment: the trainers' own code


def by_verl(place: Path, url: str) -> Rewards:
    """verl's agent loop with its reward loop, over Ray; only the engine is ours."""
    import ray
    from verl.experimental.agent_loop.agent_loop import AgentLoopWorker
    from verl.experimental.reward_loop import RewardLoopManager
    from verl.workers.rollout.replica import TokenOutput

    config = verl_config(place, shown("verl.trainer.main_ppo", url))
    if config.actor_rollout_ref.rollout.n != SIZE:
        raise SystemExit("actor_rollout_ref.rollout.n is not what verl read")

    class Engine:
        """Writes down what GROUPS says, as a policy's engine would."""

        def __init__(self) -> None:
            self.left = {prompt: [*texts] for prompt, texts in GROUPS.items()}

        async def generate(self, prompt_ids: list[int], **_: Any) -> Any:
            asked = worker.tokenizer.decode(prompt_ids)
            (prompt,) = (each for each in GROUPS if each in asked)
            text = self.left[prompt].pop(0)
            ids = worker.tokenizer(text, add_special_tokens=False)["input_ids"]
            return TokenOutput(token_ids=[*ids, worker.tokenizer.eos_token_id])

    ray.init(num_cpus=2, include_dashboard=False)
    handles = RewardLoopManager(config).reward_loop_worker_handles
    worker = AgentLoopWorker(config, Engine(), reward_loop_worker_handles=handles)
    done = asyncio.run(worker.generate_sequences(rows())).batch
    prompts = [prompt for prompt in GROUPS for _ in range(SIZE)]
    texts = worker.tokenizer.batch_decode(done["responses"], skip_special_tokens=True)
    scores = done["rm_scores"].sum(-1).tolist()
    told = dict(zip(zip(prompts, texts, strict=True), scores, strict=True))
    return [[told[prompt, each] for each in texts] for prompt, texts in GROUPS.items()]


def by_verl_batch(place: Path, _: str) -> Rewards:
    """verl's manager of whole batches, which takes `compute_score_batch`."""
    from transformers import AutoTokenizer
    from verl.trainer.ppo.reward import get_custom_reward_fn
    from verl.workers.reward_manager.batch import BatchRewardManager

    given = "reward.custom_reward_function"
    kwargs = {"judge": "longest", "strategy": "elo", "prompt_key": "question"}
    options = [
        f"{given}.path=pkg://rrm_harness.rewards.verl",
        f"{given}.name=compute_score_batch",
        *(f"+{given}.reward_kwargs.{name}={each}" for name, each in kwargs.items()),
    ]
    tokenizer = AutoTokenizer.from_pretrained(place / "policy")
    function = get_custom_reward_fn(verl_config(place, options))
    batch = rows("question")
    batch.batch = tokenized(tokenizer)
    rewards = BatchRewardManager(tokenizer, 0, compute_score=function)(batch).sum(-1)
    told: Rewards = rewards.reshape(-1, SIZE).tolist()
    return told


def by_openrlhf(place: Path, url: str) -> Rewards:
    """OpenRLHF's executor of a rollout and its HTTP client; only the engine is ours."""
    from openrlhf.utils.agent import SingleTurnAgentExecutor
    from transformers import AutoTokenizer

    options = openrlhf_options(shown("openrlhf.cli.train_ppo_ray", url))
    if options.rollout.n_samples_per_prompt != SIZE:
        raise SystemExit("--rollout.n_samples_per_prompt is not what OpenRLHF read")
    tokenizer = AutoTokenizer.from_pretrained(place / "policy")
    executor = SingleTurnAgentExecutor(options.reward.remote_url.split(","))
    limits = SimpleNamespace(max_tokens=64, logprobs=None)

    class Engine:
        def __init__(self, text: str) -> None:
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            self.ids = [*ids, tokenizer.eos_token_id]

        async def generate(self, *_: Any, **__: Any) -> Any:
            wrote = SimpleNamespace(
                token_ids=self.ids, finish_reason="stop", logprobs=None
            )
            return SimpleNamespace(outputs=[wrote])

    async def rolled(prompt: str, text: str) -> float:
        chat = [{"role": "user", "content": prompt}]
        asked = tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=True
        )
        told = await executor.execute(asked, "", limits, 512, tokenizer, Engine(text))
        return float(told["reward"][0])

    async def group(prompt: str, texts: Sequence[str]) -> list[float]:
        return [*await asyncio.gather(*(rolled(prompt, text) for text in texts))]

    async def all_groups() -> Rewards:
        return [*await asyncio.gather(*(group(*each) for each in GROUPS.items()))]

    return asyncio.run(all_groups())


def verl_config(place: Path, options: Sequence[str]) -> Any:
    """verl's own configuration with options of its command line."""
    import verl
    from hydra import compose, initialize_config_dir
    from verl.experimental.reward_loop import migrate_legacy_reward_impl

    small = [
        f"actor_rollout_ref.model.path={place / 'policy'}",
        "actor_rollout_ref.rollout.name=vllm",  # verl wants one; it is not loaded
        "actor_rollout_ref.rollout.prompt_length=64",
        "actor_rollout_ref.rollout.response_length=64",
        "reward.num_workers=2",
    ]
    folder = str(Path(verl.__file__).parent / "trainer" / "config")
    with initialize_config_dir(folder, version_base=None):
        return migrate_legacy_reward_impl(compose("ppo_trainer", [*options, *small]))


def rows(*extra: str) -> Any:
    """A data set's rows as verl's trainer repeats them for a group.

    Args:
        *extra: Fields of `extra_info` that hold the prompt.
    """
    import numpy as np
    from verl import DataProto

    prompts = [prompt for prompt in GROUPS for _ in range(SIZE)]
    kept: dict[str, list[Any]] = {
        "raw_prompt": [[{"role": "user", "content": each}] for each in prompts],
        "data_source": ["mine"] * len(prompts),
        "reward_model": [{"ground_truth": None} for _ in prompts],
        "extra_info": [dict.fromkeys(extra, each) for each in prompts],
        "uid": prompts,
    }
    columns = {name: np.empty(len(prompts), dtype=object) for name in kept}
    for name, values in kept.items():
        for place, value in enumerate(values):
            columns[name][place] = value
    return DataProto.from_dict(non_tensors=columns, meta_info={"global_steps": 1})


def tokenized(tokenizer: Any) -> Any:
    """Prompts and completions as the tensors that a rollout leaves."""
    from tensordict import TensorDict
    from torch import cat, ones_like
    from torch.nn.utils.rnn import pad_sequence

    texts = [text for group in GROUPS.values() for text in group]
    ids = [
        tokenizer(text + tokenizer.eos_token, return_tensors="pt")["input_ids"][0]
        for text in texts
    ]
    responses = pad_sequence(ids, batch_first=True)
    mask = pad_sequence([ones_like(each) for each in ids], batch_first=True)
    prompts = ones_like(responses[:, :1])
    tensors = {
        "prompts": prompts,
        "responses": responses,
        "attention_mask": cat([prompts, mask], dim=1),
    }
    return TensorDict(tensors, batch_size=len(texts))


def openrlhf_options(options: Sequence[str]) -> Any:
    """Options as OpenRLHF's program reads them.

    Its module imports vllm, so that the lines which make its parser run by themselves.
    """
    from openrlhf.utils.config import hierarchize

    found = find_spec("openrlhf.cli.train_ppo_ray")
    if found is None or found.origin is None:
        raise SystemExit("openrlhf has no openrlhf.cli.train_ppo_ray")
    (program,) = (
        each
        for each in ast.parse(Path(found.origin).read_text("utf-8")).body
        if isinstance(each, ast.If)
    )
    (reads,) = (
        place
        for place, each in enumerate(program.body)
        if "parser.parse_args()" in ast.unparse(each)
    )
    names: dict[str, Any] = {}
    before = "import argparse, os\nfrom datetime import datetime"
    exec(before, names)  # noqa: S102
    made = ast.Module(program.body[:reads], type_ignores=[])
    exec(compile(made, found.origin, "exec"), names)  # noqa: S102
    return hierarchize(names["parser"].parse_args(options))


def shown(program: str, url: str) -> list[str]:
    """The options of a command of docs/training.md, with the address of a server."""
    page = os.environ["RRM_HARNESS_PAGE"]
    (command,) = re.findall(
        rf"^python -m {re.escape(program)} (.*?)```", page, re.M | re.S
    )
    words = shlex.split(command.replace("\\\n", " "))
    local = r"http://localhost:\d+/get_reward"
    return [re.sub(local, url, word) for word in words if word != "..."]


INSIDE: dict[str, tuple[str, Callable[[Path, str], Rewards]]] = {
    "agent loop and reward loop, compute_score": ("verl", by_verl),
    "BatchRewardManager, compute_score_batch": ("verl", by_verl_batch),
    "SingleTurnAgentExecutor, its HTTP client": ("openrlhf", by_openrlhf),
}


# --- outside


def ran(*command: str | Path, **environment: str) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
    )
    if done.returncode:
        said = " ".join(map(str, command))
        raise SystemExit(f"{said}\n{done.stdout}{done.stderr}"[-4000:])


def environment(folder: Path) -> Path:
    """The Python of the trainers' environment, with the checkout of now in it."""
    python = folder / "bin" / "python"
    pip = (python, "-m", "pip", "install", "-qq")
    with TemporaryDirectory() as built:
        ran(sys.executable, "-m", "build", "--outdir", built, ROOT)
        (ours,) = Path(built).glob("rrm_harness-*.whl")
        if not (folder / "complete").exists():
            print(f"Making {folder.name}, once; it takes some minutes ...", flush=True)
            ran(sys.executable, "-m", "venv", folder)
            pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
            kept = [each for each in pins if each.partition("==")[0] in IMPORTED]
            (folder / "limits.txt").write_text("\n".join(kept) + "\n", "utf-8")
            limits = ("--constraint", folder / "limits.txt")
            ran(*pip, *limits, *IMPORTED, *VERL[1:], ours)
            ran(*pip, "--no-deps", VERL[0])
            ran(*pip, "--no-deps", "--target", folder / "openrlhf", *OPENRLHF)
            (folder / "complete").touch()
        ran(*pip, "--no-deps", "--force-reinstall", ours)
    return python


@contextmanager
def served(place: Path) -> Iterator[str]:
    """The URL of a reward server of this checkout."""
    judged = ("--judge", "longest", "--strategy", "elo", "--group", str(SIZE))
    command = Path(sys.executable).with_name("rrm-harness")
    with (
        (place / "server.log").open("w+") as log,
        subprocess.Popen(
            [command, "serve", "reward", *judged, "--port", "0"],
            stderr=subprocess.PIPE,
            stdout=log,
            text=True,
        ) as process,
    ):
        assert process.stderr
        said = process.stderr.readline()
        found = re.search(r"rewards at (http://\S+)", said)
        if not found:
            raise SystemExit(f"the server did not start: {said}")
        yield found[1]
        process.terminate()


def expected() -> Rewards:
    from rrm_harness.rewards import GroupReward

    with GroupReward("longest", "elo") as reward:
        return [reward.score(*each) for each in GROUPS.items()]


def single(rewards: Rewards) -> Rewards:
    """In single precision, in which trainers keep them."""
    return [array("f", each).tolist() for each in rewards]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv-trainers")
    folder = parser.parse_args().venv.resolve()
    python = environment(folder)
    sys.path.insert(0, str(ROOT / "tests"))
    import tiny_models

    from rrm_harness.libraries import quiet_transformers

    wrong = []
    print(f"{'release':<18}{'ran':<44}rewards equal", flush=True)
    with TemporaryDirectory(prefix="rrm-trainers-") as temporary:
        place = Path(temporary)
        with quiet_transformers():
            tiny_models.llama(place / "policy")
        for name, (package, _) in INSIDE.items():
            seen = {"PYTHONPATH": str(folder / package), "HF_HUB_OFFLINE": "1"}
            page = PAGE.read_text("utf-8")
            with served(place) as url:
                told = (name, temporary, url)
                ran(python, "-P", __file__, *told, RRM_HARNESS_PAGE=page, **seen)
            answer = json.loads((place / "answer.json").read_text())
            equal = single(answer["rewards"]) == single(expected())
            wrong += [] if equal else [f"{name}: {answer['rewards']}"]
            row = f"{answer['release']:<18}{name:<44}{'yes' if equal else 'no'}"
            print(row, flush=True)
    sys.exit("\n".join([*wrong, f"GroupReward: {expected()}"]) if wrong else 0)


def inside(name: str, place: Path, url: str) -> None:
    package, run = INSIDE[name]
    answer = {"release": f"{package} {version(package)}", "rewards": run(place, url)}
    (place / "answer.json").write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in INSIDE:
        inside(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
    else:
        main()
