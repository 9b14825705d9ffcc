"""The bundled sample: small, undisputed, and ours to give away."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Literal

from rrm_harness import BadRow, Dataset, Example, Register, Rule, hookimpl

from .jsonl import Jsonl


@dataclass(frozen=True)
class Sample(Dataset):
    """48 preference pairs in six subsets and 12 best-of-8 questions, written for this.

    `part` takes the pairs or the best-of-8 questions alone. Position and length tell
    nothing: half of the correct responses come first, half are the longer ones. A tie
    shares the credit, a failure is wrong; the headline is the mean over examples.
    """

    part: Literal["all", "pairs", "best-of-8"] = "all"

    name = "sample"
    rule = Rule()
    protocol = "single,order=seeded"

    @property
    def revision(self) -> str:
        with as_file(_ROWS) as path:
            return Jsonl(path).revision

    def examples(self) -> Iterator[Example | BadRow]:
        with as_file(_ROWS) as path:
            for example in Jsonl(path).examples():
                if isinstance(example, BadRow) or self._wanted(example):
                    yield example

    def _wanted(self, example: Example) -> bool:
        pair = len(example.responses) == 2
        return self.part == "all" or pair == (self.part == "pairs")


_ROWS = files(__package__) / "sample.jsonl"


@hookimpl
def register_datasets(register: Register) -> None:
    register("sample", Sample)
