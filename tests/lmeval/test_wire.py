"""A played example survives as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Comparison, Example, Failure, Judgment, Outcome
from rrm_harness.lmeval import documents, wire
from rrm_harness.schedule import Finished
from rrm_harness.testing import example

numbers = st.floats(allow_nan=False, allow_infinity=False)
failures = st.sampled_from(list(Failure))
scored = st.dictionaries(st.integers(0, 3), numbers, min_size=1)
notes = st.dictionaries(st.text(), st.integers(0, 9))
orders = st.permutations([0, 1, 2]).map(tuple)


def outcomes(
    parts: st.SearchStrategy[tuple[Outcome, ...]],
) -> st.SearchStrategy[Outcome]:
    won = st.builds(
        Outcome, scored, uncertain=st.booleans(), order=orders, parts=parts, notes=notes
    )
    lost = st.builds(Outcome, failure=failures, parts=parts, notes=notes)
    return st.one_of(won, lost)


whole = outcomes(st.tuples() | st.tuples(outcomes(st.tuples())))
judgments = st.one_of(
    st.builds(Judgment, st.tuples(numbers, numbers, numbers)),
    st.builds(Judgment.failed, failures, st.text(max_size=wire.EXCERPT)),
)


@st.composite
def played(draw: st.DrawFn) -> Finished:
    asked: Example = example(3)
    other = replace(asked, responses=("a policy's", "three", "solutions"))
    judged = [
        (
            Comparison(draw(st.sampled_from([asked, other])), draw(orders)),
            draw(judgments),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    counts = {name: draw(st.integers(0, 9)) for name in wire._COUNTS}
    kept = Counter(draw(notes))
    return Finished(asked, draw(whole), judged, notes=kept, done=True, **counts)


@given(played())
def test_what_is_written_is_read_back(finished: Finished) -> None:
    content = wire.read(json.dumps(wire.dumped(finished)))

    assert content is not None
    assert wire.loaded(content, finished.example) == finished


@given(st.text() | st.integers().map(str) | st.just('{"rrm": 0}') | st.just("[1]"))
def test_nothing_else_is_taken_for_it(text: str) -> None:
    assert wire.read(text) is None


def test_a_document_holds_all_that_a_judge_needs() -> None:
    asked = example(3, correct=(0, 2), id="a", subset="b")

    assert documents.example(json.loads(json.dumps(documents.document(asked)))) == asked
