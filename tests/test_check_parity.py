"""`check parity` finds every planted fault, and says which it is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import exp
from pathlib import Path
from typing import Any

import pytest

from rrm_harness import (
    Completion,
    Engine,
    Judge,
    Model,
    Request,
    host,
)
from rrm_harness.check_parity import Parity, parity

Tiny = Callable[[str], Path]


@dataclass
class Faulty(Engine):
    """The reference engine, with a fault between it and the caller."""

    inner: Any

    @property
    def identity(self) -> str:
        return f"faulty {self.inner.identity}"

    def submit(self, ticket: int, request: Request) -> None:
        self.inner.submit(ticket, self.asked(request))

    def collect(self) -> Iterable[tuple[int, Completion]]:
        return [(at, self.told(each)) for at, each in self.inner.collect()]

    def close(self) -> None:
        self.inner.close()

    def asked(self, request: Request) -> Request:
        return request

    def told(self, completion: Completion) -> Completion:
        return completion


class SigmoidOn(Faulty):
    def told(self, completion: Completion) -> Completion:
        scores = tuple(1 / (1 + exp(-each)) for each in completion.scores)
        return replace(completion, scores=scores)


class DoubleBos(Faulty):
    def asked(self, request: Request) -> Request:
        return replace(request, bos="double")

    def told(self, completion: Completion) -> Completion:
        return replace(completion, notes=())  # and says nothing of it


@dataclass
class Rereading(Faulty):
    """Reads the ids in its own way, and answers at once."""

    done: list[tuple[int, Completion]] = field(default_factory=list)

    def submit(self, ticket: int, request: Request) -> None:
        ids, position = self.read(self.inner.tokens(request))
        values = self.inner.score_ids(ids, positions=[position]).values
        self.done.append((ticket, Completion(scores=values, prompt_tokens=len(ids))))

    def collect(self) -> Iterable[tuple[int, Completion]]:
        done, self.done = self.done, []
        return done

    def read(self, ids: Sequence[int]) -> tuple[Sequence[int], int]:
        raise NotImplementedError


class CutRewardToken(Rereading):
    def read(self, ids: Sequence[int]) -> tuple[Sequence[int], int]:
        return ids[:-1], len(ids) - 2


class Truncated(Rereading):
    def read(self, ids: Sequence[int]) -> tuple[Sequence[int], int]:
        kept = ids[:60]
        return kept, len(kept) - 1


class PooledFirst(Rereading):
    def read(self, ids: Sequence[int]) -> tuple[Sequence[int], int]:
        return ids, 0


class Unmarked(Rereading):
    """Lacks the first special token."""

    def read(self, ids: Sequence[int]) -> tuple[Sequence[int], int]:
        return ids[1:], len(ids) - 2


@dataclass
class Batching(Faulty):
    """Loads a classifier by the Auto class and scores all that waits in one batch."""

    waiting: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    network: Any = None

    def submit(self, ticket: int, request: Request) -> None:
        from transformers import AutoModelForSequenceClassification
        from transformers.utils import logging

        if self.network is None:
            logging.set_verbosity_error()
            self.network = AutoModelForSequenceClassification.from_pretrained(
                self.inner.model.id, num_labels=1
            )
        self.waiting.append((ticket, self.inner.tokens(request)))


class RandomHead(Batching):
    """The Auto class leaves a head random whose weights have another name."""

    def collect(self) -> Iterable[tuple[int, Completion]]:
        import torch

        waiting, self.waiting = self.waiting, []
        for ticket, ids in waiting:
            with torch.no_grad():
                logits = self.network(torch.tensor([ids])).logits
            scores = (float(logits[0, 0]),)
            yield ticket, Completion(scores=scores, prompt_tokens=len(ids))


class WrongPadding(Batching):
    """Pads on the right, without a mask, and reads the last column."""

    def collect(self) -> Iterable[tuple[int, Completion]]:
        import torch

        waiting, self.waiting = self.waiting, []
        longest = max(len(ids) for _, ids in waiting)
        padded = [[*ids, *[0] * (longest - len(ids))] for _, ids in waiting]
        with torch.no_grad():
            hidden = self.network.model(torch.tensor(padded)).last_hidden_state
            scores = self.network.score(hidden[:, -1])[:, 0].tolist()
        for (ticket, ids), score in zip(waiting, scores, strict=True):
            yield ticket, Completion(scores=(score,), prompt_tokens=len(ids))


def scoring(model: Model) -> Judge:
    """The judge of that head, which goes by its name."""
    judge: Judge = host.default().build("judges", f"{model.head},model={model.id}")
    return judge


def beside_the_reference(model: Model, fault: type[Any], limit: int = 6) -> Parity:
    def reference() -> Engine:
        return host.default().engine("transformers,dtype=float32", scoring(model))

    engines = {"reference": reference, "other": lambda: fault(reference())}
    data = host.default().build("datasets", "sample")
    _, other = parity(scoring(model), engines, data, limit=limit)
    return other


@pytest.mark.parametrize(
    ("fault", "family", "reason"),
    [
        (SigmoidOn, "llama_classifier", "activation"),
        (DoubleBos, "llama_classifier", "double BOS"),
        (WrongPadding, "llama_classifier", "padding"),
        (PooledFirst, "llama_classifier", "pooling"),
        (Truncated, "llama_classifier", "truncation"),
        (Unmarked, "llama_classifier", "no BOS"),
        (CutRewardToken, "athene", "cut reward token"),
        (RandomHead, "athene", "random head"),
    ],
)
def test_a_planted_fault_is_found_and_named(
    tiny: Tiny, fault: type[Any], family: str, reason: str
) -> None:
    head = family if family == "athene" else "sequence-classifier"

    found = beside_the_reference(Model(str(tiny(family)), head=head), fault)

    assert not found.agrees
    assert [each.partition(":")[0] for each in found.reasons] == [reason]


@pytest.mark.parametrize("family", ["llama_classifier", "athene"])
def test_an_engine_without_a_fault_agrees(tiny: Tiny, family: str) -> None:
    head = family if family == "athene" else "sequence-classifier"

    found = beside_the_reference(Model(str(tiny(family)), head=head), Faulty)

    assert found.agrees
    assert (found.differ, found.flips, found.reasons) == (0, 0, [])
    assert found.judged == 6
    assert found.rows > 6


def test_flips_are_counted(tiny: Tiny) -> None:
    class Upside(Faulty):
        def told(self, completion: Completion) -> Completion:
            return replace(completion, scores=(-completion.scores[0],))

    model = Model(str(tiny("llama_classifier")), head="sequence-classifier")

    found = beside_the_reference(model, Upside)

    assert found.flips == found.judged == 6


def text_parity(tiny: Tiny, judge: str, engine: str, fault: type[Any]) -> Parity:
    """A writing judge on the reference engine, and on one with a fault."""
    plugins = host.default()
    built = plugins.build("judges", judge.format(tiny("lettered")))

    def reference() -> Engine:
        return plugins.engine(engine, built)

    engines = {"reference": reference, "other": lambda: fault(reference())}
    data = plugins.build("datasets", "sample,part=pairs")
    _, other = parity(built, engines, data, limit=4)
    return other


PROBABLE = "llm,model={},verdict=probabilities"


def test_probabilities_are_compared_and_not_only_the_likeliest_letter(
    tiny: Tiny,
) -> None:
    class Leaning(Faulty):
        def told(self, completion: Completion) -> Completion:
            lower = {token: each - 0.1 for token, each in completion.logprobs.items()}
            return replace(completion, logprobs=lower)

    assert text_parity(tiny, PROBABLE, "transformers", Faulty).agrees
    assert text_parity(tiny, PROBABLE, "transformers", Leaning).differ == 4


def test_what_only_one_engine_could_judge_is_no_agreement(tiny: Tiny) -> None:
    class Silent(Faulty):
        def told(self, completion: Completion) -> Completion:
            return replace(completion, logprobs={})

    found = text_parity(tiny, PROBABLE, "transformers", Silent)

    assert not found.agrees
    assert found.flips == found.judged == 4


def test_failures_that_agree_are_no_agreement(tiny: Tiny) -> None:
    judge = "rrm,model={},max-tokens=8"

    found = text_parity(tiny, judge, "transformers,context=10", Faulty)

    assert not found.agrees
    assert found.reasons[0].startswith("nothing compared: every request failed (too-")
