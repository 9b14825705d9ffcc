"""Chats to token ids: by the model's own template, what a value says kept inert.

The template writes the special tokens; the texts in a chat never do. A response that
contains `<|im_end|>` or `</think>` is read as those characters, not as that token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

from rrm_harness.errors import EngineError
from rrm_harness.libraries import library, quiet_transformers
from rrm_harness.records import Message, Note, Request

BEFORE = 8
"""Prompt tokens that are decoded with what was written, to keep its first space."""
AT_ONCE = 256
"""Texts tokenized in one call: enough for every core, few enough for little memory."""

TODAY = date(2024, 7, 26)
"""What templates that write the day are told, so that a chat is the same on each: the
day that those of Llama 3.1 and 3.2 write where they cannot ask."""

_MARK = re.compile(r"</?(think|tool_call|tool_response)>|<[|｜].*[|｜]>")
"""Tokens that mean something though a tokenizer may not call them special."""
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"
"""Private-use characters around the number that stands for a message's text."""
_SPACE = "\v"
"""Space around those, which is gone if a template trims; no template writes it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request's token ids, and what the input audit should know."""

    ids: tuple[int, ...]
    notes: tuple[str, ...] = ()


def load_tokenizer(place: str, *, trust_remote_code: bool = False) -> Any:
    """Load a folder's tokenizer.

    Raises:
        EngineError: There is none, or no transformers to read it.
    """
    transformers = library("transformers", "transformers")
    try:
        with quiet_transformers():
            found = transformers.AutoTokenizer.from_pretrained(
                place, trust_remote_code=trust_remote_code
            )
    except Exception as error:
        raise EngineError(
            f"{place} has no tokenizer that loads ({type(error).__name__}: {error});"
            " name a folder with the model's own files"
        ) from error
    return found


def encode(
    tokenizer: Any, request: Request, marks: Mapping[str, int] | None = None
) -> Encoded:
    """Turn a request into the token ids that the model reads.

    Nothing is added that the template does not write, so there is one beginning of
    sequence; `bos="double"` repeats it. Where a text contains an added token's name, it
    is cut inside the name before it is tokenized, so that it cannot become that token.

    Args:
        tokenizer: The model's own.
        request: The chat, and what the template should end with.
        marks: Characters of the texts that stand for a token id each.

    Raises:
        EngineError: The template does not take this chat, or writes another number of
            beginnings of sequence than what is asked for needs.
    """
    (found,) = encode_all(tokenizer, [request], marks)
    return found


def encode_all(
    tokenizer: Any, requests: Sequence[Request], marks: Mapping[str, int] | None = None
) -> list[Encoded]:
    """As `encode`, of many at once: so tokenizing uses all cores."""
    known = marks or {}
    spelled = [[*_pieces(tokenizer, request, known)] for request in requests]
    ids = _ids(tokenizer, [text for text in chain(*spelled) if text not in known])
    return [
        _encoded(
            tokenizer,
            request,
            [[known[text]] if text in known else next(ids) for text in pieces],
        )
        for request, pieces in zip(requests, spelled, strict=True)
    ]


def _encoded(tokenizer: Any, request: Request, pieces: Sequence[list[int]]) -> Encoded:
    """A request's ids from those of its pieces."""
    ids = tuple(chain.from_iterable(pieces))
    _refuse_wrong_bos(tokenizer, request, ids)
    if request.bos == "double":
        ids = (ids[0], *ids)
    return Encoded(ids, tuple(_notes(tokenizer, request, ids)))


def _pieces(
    tokenizer: Any, request: Request, marks: Mapping[str, int]
) -> Iterator[str]:
    """The rendered chat, cut where no token may reach across; each mark is a piece."""
    names = _added(tokenizer)
    if names and names_a_token(tokenizer, request):
        whole = _cut(tokenizer, request, names)
    else:
        text = _rendered(tokenizer, request, request.messages)
        whole = iter([text + request.prefill])
    if not marks:
        return whole
    mark = re.compile(f"([{re.escape(''.join(marks))}])")
    return (each for text in whole for each in mark.split(text))


def inert(tokenizer: Any, text: str, before: str = "") -> list[int]:
    """The ids of a text outside a template; only in `before` are tokens named."""
    names = _added(tokenizer)
    first, *rest = _apart(text, names) if names else [text]
    return [*chain.from_iterable(_ids(tokenizer, [before + first, *rest]))]


def continued(tokenizer: Any, before: Sequence[int], written: Sequence[int]) -> str:
    """What the tokens say after those before them, special tokens spelled out.

    Some tokenizers drop the first space of a text, so it is decoded in its place.
    """
    known = _decoded(tokenizer, before[-BEFORE:])
    whole = _decoded(tokenizer, [*before[-BEFORE:], *written])
    if whole.startswith(known):
        return whole[len(known) :]
    return _decoded(tokenizer, written)


def _decoded(tokenizer: Any, ids: Sequence[int]) -> str:
    text: str = tokenizer.decode(
        list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return text


def _ids(tokenizer: Any, texts: Sequence[str]) -> Iterator[list[int]]:
    """Each text's ids; half of a pair, which no tokenizer takes, is read as unknown."""
    whole = [
        text if text.isascii() else _HALF.sub("\N{REPLACEMENT CHARACTER}", text)
        for text in texts
    ]
    backend = _backend(tokenizer)
    if backend is None:
        for text in whole:
            yield tokenizer(text, add_special_tokens=False)["input_ids"]
        return
    for start in range(0, len(whole), AT_ONCE):
        some = whole[start : start + AT_ONCE]
        for each in backend.encode_batch_fast(some, add_special_tokens=False):
            yield each.ids


def _backend(tokenizer: Any) -> Any:
    """What tokenizes behind a tokenizer's Python, set as that would set it.

    It keeps no places of tokens in the text, which the Python asks for and throws away.
    None where the Python does more than call it.
    """
    fast = library("transformers", "transformers").PreTrainedTokenizerFast
    own = type(tokenizer)
    if (
        not issubclass(own, fast)
        or own.__call__ is not fast.__call__
        or own._encode_plus is not fast._encode_plus
    ):
        return None
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens
    return backend


_HALF = re.compile("[\ud800-\udfff]")


def _rendered(tokenizer: Any, request: Request, messages: Sequence[Message]) -> str:
    """The messages by the template, with a generation prompt if text is to follow."""
    if not tokenizer.chat_template:
        raise EngineError(
            f"the tokenizer in {tokenizer.name_or_path} has no chat template; put the"
            " model's chat_template.jinja beside it"
        )
    chat = [{"role": each.role, "content": each.content} for each in messages]
    try:
        text: str = tokenizer.apply_chat_template(
            chat,
            tokenize=False,
            add_generation_prompt=request.kind == "generate",
            **_day(tokenizer) | dict(request.chat_options),
        )
    except Exception as error:
        roles = ", ".join(each.role for each in messages)
        raise EngineError(
            f"the model's chat template does not take a chat of {roles} ({error});"
            " give the judge a template that the model knows"
        ) from error
    return text


def _day(tokenizer: Any) -> dict[str, Any]:
    """What a template that asks for the day is given."""
    asks = "strftime_now" in str(tokenizer.chat_template)
    return {"strftime_now": TODAY.strftime} if asks else {}


def names_a_token(tokenizer: Any, request: Request) -> bool:
    """Whether a text of the chat, tokenized as it is, would become a special token."""
    names = _added(tokenizer)
    return names is not None and any(
        names.search(message.content) for message in request.messages
    )


def _added(tokenizer: Any) -> re.Pattern[str] | None:
    """What finds the texts that the tokenizer reads as a token that means something.

    Some tokenizers keep ordinary text, such as runs of newlines or HTML tags, as tokens
    of their own; such text is read as it always is.
    """
    template = str(tokenizer.chat_template or "")
    names = (
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if token.special or token.content in template or _MARK.fullmatch(token.content)
    )
    return _pattern(tuple(name for name in names if name.strip()))


@cache
def _pattern(names: tuple[str, ...]) -> re.Pattern[str] | None:
    longer = sorted((name for name in names if len(name) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longer))) if longer else None


def _segments(tokenizer: Any, request: Request) -> Iterator[tuple[str, bool]]:
    """The rendered chat in pieces: what the template wrote, and what it was given."""
    held = [
        Message(each.role, f"{_SPACE}{_OPEN}{number}{_CLOSE}{_SPACE}")
        for number, each in enumerate(request.messages)
    ]
    text = _rendered(tokenizer, request, held)
    for piece in re.split(f"({_SPACE}?{_OPEN}[0-9]+{_CLOSE}{_SPACE}?)", text):
        number = re.fullmatch(f"({_SPACE}?){_OPEN}([0-9]+){_CLOSE}({_SPACE}?)", piece)
        if number is None:
            yield piece, True
            continue
        content = request.messages[int(number[2])].content
        content = content if number[1] else content.lstrip()  # the template trims
        yield content if number[3] else content.rstrip(), False
    yield request.prefill, True


def _cut(tokenizer: Any, request: Request, names: re.Pattern[str]) -> Iterator[str]:
    """The rendered chat, cut nowhere but inside the names that its texts contain."""
    held = ""
    for text, trusted in _segments(tokenizer, request):
        first, *rest = [text] if trusted else _apart(text, names)
        held += first
        for piece in rest:
            yield held
            held = piece
    yield held


def _apart(text: str, names: re.Pattern[str]) -> Iterator[str]:
    """The text cut inside every added token's name."""
    start = 0
    for found in names.finditer(text):
        yield text[start : found.start() + 1]
        start = found.start() + 1
    yield text[start:]


def _refuse_wrong_bos(tokenizer: Any, request: Request, ids: Sequence[int]) -> None:
    """Refuse to score behind two beginnings, and to double one that is not there.

    Raises:
        EngineError: That is what was about to happen.
    """
    bos = tokenizer.bos_token_id
    if request.bos == "double" and (bos is None or list(ids[:1]) != [bos]):
        raise EngineError(
            "the beginning of sequence cannot be doubled: the model's chat template"
            " writes none; leave bos=double... out"
        )
    doubled = bos is not None and list(ids[:2]) == [bos, bos]
    if request.kind == "score" and request.bos == "single" and doubled:
        raise EngineError(
            f"the chat template in {tokenizer.name_or_path} writes the beginning of"
            " sequence twice, so every score would be wrong; mend chat_template.jinja"
        )


def _begins_texts(tokenizer: Any) -> bool:
    """Whether the tokenizer by itself begins a text with the beginning of sequence."""
    if tokenizer not in _BEGINS:
        _BEGINS[tokenizer] = tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    return _BEGINS[tokenizer]


_BEGINS: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def _notes(tokenizer: Any, request: Request, ids: Sequence[int]) -> Iterator[str]:
    bos = tokenizer.bos_token_id
    if bos is not None and list(ids[:2]) == [bos, bos]:
        yield Note.DOUBLE_BOS
    if list(ids[:1]) != [bos] and _begins_texts(tokenizer):
        yield Note.NO_BOS
    if request.kind == "generate" and not _prompts_generation(tokenizer, request):
        yield Note.NO_GENERATION_PROMPT


def _prompts_generation(tokenizer: Any, request: Request) -> bool:
    """Whether the template says that the assistant's turn begins."""
    known = _PROMPTS.setdefault(tokenizer, {})
    key = (repr(request.chat_options), *(each.role for each in request.messages))
    if key not in known:
        chat = tuple(Message(each.role, "text") for each in request.messages)
        asked = Request(chat, chat_options=request.chat_options)
        left = Request(chat, kind="score", chat_options=request.chat_options)
        plain = _rendered(tokenizer, left, chat)
        known[key] = _rendered(tokenizer, asked, chat) != plain
    return known[key]


_PROMPTS: WeakKeyDictionary[Any, dict[Any, bool]] = WeakKeyDictionary()


def reply(tokenizer: Any, before: Sequence[int], text: str) -> str:
    """A text as it was replied: with the thought that the prompt had opened for it.

    Where the template itself ends in `<think>`, a reply that is cut before `</think>`
    would otherwise look like an answer.
    """
    opened = re.search(r"<think>\s*\Z", _decoded(tokenizer, before[-BEFORE:]))
    return opened[0] + text if opened else text
