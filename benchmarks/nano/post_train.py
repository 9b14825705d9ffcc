r"""Post-train the nano policy with RRM-nano as its only reward.

`python benchmarks/nano/post_train.py --output FOLDER [--seeds 0 1 2] [--strategy elo]`

GRPO by TRL on questions without labels: the completions of a question are compared by
the judge, and their Elo-style ratings are their rewards. What is right is asked only
to measure: the policy before, on the way and after, on held-back questions, each run
with its results.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rrm_harness import evaluate, host
from rrm_harness.models import folder as folder_of
from rrm_harness.rewards import GroupReward

POLICY = host.default().build("judges", "nano-solver").runs_on
HELD_BACK = "nano-arithmetic,shape=answers,n={n},seed=1"
GROUP = 8


def train(seed: int, given: argparse.Namespace, output: Path) -> None:
    """Run GRPO; leave checkpoints in `output`, named checkpoint-STEP."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import GRPOTrainer

    start = folder_of(POLICY)
    with GroupReward(
        given.judge,
        given.strategy,
        engine=given.engine,
        seed=seed,
        num_generations=GROUP,
        thinking="begun",
        unanswered="last",
    ) as reward:
        trainer = GRPOTrainer(
            model=str(start),
            reward_funcs=reward,
            args=_settings(seed, given, output),
            train_dataset=Dataset.from_dict({"prompt": _prompts(seed, given)}),
            processing_class=AutoTokenizer.from_pretrained(start),
        )
        trainer.train()
        print(f"  failures of the judge: {dict(reward.failures)}", flush=True)
    (output / "log.json").write_text(json.dumps(trainer.state.log_history, indent=1))


def _settings(seed: int, given: argparse.Namespace, output: Path) -> Any:
    from trl import GRPOConfig

    return GRPOConfig(
        output_dir=str(output),
        use_cpu=True,
        bf16=False,
        seed=seed,
        data_seed=seed,
        max_steps=given.steps,
        save_steps=given.steps // given.points,
        save_only_model=True,
        per_device_train_batch_size=GROUP * given.questions,
        num_generations=GROUP,
        max_completion_length=96,
        temperature=1.0,
        learning_rate=given.rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=3,
        beta=0.0,
        logging_steps=1,
        report_to=[],
        model_init_kwargs={"dtype": "float32"},
        disable_tqdm=True,
    )


def _prompts(seed: int, given: argparse.Namespace) -> list[list[dict[str, str]]]:
    """As many questions without labels as the steps ask for, other ones each seed."""
    count = given.steps * given.questions
    asked = f"nano-arithmetic,shape=queries,split=train,seed={1000 + seed},n={count}"
    questions = host.default().build("datasets", asked).examples()
    return [[{"role": "user", "content": each.prompt[0].content}] for each in questions]


def measure(policy: Path, given: argparse.Namespace, output: Path) -> Mapping[str, Any]:
    """The policy's chance to be right on held-back questions, by the verifier."""
    return evaluate(
        f"nano-solver,model={policy}",
        HELD_BACK.format(n=given.measure),
        "repeated,k=4",
        engine="transformers",
        output=output,
        baselines=False,
    ).results


def curve(seed: int, given: argparse.Namespace) -> Sequence[tuple[int, Any]]:
    """Train with a seed and measure the checkpoints: step and results."""
    started = time.monotonic()
    print(f"seed {seed}", flush=True)
    place = given.output / f"seed-{seed}"
    train(seed, given, place / "policy")
    print(f"  trained in {time.monotonic() - started:.0f} s", flush=True)
    steps = [given.steps * at // given.points for at in range(given.points + 1)]
    return [
        (step, measure(_weights(place, step), given, place / f"step-{step:03}"))
        for step in steps
    ]


def _weights(place: Path, step: int) -> Path:
    return place / "policy" / f"checkpoint-{step}" if step else folder_of(POLICY)


def main() -> None:
    """Train and measure with each seed; print the curve and write it."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--output", type=Path, default=Path("runs/post-train"))
    asked.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked.add_argument("--judge", default="rrm-nano")
    asked.add_argument("--strategy", default="elo")
    asked.add_argument("--engine", default="transformers")
    asked.add_argument("--steps", type=int, default=45)
    asked.add_argument("--questions", type=int, default=16, help="in each step")
    asked.add_argument("--points", type=int, default=3, help="measured on the way")
    asked.add_argument("--measure", type=int, default=500, help="held-back questions")
    asked.add_argument("--rate", type=float, default=3e-4)
    given = asked.parse_args()
    rows = []
    for seed in given.seeds:
        for step, results in curve(seed, given):
            rows.append(_row(seed, step, results))
            low, high = rows[-1]["accuracy_low"], rows[-1]["accuracy_high"]
            told = f"{rows[-1]['accuracy']:.4f}  [{low:.4f}, {high:.4f}]"
            print(f"  step {step:3d}  {told}  {rows[-1]['failures']}", flush=True)
    (given.output / "curve.json").write_text(json.dumps(rows, indent=1))
    _tell_gain(rows, given.steps)


def _row(seed: int, step: int, results: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("n", "accuracy", "accuracy_low", "accuracy_high", "failures", "extra")
    return {"seed": seed, "step": step, **{name: results[name] for name in kept}}


def _tell_gain(rows: Sequence[Mapping[str, Any]], last: int) -> None:
    """The mean gain over seeds, with Student's 95 % interval."""
    from scipy.stats import ttest_1samp

    at = {(row["seed"], row["step"]): row["accuracy"] for row in rows}
    gains = [at[seed, last] - at[seed, 0] for seed, step in at if step == 0]
    told = f"gain {sum(gains) / len(gains):+.4f} over {len(gains)} seeds"
    if len(gains) > 1:
        low, high = ttest_1samp(gains, 0.0).confidence_interval(0.95)
        told += f"  [{low:+.4f}, {high:+.4f}]"
    print(told)


if __name__ == "__main__":
    main()
