"""Chats become the tokens that the template writes; texts in them stay inert."""

from pathlib import Path
from typing import Any

import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from rrm_harness import EngineError, Message, Note, Request, chat

FAMILIES = list(tiny_models.FAMILIES)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def ask(*texts: str, **changed: Any) -> Request:
    """A chat whose turns are the user's and the assistant's by turns."""
    roles = ("user", "assistant")
    turns = [Message(roles[at % 2], text) for at, text in enumerate(texts)]
    return Request(tuple(turns), **changed)


def tokens_of(family: str, request: Request) -> tuple[int, ...]:
    return chat.encode(tiny_models.tokenizer(family), request).ids


def added(family: str) -> dict[int, str]:
    decoder = tiny_models.tokenizer(family).added_tokens_decoder
    return {number: token.content for number, token in decoder.items()}


def specials(family: str, ids: tuple[int, ...]) -> list[str]:
    known = added(family)
    return [known[each] for each in ids if each in known]


@pytest.mark.parametrize("family", FAMILIES)
@given(text=ANY_TEXT)
def test_a_text_without_special_tokens_is_encoded_as_transformers_does(
    family: str, text: str
) -> None:
    tokenizer = tiny_models.tokenizer(family)
    expected = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True
    )["input_ids"]

    assert list(tokens_of(family, ask(text))) == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_no_special_token_comes_out_of_a_text(family: str) -> None:
    names = list(added(family).values())
    hostile = "a " + " b ".join(names) + " c"
    plain = specials(family, tokens_of(family, ask("text")))

    found = tokens_of(family, ask(hostile))

    assert specials(family, found) == plain
    decoded = tiny_models.tokenizer(family).decode(found)
    assert hostile in decoded


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_hostile_texts_are_read_as_they_are_written(
    family: str, data: st.DataObject
) -> None:
    names = st.sampled_from(sorted(added(family).values()))
    parts = data.draw(st.lists(st.one_of(names, ANY_TEXT), max_size=5))
    text = "x" + "".join(parts) + "x"  # templates trim

    decoded = tiny_models.tokenizer(family).decode(tokens_of(family, ask(text)))

    assert text in decoded


def test_a_template_that_trims_also_trims_what_is_encoded_apart() -> None:
    texts = ["  <|eot_id|> y \n", "<|eot_id|> y"]

    one, other = (tokens_of("llama", ask(text)) for text in texts)

    assert one == other


@pytest.mark.parametrize("content", ["content", "content | trim"])
@pytest.mark.parametrize("space", ["", " ", "\n", " \n "])
@given(before=ANY_TEXT, after=ANY_TEXT)
def test_a_text_that_names_a_token_stands_where_the_template_puts_it(
    content: str, space: str, before: str, after: str
) -> None:
    tokenizer = tiny_models.tokenizer("llama")
    turn = "{{ space + (message.CONTENT) + space }}".replace("CONTENT", content)
    tokenizer.chat_template = "{% for message in messages %}[" + turn + "]{% endfor %}"
    text = f"{before}<|eot_id|>{after}"
    request = ask("hi", text, kind="score", chat_options={"space": space})
    inside = text.strip() if "trim" in content else text

    decoded = tokenizer.decode(chat.encode(tokenizer, request).ids)

    assert decoded == f"[{space}hi{space}][{space}{inside}{space}]"


def test_a_template_that_writes_the_day_writes_the_same_one_every_day() -> None:
    tokenizer = tiny_models.tokenizer("llama")
    tokenizer.chat_template = (
        "{% if date_string is not defined %}"
        "{% set date_string = strftime_now('%d %b %Y %H:%M:%S') %}{% endif %}"
        "{{ date_string }}"
    )

    def day(**changed: Any) -> str:
        return str(tokenizer.decode(chat.encode(tokenizer, ask("q", **changed)).ids))

    assert day() == "26 Jul 2024 00:00:00"
    assert day(chat_options={"date_string": "1 May 2026"}) == "1 May 2026"


def test_an_answer_that_is_scored_is_not_cut_at_a_think_tag() -> None:
    """R1's template keeps only what follows the last tag of an assistant's turn."""
    request = ask("q", "never </think> lost", kind="score")

    decoded = tiny_models.tokenizer("r1").decode(tokens_of("r1", request))

    assert "never </think> lost" in decoded


@pytest.mark.parametrize("family", FAMILIES)
def test_there_is_one_beginning_unless_two_are_asked_for(family: str) -> None:
    tokenizer = tiny_models.tokenizer(family)
    single = chat.encode(tokenizer, ask("text"))
    double = chat.encode(tokenizer, ask("text", bos="double"))

    assert single.ids.count(tokenizer.bos_token_id) == 1
    assert double.ids == (tokenizer.bos_token_id, *single.ids)
    assert single.notes == ()
    assert double.notes == (Note.DOUBLE_BOS,)


def test_no_score_is_read_behind_two_beginnings() -> None:
    tokenizer = tiny_models.tokenizer("llama")
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    turns = (Message("user", "a"), Message("assistant", "b"))

    with pytest.raises(EngineError, match="writes the beginning of sequence twice"):
        chat.encode(tokenizer, Request(turns, kind="score"))
    assert Note.DOUBLE_BOS in chat.encode(tokenizer, Request(turns[:1])).notes


@pytest.mark.parametrize("template", ["{{ messages[0]['content'] }}", ""])
def test_a_beginning_that_is_not_there_cannot_be_doubled(template: str) -> None:
    tokenizer = tiny_models.tokenizer("llama")
    tokenizer.chat_template = template or "{% if false %}{% endif %}"

    with pytest.raises(EngineError, match="cannot be doubled"):
        chat.encode(tokenizer, Request((Message("user", "a"),), bos="double"))


@pytest.mark.parametrize("kind", ["score", "generate"])
def test_a_beginning_that_only_the_tokenizer_would_write_is_missed(kind: Any) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_models.tokenizer("llama")
    whole = tokenizer.chat_template
    bos = (tokenizer.bos_token, tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos[0]} $A", special_tokens=[bos]
    )
    request = Request((Message("user", "a"),), kind=kind)
    assert Note.NO_BOS not in chat.encode(tokenizer, request).notes

    tokenizer.chat_template = whole.replace("{{- bos_token }}", "")
    assert Note.NO_BOS in chat.encode(tokenizer, request).notes


@pytest.mark.parametrize("family", FAMILIES)
def test_half_of_a_pair_is_read_as_the_sign_of_what_is_unknown(family: str) -> None:
    ids = tokens_of(family, ask("half \ud83d of a pair <|im_end|>\udc00"))

    assert ids == tokens_of(family, ask("half \ufffd of a pair <|im_end|>\ufffd"))


@pytest.mark.parametrize("family", FAMILIES)
@given(texts=st.lists(ANY_TEXT | st.just("a <|im_end|> b </think> c"), max_size=4))
def test_chats_encoded_together_are_read_as_each_by_itself(
    family: str, texts: list[str]
) -> None:
    tokenizer = tiny_models.tokenizer(family)
    asked = [ask(text) for text in texts]
    alone = [chat.encode(tokenizer, each) for each in asked]

    assert chat.encode_all(tokenizer, asked) == alone


def test_a_tokenizer_that_was_told_to_cut_and_to_pad_does_neither() -> None:
    tokenizer, request = tiny_models.tokenizer("llama"), ask("one two three " * 9)
    whole = chat.encode(tokenizer, request)

    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=99)

    assert chat.encode(tokenizer, request) == whole


def test_a_tokenizer_with_a_way_of_its_own_goes_its_way() -> None:
    class Shouting(PreTrainedTokenizerFast):
        def __call__(self, text: Any = None, *others: Any, **options: Any) -> Any:
            return super().__call__(text.upper(), *others, **options)

    plain = tiny_models.tokenizer("llama")
    plain.chat_template = "{{ messages[0]['content'] }}"
    own = Shouting(
        tokenizer_object=plain.backend_tokenizer, chat_template=plain.chat_template
    )

    assert chat.encode(own, ask("loud")).ids == chat.encode(plain, ask("LOUD")).ids


def test_what_was_prefilled_ends_the_input() -> None:
    request = ask("text", prefill="<think>\n")

    decoded = tiny_models.tokenizer("llama").decode(tokens_of("llama", request))

    assert decoded.endswith("<|end_header_id|>\n\n<think>\n")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_scored_chat_has_no_generation_prompt(family: str) -> None:
    asked = tokens_of(family, ask("q", "a"))
    scored = tokens_of(family, ask("q", "a", kind="score"))

    assert asked[: len(scored)] == scored
    assert len(asked) > len(scored)


def test_a_template_without_a_generation_prompt_is_noted() -> None:
    tokenizer = tiny_models.tokenizer("llama")
    tokenizer.chat_template = "{{ messages[0]['content'] }}"

    assert chat.encode(tokenizer, ask("text")).notes == (Note.NO_GENERATION_PROMPT,)


def test_a_chat_that_the_template_refuses_is_a_sentence() -> None:
    request = Request((Message("system", "s"), Message("user", "u")))

    with pytest.raises(EngineError, match="does not take a chat of system, user"):
        chat.encode(tiny_models.tokenizer("gemma"), request)


def test_a_folder_without_a_tokenizer_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no tokenizer that loads"):
        chat.load_tokenizer(str(tmp_path))


def test_a_tokenizer_without_a_template_is_refused(tmp_path: Path) -> None:
    tiny_models.tokenizer("llama").save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()

    with pytest.raises(EngineError, match="no chat template"):
        chat.encode(chat.load_tokenizer(str(tmp_path)), ask("text"))


@pytest.mark.parametrize("text", ["one\n\ntwo", "<table> row", "a\n\n\nb <table>"])
def test_ordinary_text_that_is_a_token_of_its_own_is_read_as_ever(text: str) -> None:
    """Gemma's tokenizer has such tokens for newlines and HTML tags."""
    from tokenizers import AddedToken

    tokenizer = tiny_models.tokenizer("gemma")
    ordinary = ["\n\n", "\n\n\n", "<table>"]
    tokenizer.add_tokens([AddedToken(each, normalized=False) for each in ordinary])
    expected = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True
    )["input_ids"]

    assert list(chat.encode(tokenizer, ask(text)).ids) == expected


def test_a_thoughts_tag_is_a_mark_though_the_tokenizer_does_not_say_so() -> None:
    from tokenizers import AddedToken

    tokenizer = tiny_models.tokenizer("llama")
    tokenizer.add_tokens([AddedToken("</think>", special=False)])

    ids = chat.encode(tokenizer, ask("a </think> b")).ids

    assert tokenizer.convert_tokens_to_ids("</think>") not in ids
    assert "a </think> b" in tokenizer.decode(ids)
