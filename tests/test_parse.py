"""Verdicts and scores out of what a judge wrote, by each judge's own rule."""

from math import isfinite

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rrm_harness import SpecError
from rrm_harness.parse import (
    FIRST,
    PARSERS,
    SECOND,
    TIE,
    answer,
    parser,
    still_thinking,
)

ONE_VERDICT = ["mt-bench", "arena-hard", "verdict", "j1", "prometheus", "compass"]
"""Parsers by which two different verdicts are none."""

ACCEPTED = [
    ("rrm", "think</think>So \\boxed{Assistant 1}", 2, FIRST),
    ("rrm", "<think>think</think>\\boxed{Assistant 2}", 2, SECOND),
    ("rrm", "</think>\\boxed{Assistant 1}, no: \\boxed{Assistant 2}.", 2, SECOND),
    ("rrm", "</think>\\fbox{Assistant 1}", 2, FIRST),
    ("rrm", "</think>\\boxed{So: \\boxed{Assistant 1}}", 2, FIRST),
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
    ("judgelrm", "<answer>0</answer><answer>10</answer>", 2, (0.0, 10.0)),
    ("verdict", "I prefer [[A]]", 2, FIRST),
    ("verdict", "[[B]]", 2, SECOND),
    ("verdict", "<think>[[A]]</think>[[B]], yes [[B]]", 2, SECOND),
    ("mt-bench-rating", "Rating: [[7]]", 1, (7.0,)),
    ("mt-bench-rating", "[[3]]</think>[[9.5]]", 1, (9.5,)),
    ("j1", "<think>[[B]]</think>\n<answer> [[A]] </answer>", 2, FIRST),
    ("j1", "<answer>[[B]]</answer>", 2, SECOND),
    ("j1", "<score_A>9</score_A><answer>[[B]]</answer>", 2, SECOND),
    ("j1-scores", "<score_A>0</score_A> <score_B>10</score_B>", 2, (0.0, 10.0)),
    ("j1-scores", "<score_B> 7.3 </score_B><score_A>7</score_A>", 2, (7.0, 7.3)),
    ("j1-score", "<think><score>1</score></think><score> 8.4\n</score>", 1, (8.4,)),
    ("judgelrm-thinking", "x</think><answer>8</answer><answer>7</answer>", 2, (8, 7)),
    ("judgelm", "8 7\nBoth are good.", 2, (8.0, 7.0)),
    ("judgelm", "\n 8.5, 10 \n", 2, (8.5, 10.0)),
    ("judgelm", "7", 1, (7.0,)),
    ("prometheus", "Feedback: A is short. [RESULT] B", 2, SECOND),
    ("prometheus", "[RESULT]\n(A).\nThat is all.", 2, FIRST),
    ("prometheus-score", "Feedback: fine. [RESULT] 4", 1, (4.0,)),
    ("compass", 'So: {"Choice": "Model A"}', 2, FIRST),
    ("compass", '{"a": {"Choice" : "Model B"}}', 2, SECOND),
    ("deepseek-grm", "\\boxed{8, 3}", 2, (8.0, 3.0)),
    ("deepseek-grm", "first \\boxed{1, 2}, then \\boxed{7,4,9}", 3, (7.0, 4.0, 9.0)),
    ("deepseek-grm", "\\boxed{0, 12}", 2, (1.0, 10.0)),
    ("deepseek-grm", "<think>\\boxed{1, 2}</think>\\boxed{ 8 , 3.5 }", 2, (8.0, 3.5)),
    ("boxed-letter", "So \\boxed{A}", 2, FIRST),
    ("boxed-letter", "<think>\\boxed{A}</think> it is $\\boxed{ B }$.", 2, SECOND),
    ("boxed-letter", "\\boxed{A}, no: \\boxed{(B)}", 2, SECOND),
    ("boxed-letter", "\\boxed{B)}", 2, SECOND),
    ("boxed-letter", "\\boxed{\\text{A}}", 2, FIRST),
    ("boxed-letter", "\\boxed{\\text{(A)}}", 2, FIRST),
    ("boxed-letter", "\\boxed{D}", 4, (0.0, 0.0, 0.0, 1.0)),
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
    ("rm-r1", "<think>perhaps <answer>[[A]]</answer>, but", 2),
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
    ("judgelrm", "<answer>85</answer><answer>7</answer>", 2),
    ("judgelrm", "<answer>-1</answer><answer>7</answer>", 2),
    ("judgelrm", "<answer>7</answer><answer>10.5</answer>", 2),
    ("judgelrm", "<answer>٨</answer><answer>7</answer>", 2),
    ("judgelrm", "<answer>8</answer>" * 3, 2),
    ("judgelrm", "<answer>high</answer><answer>6</answer>", 2),
    ("verdict", "[[A]] or [[B]]", 2),
    ("verdict", "[[C]]", 2),
    ("verdict", "[[a]]", 2),
    ("verdict", "[[А]]", 2),  # a Cyrillic letter
    ("verdict", "[[Ａ]]", 2),  # a full-width one
    ("verdict", "[ [A] ]", 2),
    ("verdict", "<think>so [[A]]", 2),
    ("verdict", "[[A]]</think>I cannot tell", 2),
    ("mt-bench-rating", "[[0]]", 1),
    ("mt-bench-rating", "[[11]]", 1),
    ("mt-bench-rating", "[[nan]]", 1),
    ("mt-bench-rating", "[[1e3]]", 1),
    ("mt-bench-rating", "[[٧]]", 1),
    ("mt-bench-rating", "[[7]] or [[8]]", 1),
    ("mt-bench-rating", f"[[{'9' * 400}]]", 1),
    ("j1", "[[A]]", 2),
    ("j1", "<answer>A</answer>", 2),
    ("j1", "<answer>[[A]]</answer><answer>[[B]]</answer>", 2),
    ("j1", "<think><answer>[[A]]</answer>", 2),
    ("j1-scores", "<score_A>7</score_A>", 2),
    ("j1-scores", "<score_A>7</score_A><score_B>-1</score_B>", 2),
    ("j1-scores", "<score_A>7</score_A><score_B>10.01</score_B>", 2),
    ("j1-scores", "<score_A>7</score_A><score_B>NaN</score_B>", 2),
    ("j1-scores", "<score_A>7<score_B>8</score_B></score_A>", 2),
    ("j1-scores", "<score_A>7</score_A><score_A>8</score_A><score_B>1</score_B>", 2),
    ("j1-score", "<score>7/10</score>", 1),
    ("j1-score", "<score>7</score><score>8</score>", 1),
    ("judgelrm-thinking", "<answer>8</answer><answer>7</answer>", 2),
    ("judgelrm-thinking", "<answer>8</answer><answer>7</answer></think>", 2),
    ("judgelm", "8", 2),
    ("judgelm", "8 7 6", 2),
    ("judgelm", "Assistant 1: 8\nAssistant 2: 7", 2),
    ("judgelm", "8/10 7/10", 2),
    ("judgelm", "-1 7", 2),
    ("judgelm", "8 70", 2),
    ("judgelm", "inf nan", 2),
    ("prometheus", "B", 2),
    ("prometheus", "[RESULT] A or B", 2),
    ("prometheus", "[RESULT] A\n[RESULT] B", 2),
    ("prometheus", "[result] A", 2),
    ("prometheus", "[RESULT] Α", 2),  # a Greek letter
    ("prometheus-score", "[RESULT] 4.5", 1),
    ("prometheus-score", "[RESULT] 0", 1),
    ("prometheus-score", "[RESULT] 45", 1),
    ("prometheus-score", "[RESULT] 4 of 5", 1),
    ("compass", '{"Choice": "Model C"}', 2),
    ("compass", '{"choice": "Model A"}', 2),
    ("compass", '{"Choice": "Model A"} {"Choice": "Model B"}', 2),
    ("compass", '{"Choice": "Model ', 2),
    ("compass", '{"Choice": Model A}', 2),
    ("rrm", "</think>\\boxed{Assistant 1} \\boxed{both {of} them}", 2),
    ("rrm", "</think>\\boxed{Аssistant 1}", 2),  # a Cyrillic letter
    ("rrm", "</think>\\boxed{Assistant １}", 2),  # a full-width digit
    ("deepseek-grm", f"\\boxed{{{'9' * 400}, 1}}", 2),
    ("deepseek-grm", "\\boxed{nan, inf}", 2),
    ("deepseek-grm", "\\boxed{8}", 2),
    ("deepseek-grm", "\\boxed{Response 2: 9}", 2),
    ("deepseek-grm", "\\boxed{8 out of 10}", 2),
    ("deepseek-grm", "\\boxed{7/10}", 2),
    ("deepseek-grm", "\\boxed{7-8}", 2),
    ("deepseek-grm", "\\boxed{7 8}", 2),
    ("deepseek-grm", "\\boxed{7, 8,}", 2),
    ("deepseek-grm", "\\boxed{Response 2}", 1),
    ("deepseek-grm", "\\boxed{8, 3, 4}", 2),
    ("deepseek-grm", "8, 3", 2),
    ("boxed-letter", "B", 2),
    ("boxed-letter", "\\boxed{C}", 2),
    ("boxed-letter", "\\boxed{b}", 2),
    ("boxed-letter", "\\boxed{(B}", 2),
    ("boxed-letter", "\\boxed{A or B}", 2),
    ("boxed-letter", "\\boxed{AB}", 2),
    ("boxed-letter", "\\boxed{\\text{A}", 2),
    ("boxed-letter", "\\boxed{А}", 2),  # a Cyrillic letter
    ("boxed-letter", "<think>\\boxed{A}</think>I cannot tell", 2),
    ("boxed-letter", "\\boxed{A} \\boxed{none}", 2),
    *[(name, "", 2) for name in PARSERS],
]

PIECES = st.sampled_from(
    [
        *["<think>", "</think>", "\\boxed{", "\\fbox{", "{", "}", "Assistant 1"],
        *["Assistant 2", "Assistant", " ", "\n", "[[A]]", "[[B]]", "[[C]]", "[[", "]]"],
        *["<answer>", "</answer>", "A>B", "[[A=B]]", "[[B>>A]]", "Output (a)"],
        *["<answer>[[A]]</answer>", "<score>", "</score>", "<score_A>", "</score_A>"],
        *["<score_B>", "</score_B>", "[RESULT]", " A", " B", '{"Choice": "Model A"}'],
        *["NaN", "inf", "8 7", "[[7]]", "<score>7</score>", '"Choice": "'],
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
        text
        for each, text, shown, _ in ACCEPTED
        if each == name and shown == 2 and "think>" not in text
    ]
    scores = {text: parser(name)(text, 2) for text in verdicts}
    one, other = data.draw(st.permutations(verdicts))[:2]

    together = parser(name)(f"{one} {data.draw(st.text(max_size=5))} {other}", 2)

    assert together is None or scores[one] == scores[other]


THINKING = sorted({*PARSERS} - {"assistant"})
"""Parsers of replies, which may have a thought; `assistant` is of votes alone."""


@pytest.mark.parametrize("name", THINKING)
@given(thought=TEXTS, reply=TEXTS, shown=st.integers(1, 2))
def test_the_thought_does_not_count(
    name: str, thought: str, reply: str, shown: int
) -> None:
    thought = thought.replace("</think>", "")

    thoughtful = parser(name)(f"<think>{thought}</think>{reply}", shown)

    assert thoughtful == parser(name)(f"</think>{reply}", shown)


@pytest.mark.parametrize("name", THINKING)
@given(thought=TEXTS)
def test_a_thought_that_never_ends_says_nothing(name: str, thought: str) -> None:
    open_thought = "<think>" + thought.replace("</think>", "")

    assert parser(name)(open_thought, 2) is None


@pytest.mark.parametrize(("name", "text", "shown", "_"), ACCEPTED)
def test_no_verdict_counts_in_a_thought_that_never_ends(
    name: str, text: str, shown: int, _: tuple[float, ...]
) -> None:
    thought = text.replace("<think>", "").replace("</think>", "")

    assert parser(name)(f"<think>{thought}", shown) is None
    assert parser(name)(f"<think>\n{thought}\n", shown) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("all of it", "all of it"),
        ("<think>x</think> so", " so"),
        ("x</think> so", " so"),
        ("x</think> as </think> said", " as </think> said"),
        ("so <think>x", "so "),
        ("<think>x [[A]]", ""),
        ("", ""),
    ],
)
def test_the_answer_is_what_follows_the_thought(text: str, said: str) -> None:
    assert answer(text) == said


@pytest.mark.parametrize(
    ("text", "thinking"),
    [
        ("all of it", False),
        ("<think>x", True),
        ("so <think>x", True),
        ("<think>x</think> so", False),
        ("x</think> so", False),
        ("x</think> so <think>", False),
        ("", False),
    ],
)
def test_a_thought_that_was_begun_and_not_ended_is_told(
    text: str, thinking: bool
) -> None:
    assert still_thinking(text) == thinking


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("mt-bench-rating", 1, 10), ("j1-score", 0, 10), ("prometheus-score", 1, 5)],
)
@given(number=st.integers(-20, 20))
def test_a_score_off_the_scale_is_none(
    name: str, least: int, most: int, number: int
) -> None:
    written = {
        "mt-bench-rating": f"[[{number}]]",
        "j1-score": f"<score>{number}</score>",
        "prometheus-score": f"[RESULT] {number}",
    }[name]

    scores = parser(name)(written, 1)

    assert scores == ((number,) if least <= number <= most else None)


@pytest.mark.parametrize("name", ["judgelrm", "deepseek-grm", "judgelm"])
@given(scores=st.lists(st.integers(1, 10), min_size=1, max_size=6))
def test_written_scores_are_read_in_the_order_shown(
    name: str, scores: list[int]
) -> None:
    written = {
        "judgelrm": "".join(f"<answer>{score}</answer>" for score in scores),
        "deepseek-grm": f"\\boxed{{{', '.join(map(str, scores))}}}",
        "judgelm": " ".join(map(str, scores)) + "\nbecause 9 10",
    }[name]

    assert parser(name)(written, len(scores)) == tuple(scores)


def test_a_misspelt_parser_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SpecError, match="did you mean 'mt-bench'"):
        parser("mtbench")
