"""Verdicts and scores out of what a judge wrote, by each judge's own rule."""

from math import isfinite

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rrm_harness import SpecError
from rrm_harness.parse import FIRST, PARSERS, SECOND, TIE, parser

ONE_VERDICT = ["mt-bench", "arena-hard"]
"""Parsers by which two different verdicts are none."""

ACCEPTED = [
    ("rrm", "think</think>So \\boxed{Assistant 1}", 2, FIRST),
    ("rrm", "<think>think</think>\\boxed{Assistant 2}", 2, SECOND),
    ("rrm", "</think>\\boxed{Assistant 1}, no: \\boxed{Assistant 2}.", 2, SECOND),
    ("rrm", "</think>\\fbox{Assistant 1}", 2, FIRST),
    ("rrm", "</think>\\boxed{Assistant 1}</think> and so on", 2, FIRST),
    ("assistant", "Assistant 1", 2, FIRST),
    ("assistant", " Assistant 2\n", 2, SECOND),
    ("mt-bench", "I prefer [[A]]", 2, FIRST),
    ("mt-bench", "I prefer [[B]]. Yes, [[B]].", 2, SECOND),
    ("mt-bench", "[[C]]", 2, TIE),
    ("mt-bench", "[[C]]", 4, (0.0, 0.0, 1.0, 0.0)),
    ("rm-r1", "<answer>[[A]]</answer>", 2, FIRST),
    ("rm-r1", "<answer> [[B]]\n</answer>", 2, SECOND),
    ("rm-r1", "<answer>[[A]]</answer> <answer>[[B]]</answer>", 2, SECOND),
    ("arena-hard", "My final verdict is: [[A>>B]]", 2, FIRST),
    ("arena-hard", "[[A>B]]", 2, FIRST),
    ("arena-hard", "[[A=B]]", 2, TIE),
    ("arena-hard", "[[B>A]]", 2, SECOND),
    ("arena-hard", "[[B>>A]] as I said, [[B>>A]]", 2, SECOND),
    ("llmbar", "Output (a) is better.", 2, FIRST),
    ("llmbar", "Therefore, Output (b) is better.", 2, SECOND),
    ("llmbar-line", "Output (a)", 2, FIRST),
    ("llmbar-line", "Output (b)", 2, SECOND),
    ("rating", "7", 1, (7.0,)),
    ("rating", " -1.25\n", 1, (-1.25,)),
    ("judgelrm", "<answer>8</answer><answer>6.5</answer>", 2, (8.0, 6.5)),
    ("judgelrm", "<answer> 5 </answer> <answer>5</answer>", 2, (5.0, 5.0)),
    ("deepseek-grm", "\\boxed{8, 3}", 2, (8.0, 3.0)),
    ("deepseek-grm", "first \\boxed{1, 2}, then \\boxed{7,4,9}", 3, (7.0, 4.0, 9.0)),
    ("deepseek-grm", "\\boxed{0, 12}", 2, (1.0, 10.0)),
]

REFUSED = [
    ("rrm", "\\boxed{Assistant 1}", 2),
    ("rrm", "<think>\\boxed{Assistant 1}</think>I cannot tell", 2),
    ("rrm", "</think>\\boxed{Assistant 1 }", 2),
    ("rrm", "</think>\\boxed{assistant 1}", 2),
    ("rrm", "</think>\\boxed{Assistant 3}", 2),
    ("rrm", "</think>\\boxed{\\text{Assistant 1}}", 2),
    ("rrm", "</think>\\boxed{Assistant 1", 2),
    ("rrm", "</think>Assistant 1", 2),
    ("assistant", "assistant 1", 2),
    ("assistant", "I prefer Assistant 1", 2),
    ("mt-bench", "[[A]] or [[B]]", 2),
    ("mt-bench", "[[D]]", 2),
    ("mt-bench", "[A]", 2),
    ("rm-r1", "[[A]]", 2),
    ("rm-r1", "<answer>[[C]]</answer>", 2),
    ("rm-r1", "<answer>[[A]]</answer><answer>[[C]]</answer>", 2),
    ("arena-hard", "[[A>B]] and [[B>A]]", 2),
    ("arena-hard", "[[A>>>B]]", 2),
    ("llmbar", "Both are good.", 2),
    ("llmbar-line", "Both are good.", 2),
    ("rating", "7/10", 1),
    ("rating", "The score is 7", 1),
    ("rating", "7", 2),
    ("judgelrm", "<answer>8</answer>", 2),
    ("judgelrm", "<answer>8</answer>" * 3, 2),
    ("judgelrm", "<answer>high</answer><answer>6</answer>", 2),
    ("deepseek-grm", "\\boxed{8}", 2),
    ("deepseek-grm", "\\boxed{8, 3, 4}", 2),
    ("deepseek-grm", "8, 3", 2),
    *[(name, "", 2) for name in PARSERS],
]

PIECES = st.sampled_from(
    [
        *["<think>", "</think>", "\\boxed{", "\\fbox{", "{", "}", "Assistant 1"],
        *["Assistant 2", "Assistant", " ", "\n", "[[A]]", "[[B]]", "[[C]]", "[[", "]]"],
        *["<answer>", "</answer>", "A>B", "[[A=B]]", "[[B>>A]]", "Output (a)"],
        *["Output (b)", " is better.", "7", "-3.5", "9" * 400, "١", "²", ",", "1e9"],
    ]
)
TEXTS = st.text() | st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


@pytest.mark.parametrize(("name", "text", "shown", "scores"), ACCEPTED)
def test_a_verdict_by_the_rule_is_read(
    name: str, text: str, shown: int, scores: tuple[float, ...]
) -> None:
    assert parser(name)(text, shown) == scores


@pytest.mark.parametrize(("name", "text", "shown"), REFUSED)
def test_a_text_off_the_menu_is_no_verdict(name: str, text: str, shown: int) -> None:
    assert parser(name)(text, shown) is None


@pytest.mark.parametrize("name", PARSERS)
@given(text=TEXTS, shown=st.integers(1, 5))
@settings(max_examples=150)
@example(text="9" * 400, shown=1)
@example(text="</think>\\boxed{Assistant 1}", shown=3)
def test_any_text_is_read_as_a_finite_score_for_each_response_or_not_at_all(
    name: str, text: str, shown: int
) -> None:
    scores = parser(name)(text, shown)

    assert scores is None or len(scores) == shown
    assert scores is None or all(map(isfinite, scores))


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, text, shown, _ in ACCEPTED if shown == 2]
)
def test_a_verdict_on_two_does_not_count_for_more(name: str, text: str) -> None:
    scores = parser(name)(text, 27)

    assert scores is None or len(scores) == 27


@given(before=st.text(), after=st.text())
def test_rrm_reads_nothing_before_the_end_of_thinking(before: str, after: str) -> None:
    thought = f"<think>{before} \\boxed{{Assistant 1}} {after}"

    scores = parser("rrm")(thought.replace("</think>", ""), 2)

    assert scores is None


@pytest.mark.parametrize(
    "thought",
    ["\\boxed{Assistant 1}", "so far \\boxed{Assistant 1} </thin", "\\boxed{"],
)
def test_rrm_reads_the_answer_and_not_the_thought(thought: str) -> None:
    text = f"<think>{thought}</think> \\boxed{{Assistant 2}}"

    assert parser("rrm")(text, 2) == SECOND


@pytest.mark.parametrize("name", ONE_VERDICT)
@given(data=st.data())
def test_two_different_verdicts_are_none(name: str, data: st.DataObject) -> None:
    verdicts = [
        text for each, text, shown, _ in ACCEPTED if each == name and shown == 2
    ]
    scores = {text: parser(name)(text, 2) for text in verdicts}
    one, other = data.draw(st.permutations(verdicts))[:2]

    together = parser(name)(f"{one} {data.draw(st.text(max_size=5))} {other}", 2)

    assert together is None or scores[one] == scores[other]


@pytest.mark.parametrize("name", ["judgelrm", "deepseek-grm"])
@given(scores=st.lists(st.integers(1, 10), min_size=1, max_size=6))
def test_written_scores_are_read_in_the_order_shown(
    name: str, scores: list[int]
) -> None:
    written = {
        "judgelrm": "".join(f"<answer>{score}</answer>" for score in scores),
        "deepseek-grm": f"\\boxed{{{', '.join(map(str, scores))}}}",
    }[name]

    assert parser(name)(written, len(scores)) == tuple(scores)


def test_a_misspelt_parser_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SpecError, match="did you mean 'mt-bench'"):
        parser("mtbench")
