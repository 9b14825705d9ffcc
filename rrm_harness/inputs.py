"""What a judge's model is given: a comparison's requests, as the tokens it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from rrm_harness import chat, checkpoints, host, models
from rrm_harness.errors import DataError, SpecError
from rrm_harness.heads import Head, Score, longest
from rrm_harness.libraries import library
from rrm_harness.records import (
    Comparison,
    Completion,
    Dataset,
    Engine,
    Example,
    Judge,
    Model,
    Request,
)

CRITIQUE = "The first response answers the question, the second one only in part."
"""What a judge of critiques is shown when it is checked."""
LATEST = 256
"""Inputs that are kept as tokens: votes on one come within a few hundred requests."""
_told = attrgetter(*[each.name for each in fields(Request) if each.name != "seed"])


@dataclass(frozen=True, slots=True)
class Reader:
    """A model's tokenizer and config, and how its head turns requests into tokens."""

    model: Model
    place: Path
    tokenizer: Any
    config: Any
    head: Head | None
    _latest: dict[str, chat.Encoded] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, model: Model) -> Reader:
        """Read a model's folder; weights are neither read nor downloaded.

        Raises:
            EngineError: The folder has no tokenizer or config that loads.
        """
        transformers = library("transformers", "transformers")
        place = models.folder(model, weights=False)
        head = host.default().build("heads", model.head) if model.head else None
        trust = model.trust_remote_code
        config = transformers.PretrainedConfig.from_dict(checkpoints.config(place))
        tokenizer = chat.load_tokenizer(str(place), trust_remote_code=trust)
        return cls(model, place, tokenizer, config, head)

    @property
    def context(self) -> int:
        """The most tokens that the model takes, 0 if its config does not say."""
        said = self.text_config
        return self.head.context(said) if self.head else longest(said)

    @property
    def text_config(self) -> Any:
        """The part of the config that is about text: all of it if it has no parts."""
        from transformers import PretrainedConfig

        part = self.config.get_text_config() or self.config
        return PretrainedConfig.from_dict(part) if isinstance(part, dict) else part

    def ends(self) -> tuple[int, ...]:
        """The tokens that end a text, as the checkpoint and its tokenizer name them.

        Llama 3's turns end in one that only generation_config.json lists. Nothing else
        is taken from there: a published temperature is not what was asked for.

        Raises:
            EngineError: That file is damaged.
        """
        said = [
            checkpoints.generation_config(self.place).get("eos_token_id"),
            getattr(self.config, "eos_token_id", None),
            getattr(self.text_config, "eos_token_id", None),
            self.tokenizer.eos_token_id,
        ]  # one token, several, or none
        lists = [each if isinstance(each, list | tuple) else [each] for each in said]
        return tuple(sorted({end for each in lists for end in each if end is not None}))

    def encode(self, request: Request) -> chat.Encoded:
        """The token ids of a request, with whatever the head appends.

        What is asked again with another seed, as votes are, is not tokenized again.
        """
        asked = _but_the_seed(request)
        found = self._latest.pop(asked, None) or self._encoded(request)
        self._latest[asked] = found
        if len(self._latest) > LATEST:
            del self._latest[next(iter(self._latest))]
        return found

    def _encoded(self, request: Request) -> chat.Encoded:
        if self.head is None or request.kind == "generate":
            return chat.encode(self.tokenizer, request)
        return self.head.encode(self.tokenizer, self.config, request)

    def encode_all(self, requests: Sequence[Request]) -> list[chat.Encoded]:
        """As `encode`; at once, unless the head has a way of its own."""
        if self.head is not None and type(self.head).encode is not Head.encode:
            return [self.encode(request) for request in requests]
        asked = [*map(_but_the_seed, requests)]
        distinct = dict(zip(asked, requests, strict=True))
        encoded = chat.encode_all(self.tokenizer, [*distinct.values()])
        found = dict(zip(distinct, encoded, strict=True))
        return [found[each] for each in asked]

    def positions(self, ids: Sequence[int]) -> list[int]:
        """The positions that the head reads; the last one without a head."""
        if self.head is None:
            return [len(ids) - 1]
        return self.head.positions(self.tokenizer, self.config, ids)

    def score(self, rows: Sequence[Sequence[float]]) -> Score:
        """What the head makes of its raw outputs; without one, the first row's.

        Raises:
            EngineError: They are not this head's outputs.
        """
        return self.head.score(rows) if self.head else Score(tuple(rows[0]))

    def shown(self, ids: Sequence[int]) -> str:
        """Token ids as text, each special token between ⟦ and ⟧."""
        added = self.tokenizer.added_tokens_decoder
        pieces: list[str] = []
        plain: list[int] = []
        for token in [*ids, None]:
            if token is not None and token not in added:
                plain.append(token)
                continue
            if plain:
                pieces.append(self.tokenizer.decode(plain))
                plain = []
            if token is not None:
                pieces.append(f"⟦{added[token].content}⟧")
        return "".join(pieces)


def _but_the_seed(request: Request) -> str:
    """All that a request says but its seed, on which no token depends."""
    return repr(_told(request))


def comparisons(judge: Judge, dataset: Dataset, limit: int) -> list[Comparison]:
    """The dataset's first comparisons that the judge can take, in the order given.

    Raises:
        DataError: No example has a number of responses that the judge takes.
    """
    fitting = (
        Comparison.of(each)
        for each in dataset.examples()
        if isinstance(each, Example) and _fits(judge, each)
    )
    found = list(islice(fitting, limit))
    if not found:
        most = judge.most or "any number of"
        raise DataError(
            f"{dataset.name} has no example that this judge takes, with {judge.fewest}"
            f" to {most} responses; name another --dataset"
        )
    return found


def _fits(judge: Judge, example: Example) -> bool:
    shown = len(example.responses)
    return judge.pointwise or judge.fewest <= shown <= (judge.most or shown)


def completions(engine: Engine, requests: Sequence[Request]) -> list[Completion]:
    """Ask an engine all of it, and wait; in the requests' order."""
    for ticket, request in enumerate(requests):
        engine.submit(ticket, request)
    found: dict[int, Completion] = {}
    while len(found) < len(requests):
        found.update(engine.collect())
    return [found[ticket] for ticket in range(len(requests))]


def requests(judge: Judge, comparison: Comparison) -> list[tuple[int, Request]]:
    """A comparison's requests, each with the place of the response that it is about.

    A request about all of them has the place -1. A judge of critiques is shown one.

    Raises:
        SpecError: The judge makes none.
    """
    if judge.role == "meta":
        critique = replace(comparison, role="meta", critique=CRITIQUE)
        asked = [(-1, request) for request in judge.render(critique)]
    elif judge.pointwise:
        asked = [
            (place, request)
            for place, index in enumerate(comparison.order)
            for request in judge.render(comparison.only(index))
        ]
    else:
        asked = [(-1, request) for request in judge.render(comparison)]
    if not asked:
        raise SpecError("this judge runs no model, so there is nothing to check")
    return asked
