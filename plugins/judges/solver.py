"""A policy: a model that answers multiple-choice questions instead of judging."""

from dataclasses import dataclass, field

from rrm_harness import Recipe, Register, Shape, hookimpl


@dataclass(frozen=True)
class Solver(Recipe):
    r"""Any chat model that answers a multiple-choice question: reason, box the letter.

    The choices are a question's responses, lettered in the order shown; the one whose
    letter is boxed scores 1. As `--judge` it is measured by itself, as `--policy` it
    writes what a judge chooses from. It is sampled as the R1 models ask to be, without
    a system turn; a thought that does not end is a failure of kind truncated.

    Source: the card of deepseek-ai/DeepSeek-R1-Distill-Qwen-7B (decoding). The wording
    is ours.
    """

    model: str = field(default="deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", repr=False)
    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 32768

    thinks = True
    shape = Shape("judges/solver.jinja", "boxed-letter", fewest=2, most=26)


@hookimpl
def register_judges(register: Register) -> None:
    register("solver", Solver)
