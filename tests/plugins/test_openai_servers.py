"""The openai engine against real servers: llama.cpp's for texts, vLLM's for scores."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from scoring import Loaded

from rrm_harness import (
    Completion,
    Engine,
    Failure,
    Judgment,
    Message,
    Model,
    Request,
    evaluate,
    host,
)
from rrm_harness.inputs import completions
from rrm_harness.testing import FakeModelJudge

OPENAI: Callable[..., Engine] = host.default().lookup("engines", "openai").thing
CHATS = (
    (Message("user", "Which of these two is better?"),),
    (Message("system", "You are a judge."), Message("user", "one or two")),
    (Message("user", "word " * 150),),
)


@pytest.fixture(scope="module")
def llama_url(
    tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    file = tmp_path_factory.mktemp("gguf") / "llama.gguf"
    with servers.llama_cpp(tiny("llama"), file) as url:
        yield url


@pytest.fixture(scope="module")
def vllm_url(
    tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    log = tmp_path_factory.mktemp("vllm") / "log.txt"
    options = ("--runner", "pooling", "--max-model-len", "512")
    named = ("--served-model-name", "rm")
    with servers.vllm(tiny("llama_classifier"), *options, *named, log=log) as url:
        yield url


def answers(running: Engine, *requests: Request) -> list[Completion]:
    try:
        return completions(running, requests)
    finally:
        running.close()


def template(folder: Path, request: Request) -> list[int]:
    """The chat's ids as transformers makes them."""
    from transformers import AutoTokenizer

    chat = [{"role": each.role, "content": each.content} for each in request.messages]
    ids: list[int] = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        chat, add_generation_prompt=request.kind == "generate", return_dict=False
    )
    return ids


def greedy(folder: Path, request: Request) -> str:
    """What transformers writes in float32, token by token."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = template(folder, request)
    written: list[int] = []
    with torch.no_grad():
        while len(written) < request.max_tokens:
            logits = model(torch.tensor([ids + written])).logits[0, -1]
            written.append(int(logits.argmax()))
            if written[-1] == tokenizer.eos_token_id:
                break
    text: str = tokenizer.decode(written, skip_special_tokens=True)
    return text


def test_llama_cpp_writes_what_transformers_writes(
    tiny: Callable[[str], Path], llama_url: str
) -> None:
    folder = tiny("llama")
    requests = [Request(messages, max_tokens=12) for messages in CHATS]

    completions = answers(
        OPENAI(Model("judge"), url=llama_url, tokenizer=str(folder)), *requests
    )

    expected = [greedy(folder, request) for request in requests]
    assert [each.text for each in completions] == expected
    assert [each.prompt_tokens for each in completions] == [
        len(template(folder, request)) for request in requests
    ]
    assert {each.completion_tokens for each in completions} == {12}
    assert {each.finish for each in completions} == {"length"}


def test_a_chat_reads_the_same_as_its_token_ids(
    tiny: Callable[[str], Path], llama_url: str
) -> None:
    request = Request(CHATS[0], max_tokens=12, logprobs=4)

    (as_chat,) = answers(OPENAI(Model("judge"), url=llama_url), request)
    (as_ids,) = answers(
        OPENAI(Model("judge"), url=llama_url, tokenizer=str(tiny("llama"))), request
    )

    assert as_chat.text == as_ids.text
    assert as_chat.prompt_tokens == as_ids.prompt_tokens
    assert as_chat.logprobs == pytest.approx(as_ids.logprobs, abs=1e-4)


def test_log_probabilities_are_those_of_the_weights(
    tiny: Callable[[str], Path], llama_url: str
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny("llama")
    request = Request(CHATS[0], max_tokens=1, logprobs=3)

    (completion,) = answers(OPENAI(Model("judge"), url=llama_url), request)

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    with torch.no_grad():
        logits = model(torch.tensor([template(folder, request)])).logits[0, -1]
    likely = logits.log_softmax(-1).topk(3)
    tokens = AutoTokenizer.from_pretrained(folder).batch_decode(likely.indices[:, None])
    expected = dict(zip(tokens, likely.values.tolist(), strict=True))
    assert completion.logprobs == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("how", ["token ids", "assistant"])
def test_a_reply_that_was_begun_is_continued(
    tiny: Callable[[str], Path], llama_url: str, how: str
) -> None:
    folder = tiny("llama")
    whole = Request(CHATS[0], max_tokens=8)
    (full,) = answers(OPENAI(Model("judge"), url=llama_url), whole)
    begun = full.text[: len(full.text) // 2]
    options: dict[str, Any] = (
        {"prefill": "assistant"} if how == "assistant" else {"tokenizer": str(folder)}
    )

    (rest,) = answers(
        OPENAI(Model("judge"), url=llama_url, **options),
        Request(CHATS[0], max_tokens=8, prefill=begun),
    )

    assert rest.text
    assert not rest.text.startswith(begun)


def test_llama_cpp_says_how_much_room_it_has(llama_url: str) -> None:
    long = Request((Message("user", "word " * 3000),), max_tokens=24)

    (completion,) = answers(OPENAI(Model("judge"), url=llama_url), long)

    assert completion.failure is Failure.TOO_LONG
    assert completion.room == 1024 - 24
    assert completion.prompt_tokens > 1024


def test_a_whole_run_is_judged_by_a_real_server(llama_url: str, tmp_path: Path) -> None:
    judge = FakeModelJudge(
        lambda shown: Judgment(tuple(map(float, shown.order))), temperature=0.5
    )
    spec = f"openai,url={llama_url},concurrency=4"
    object.__setattr__(judge, "runs_on", Model("judge"))

    found = evaluate(
        judge, "sample", "voting,k=2", engine=spec, output=tmp_path / "run"
    ).results

    assert found["failures"] == {}
    assert found["tokens"]["completion"] > 0


def forward(folder: Path, ids: list[int]) -> float:
    """The classifier's raw logit in float64."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float64
    )
    with torch.no_grad():
        return float(model(torch.tensor([ids])).logits[0, 0])


REPLIES = ("yes", "a longer answer of two parts", "no " * 80)


def scoring(reply: str) -> Request:
    turns = (Message("user", "Is it?"), Message("assistant", reply))
    return Request(turns, kind="score")


def test_vllm_scores_are_the_classifier_s_raw_logits(
    tiny: Callable[[str], Path], vllm_url: str
) -> None:
    folder = tiny("llama_classifier")
    requests = [scoring(reply) for reply in REPLIES]
    model = Model(str(folder), head="sequence-classifier")

    completions = answers(OPENAI(model, url=vllm_url, served="rm"), *requests)

    expected = [forward(folder, template(folder, each)) for each in requests]
    assert [each.scores[0] for each in completions] == pytest.approx(expected, abs=1e-4)
    assert any(not 0 <= each.scores[0] <= 1 for each in completions)
    assert [each.prompt_tokens for each in completions] == [
        len(template(folder, each)) for each in requests
    ]


def test_vllm_says_how_much_room_it_has(
    tiny: Callable[[str], Path], vllm_url: str
) -> None:
    model = Model(str(tiny("llama_classifier")), head="sequence-classifier")

    (completion,) = answers(
        OPENAI(model, url=vllm_url, served="rm"), scoring("word " * 1000)
    )

    assert completion.failure is Failure.TOO_LONG
    assert completion.room == 512
    assert completion.prompt_tokens > 512


def test_a_name_that_vllm_does_not_know_is_told_with_the_one_it_does(
    tiny: Callable[[str], Path], vllm_url: str
) -> None:
    model = Model(str(tiny("llama_classifier")), head="sequence-classifier")

    with pytest.raises(Exception, match="the server offers: rm; name the model"):
        answers(OPENAI(model, url=vllm_url, served="other"), scoring("yes"))


def test_vllm_pools_the_steps_that_a_head_reads(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tiny("process")
    options = ("--runner", "pooling", "--served-model-name", "prm")
    options += ("--pooler-config", '{"pooling_type": "ALL"}', "--max-model-len", "512")
    steps = [scoring("Add.\n\nTwo and two.\n\nFour."), scoring("Guess.")]

    with servers.vllm(folder, *options, log=tmp_path / "log.txt") as url:
        model = Model(str(folder), head="process")
        found = answers(OPENAI(model, url=url, served="prm"), *steps)

    head = Loaded.of("process", folder)
    expected = [score.values for score in head.score(*map(head.ids, steps))]
    assert [len(each.scores) for each in found] == [3, 1]
    for each, values in zip(found, expected, strict=True):
        assert each.scores == pytest.approx(values, abs=1e-4)
