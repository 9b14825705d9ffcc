"""An engine that is given batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import BatchEngine, Completion, Message, Request


@dataclass
class Echo(BatchEngine):
    """Says what it was asked; remembers how large its batches were."""

    suffix: str = "!"
    sizes: list[int] = field(default_factory=list, repr=False)

    batch = 3

    def answer(self, requests: Sequence[Request]) -> Sequence[Completion]:
        self.sizes.append(len(requests))
        return [
            Completion(each.messages[-1].content + self.suffix) for each in requests
        ]


def asking(text: str) -> Request:
    return Request((Message("user", text),))


def run_out(engine: BatchEngine) -> dict[int, str]:
    found: dict[int, str] = {}
    while done := dict(engine.collect()):
        found |= {ticket: completion.text for ticket, completion in done.items()}
    return found


@given(st.dictionaries(st.integers(), st.text()))
def test_every_ticket_is_answered_with_its_own(asked: dict[int, str]) -> None:
    engine = Echo()
    for ticket, text in asked.items():
        engine.submit(ticket, asking(text))

    assert run_out(engine) == {ticket: f"{text}!" for ticket, text in asked.items()}


def test_batches_are_no_larger_than_told() -> None:
    engine = Echo()
    for ticket in range(7):
        engine.submit(ticket, asking("q"))

    run_out(engine)

    assert engine.sizes == [3, 3, 1]


def test_what_is_cancelled_is_not_asked() -> None:
    engine = Echo()
    engine.submit(1, asking("a"))
    engine.submit(2, asking("b"))

    engine.cancel(1)
    engine.cancel(9)

    assert run_out(engine) == {2: "b!"}


def test_a_closed_engine_has_nothing_left() -> None:
    engine = Echo()
    engine.submit(1, asking("a"))

    engine.close()

    assert run_out(engine) == {}


def test_options_are_part_of_what_an_engine_is() -> None:
    assert Echo().identity == Echo().identity
    assert Echo(suffix="?").identity != Echo().identity


def test_an_answer_too_few_is_an_error() -> None:
    class Short(BatchEngine):
        """Forgets."""

        def answer(self, requests: Sequence[Request]) -> Sequence[Completion]:
            return []

    engine = Short()
    engine.submit(1, asking("a"))

    with pytest.raises(ValueError, match="shorter"):
        dict(engine.collect())
