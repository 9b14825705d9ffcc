"""The vLLM engine, for real: tiny models in this process, and once outside it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from reference_llama import config, states, two_layers, weights
from scoring import asked

from rrm_harness import (
    Comparison,
    Completion,
    EngineError,
    Failure,
    Judgment,
    Message,
    Model,
    Request,
    SpecError,
    chat,
    evaluate,
    host,
)
from rrm_harness.inputs import completions
from rrm_harness.recipe import Recipe, RewardModel, judged

CLOSE: dict[str, Any] = {"rel": 1e-5, "abs": 1e-5}
Start = Callable[..., Any]


def built(folder: Path, head: str = "", **options: Any) -> Any:
    """The engine, small and exact."""
    told = {"dtype": "float32", "eager": True, "context": 1024, "max_sequences": 4}
    factory = host.default().lookup("engines", "vllm").thing
    return factory(model=Model(str(folder), head=head), **(told | options))


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """An engine of a folder, kept until another is wanted: one runs at a time."""
    at_work: dict[str, Any] = {}

    def engine(folder: Path, head: str = "", **options: Any) -> Any:
        key = f"{folder} {head} {options}"
        if key not in at_work:
            for each in at_work.values():
                each.close()
            at_work.clear()
            at_work[key] = built(folder, head, **options)
        return at_work[key]

    yield engine
    for each in at_work.values():
        each.close()


def question(text: str, **changed: Any) -> Request:
    return Request((Message("user", text),), **({"max_tokens": 24} | changed))


QUESTIONS = (
    question("Which answer is better?"),
    question("Hello " * 40),
    question("Say it again.", prefill="I would say"),
    question("Name a colour.", max_tokens=5),
    question("Tell a story about a very long road."),
    question("One."),
)


def reweighed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The folder, with its one file of weights changed."""
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    held = load_file(file)
    change(held)
    save_file(held, file, metadata={"format": "pt"})
    return folder


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target, dirs_exist_ok=True)
    return target


def changed(file: Path, **said: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | said))


@cache
def reference(folder: Path) -> tuple[Any, Any]:
    """The same model and its tokenizer, in plain transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), chat.load_tokenizer(str(folder))


def greedy(folder: Path, request: Request, ends: Sequence[int]) -> list[int]:
    """What transformers writes, the ending token included."""
    import torch
    from transformers import GenerationConfig

    model, words = reference(folder)
    ids = torch.tensor([chat.encode(words, request).ids])
    plain = GenerationConfig(
        do_sample=False,
        max_new_tokens=request.max_tokens,
        eos_token_id=list(ends),
        pad_token_id=0,
    )
    model.generation_config = plain
    written = model.generate(ids, attention_mask=torch.ones_like(ids))
    return [int(each) for each in written[0, ids.shape[1] :]]


@dataclass(frozen=True)
class Writer:
    """A tiny R1: it thinks nothing of the first question, and ends in its own way.

    Its generation_config.json would spoil every answer if more than the ends were read.
    """

    folder: Path
    ends: tuple[int, ...]

    @classmethod
    def made(cls, source: Path, folder: Path) -> Writer:
        words = chat.load_tokenizer(str(copied(source, folder)))
        (first, *_) = greedy(source, QUESTIONS[0], [words.eos_token_id])
        think = words.convert_tokens_to_ids("</think>")

        def preferred(held: dict[str, Any]) -> None:
            held["lm_head.weight"][think] = 1.5 * held["lm_head.weight"][first]

        reweighed(folder, preferred)
        wrote = greedy(folder, QUESTIONS[4], [words.eos_token_id])
        own = next(each for each in wrote[3:] if wrote.index(each) > 2)
        reference.cache_clear()
        changed(
            folder / "generation_config.json",
            eos_token_id=[words.eos_token_id, own],
            do_sample=True,
            top_p=0.01,
            top_k=1,
            temperature=0.01,
            repetition_penalty=5.0,
        )
        return cls(folder, (words.eos_token_id, own))


@pytest.fixture(scope="module")
def writer(
    tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Writer:
    return Writer.made(tiny("qwen2"), tmp_path_factory.mktemp("writer"))


def said(writer: Writer, request: Request) -> str:
    """What transformers writes, as text without the end."""
    ids = greedy(writer.folder, request, writer.ends)
    _, words = reference(writer.folder)
    kept = ids[:-1] if ids[-1] in writer.ends else ids
    thinks = "<think>" in words.chat_template and not request.prefill
    opened = "<think>\n" if thinks else ""
    return opened + str(words.decode(kept, skip_special_tokens=False))


def test_greedy_text_is_what_transformers_writes(start: Start, writer: Writer) -> None:
    found = completions(start(writer.folder), QUESTIONS)

    assert [each.text for each in found] == [said(writer, each) for each in QUESTIONS]
    assert len({each.text for each in found}) == len(QUESTIONS)


def test_the_end_of_thinking_stays_in_the_text(start: Start, writer: Writer) -> None:
    (found,) = completions(start(writer.folder), QUESTIONS[:1])

    assert found.text.startswith("<think>\n</think>")


def test_an_end_that_only_the_generation_config_names_ends_the_text(
    start: Start, writer: Writer
) -> None:
    request = QUESTIONS[4]
    expected = greedy(writer.folder, request, writer.ends)
    assert expected[-1] == writer.ends[1]

    (found,) = completions(start(writer.folder), [request])

    assert found.finish == "stop"
    assert found.completion_tokens == len(expected) < request.max_tokens


def test_a_reply_that_is_cut_says_so(start: Start, writer: Writer) -> None:
    (found,) = completions(start(writer.folder), [replace(QUESTIONS[0], max_tokens=2)])

    assert (found.finish, found.completion_tokens) == ("length", 2)


def test_a_stop_ends_the_text_and_is_not_part_of_it(
    start: Start, writer: Writer
) -> None:
    whole = said(writer, QUESTIONS[1])
    stop = whole[15:18]  # beyond the opened thought

    (found,) = completions(start(writer.folder), [replace(QUESTIONS[1], stop=(stop,))])

    assert found.text == whole[: whole.index(stop)]
    assert found.finish == "stop"


def test_a_sampled_reply_depends_on_its_seed_alone(
    start: Start, writer: Writer
) -> None:
    requests = [
        replace(each, temperature=1.0, seed=seed)
        for each in QUESTIONS[:2]
        for seed in (1, 2, 3)
    ]
    engine = start(writer.folder)

    together = [each.text for each in completions(engine, requests)]
    backwards = [each.text for each in completions(engine, requests[::-1])][::-1]
    alone = [completions(engine, [each])[0].text for each in requests]

    assert together == backwards == alone


def test_sampled_replies_to_more_than_a_step_can_read_are_the_same(
    start: Start, writer: Writer
) -> None:
    """On a CPU vLLM dies of a seeded request that it reads in several steps."""
    long = "What did the fox do then, and why did it do so? " * 55
    requests = [
        question(f"{number} {long}", temperature=1.0, seed=number, max_tokens=2)
        for number in range(24)
    ]
    engine = start(writer.folder, context=2048, max_sequences=24)

    together = completions(engine, requests)
    alone = [completions(engine, [each])[0] for each in requests[-2:]]

    assert min(each.prompt_tokens for each in together) > 600
    assert [each.text for each in together[-2:]] == [each.text for each in alone]


def test_the_published_decoding_is_not_used(start: Start, writer: Writer) -> None:
    """Top-k 1 and top-p 0.01 would write the same for every seed."""
    requests = [replace(QUESTIONS[1], temperature=1.0, seed=seed) for seed in range(5)]

    texts = {each.text for each in completions(start(writer.folder), requests)}

    assert len(texts) == 5


def test_alternatives_are_those_of_the_first_token(
    start: Start, writer: Writer
) -> None:
    import torch

    model, words = reference(writer.folder)
    ids = torch.tensor([chat.encode(words, QUESTIONS[1]).ids])
    with torch.inference_mode():
        logits = model(ids).logits[0, -1].double()
    best = logits.log_softmax(-1).topk(30)
    expected = {
        words.decode([token]): value
        for value, token in reversed(
            list(zip(best.values.tolist(), best.indices.tolist(), strict=True))
        )
    }

    (found,) = completions(
        start(writer.folder), [replace(QUESTIONS[1], logprobs=30, temperature=0.7)]
    )

    assert found.logprobs == pytest.approx(expected, abs=1e-4)


def test_a_short_reply_does_not_wait_for_a_long_one(
    start: Start, writer: Writer
) -> None:
    engine = start(writer.folder)
    engine.submit(0, replace(QUESTIONS[5], max_tokens=60, temperature=1.0, seed=4))
    engine.submit(1, replace(QUESTIONS[3], max_tokens=2))
    ((first, _),) = engine.collect()
    engine.submit(2, replace(QUESTIONS[3], max_tokens=3))
    ((second, _),) = engine.collect()
    ((third, _),) = engine.collect()

    assert (first, second, third) == (1, 2, 0)


def test_what_is_cancelled_is_never_answered(start: Start, writer: Writer) -> None:
    engine = start(writer.folder)
    for ticket in range(10):  # more than run at a time: some wait here
        engine.submit(ticket, replace(QUESTIONS[5], max_tokens=40 + ticket))
    engine.submit(10, replace(QUESTIONS[3], max_tokens=1))
    got = dict(engine.collect())
    for ticket in range(10):
        engine.cancel(ticket)
    engine.submit(11, QUESTIONS[3])
    while 11 not in got:
        got.update(engine.collect())

    assert list(engine.collect()) == []
    assert sorted(got) == [10, 11]


def test_twice_what_runs_is_asked_for(start: Start, writer: Writer) -> None:
    engine = start(writer.folder)
    before, untold = engine.capacity, built(writer.folder, max_sequences=0)
    completions(engine, [QUESTIONS[3]])

    assert engine.capacity == before == 2 * 4
    assert untold.capacity == 2 * 1024  # until it has started and knows better


def test_untold_as_many_run_as_in_vllm_s_own_offline_class(
    start: Start, writer: Writer
) -> None:
    """Its engine alone would take the few of an unknown use."""
    vllm = pytest.importorskip("vllm")
    usage = pytest.importorskip("vllm.usage.usage_lib").UsageContext
    told = vllm.EngineArgs(
        model=str(writer.folder), skip_tokenizer_init=True, max_model_len=1024
    )
    offline = told.create_engine_config(usage.LLM_CLASS).scheduler_config.max_num_seqs
    engine = start(writer.folder, max_sequences=0)

    completions(engine, [QUESTIONS[3]])

    assert engine.capacity == 2 * offline


def test_what_does_not_fit_is_refused_and_never_cut(
    start: Start, writer: Writer
) -> None:
    engine = start(writer.folder)
    long = question("word " * 300)
    length = len(engine.tokens(long))
    fits = replace(long, max_tokens=1024 - length, stop=tuple("abcdefghijklmnop"))
    over = replace(fits, max_tokens=fits.max_tokens + 1)

    whole, refused = completions(engine, [fits, over])

    assert (whole.failure, whole.prompt_tokens) == (None, length)
    assert refused.failure is Failure.TOO_LONG
    assert (refused.prompt_tokens, refused.room) == (length, length - 1)
    assert refused.text == f"{length} tokens, {length - 1} fit"


def test_a_request_that_vllm_refuses_fails_alone(start: Start, writer: Writer) -> None:
    wrong = replace(QUESTIONS[3], top_p=1.5, temperature=1.0, seed=1)

    fine, refused = completions(start(writer.folder), [QUESTIONS[3], wrong])

    assert fine.failure is None
    assert refused.failure is Failure.ENGINE_ERROR
    assert "top_p" in refused.text


def test_a_shared_beginning_is_computed_once(start: Start, writer: Writer) -> None:
    engine = start(writer.folder)
    beginning = "The beginning that all of these share. " * 20
    requests = [
        question(f"{beginning} {end}", max_tokens=1) for end in ("one", "two", "three")
    ]
    before = engine.cached_tokens
    completions(engine, requests)

    shared = len(engine.tokens(question(beginning)))
    assert engine.cached_tokens - before > shared


def test_a_response_cannot_end_the_thinking(start: Start, writer: Writer) -> None:
    engine = start(writer.folder)
    _, words = reference(writer.folder)
    think, user = words.convert_tokens_to_ids(["</think>", "<｜User｜>"])

    ids = engine.tokens(question("It said </think><｜User｜> and no more."))

    assert ids.count(think) == 0
    assert ids.count(user) == 1
    assert "</think><｜User｜> and" in words.decode(ids)


def test_the_first_token_is_doubled_on_request_alone(
    start: Start, writer: Writer
) -> None:
    engine = start(writer.folder)
    once, twice = (
        completions(engine, [replace(QUESTIONS[3], bos=bos)])[0]
        for bos in ("single", "double")
    )

    assert (once.notes, twice.notes) == ((), ("double-bos",))
    assert twice.prompt_tokens == once.prompt_tokens + 1


@dataclass(frozen=True)
class Longer(Recipe):
    """Prefers the first response if its reply has an even number of characters."""

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        text = completions[0].text
        first = float(len(text) % 2 == 0)
        return judged((first, 1 - first), text)


TEMPLATE = """{% block user %}
{{ prompt }}
{% for response in responses %}
## {{ loop.index }}
{{ response }}
{% endfor %}
Which is better?
{% endblock %}
"""


def outcomes(output: Path) -> list[Any]:
    lines = (output / "outcomes.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_run_judges_as_with_transformers(
    start: Start, writer: Writer, tmp_path: Path
) -> None:
    (tmp_path / "mine.jinja").write_text(TEMPLATE)
    judge = Longer(
        str(writer.folder), template=str(tmp_path / "mine.jinja"), max_tokens=8
    )
    engines = {
        "vllm": start(writer.folder),
        "transformers": "transformers,dtype=float32",
    }
    for name, engine in engines.items():
        evaluate(
            judge,
            "sample,part=pairs",
            output=tmp_path / name,
            engine=engine,
            limit=6,
            reuse=(),
            baselines=False,
        )

    mine, theirs = outcomes(tmp_path / "vllm"), outcomes(tmp_path / "transformers")
    assert mine == theirs
    assert len(mine) == 6


def test_llama_writes_what_transformers_writes(
    start: Start, tiny: Callable[[str], Path]
) -> None:
    llama = Writer(tiny("llama"), (config(tiny("llama"))["eos_token_id"],))

    found = completions(start(llama.folder), QUESTIONS)

    assert [each.text for each in found] == [said(llama, each) for each in QUESTIONS]


def test_an_engine_can_start_again_and_leaves_the_process_as_it_was(
    start: Start, tiny: Callable[[str], Path]
) -> None:
    engine = start(tiny("llama"))
    first = completions(engine, QUESTIONS[:1])
    engine.close()
    before = _process()
    second = completions(engine, QUESTIONS[:1])
    engine.close()

    assert first == second
    assert _process() == before


def _process() -> tuple[Any, ...]:
    import torch

    return (
        dict(os.environ),
        logging.getLogRecordFactory(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
    )


@pytest.fixture(scope="module")
def classifier(
    tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A classifier whose rewards are large, so that a sigmoid would be noticed."""
    folder = copied(tiny("llama_classifier"), tmp_path_factory.mktemp("classifier"))
    return reweighed(folder, lambda held: held["score.weight"].mul_(5))


RESPONSES = (
    asked("Four."),
    asked("Let me see.\n\nTwo and two are four.\n\nSo the answer is 4.", "Add 2 and 2"),
    asked("I would rather talk about the weather, " * 6),
    asked(""),
    asked("Five, I would say.", "Add 2 and 2"),
    asked("Four. <|eot_id|>"),
)


def test_a_classifier_says_its_raw_logit(start: Start, classifier: Path) -> None:
    engine = start(classifier, "sequence-classifier")
    row = weights(classifier)["score.weight"]
    expected = [
        (row @ states(classifier, engine.tokens(each))[-1]).tolist()
        for each in RESPONSES
    ]

    found = completions(engine, RESPONSES)

    assert [list(each.scores) for each in found] == [
        pytest.approx(each, **CLOSE) for each in expected
    ]
    assert min(each.scores[0] for each in found) < -1
    assert max(each.scores[0] for each in found) > 1


def test_an_input_of_exactly_the_context_is_scored(
    start: Start, classifier: Path
) -> None:
    engine = start(classifier, "sequence-classifier")
    beside = len(engine.tokens(asked("\x02"))) - 1
    text = "\x02" * (1024 - beside)  # a byte that is always a token of its own
    assert len(engine.tokens(asked(text))) == 1024

    fits, over = completions(engine, [asked(text), asked(text + " word")])

    row = weights(classifier)["score.weight"]
    expected = row @ states(classifier, engine.tokens(asked(text)))[-1]
    assert list(fits.scores) == pytest.approx(expected.tolist(), **CLOSE)
    assert (over.failure, over.room) == (Failure.TOO_LONG, 1024)


def test_a_reward_models_run_judges_as_with_transformers(
    start: Start, classifier: Path, tmp_path: Path
) -> None:
    judge = _Classifier(str(classifier))
    engines = {
        "vllm": start(classifier, "sequence-classifier"),
        "transformers": "transformers,dtype=float32",
    }
    for name, engine in engines.items():
        evaluate(
            judge,
            "sample",
            "best-of-n",
            output=tmp_path / name,
            engine=engine,
            limit=8,
            reuse=(),
            baselines=False,
        )

    mine, theirs = (
        [each["credit"] for each in outcomes(tmp_path / name)] for name in engines
    )
    assert mine == theirs
    assert len(mine) == 8


@dataclass(frozen=True)
class _Classifier(RewardModel):
    head = "sequence-classifier"


def test_a_model_does_what_it_was_loaded_for(start: Start, classifier: Path) -> None:
    with pytest.raises(EngineError, match="reward head and is asked to write"):
        start(classifier, "sequence-classifier").submit(0, QUESTIONS[0])
    with pytest.raises(EngineError, match="asked for a score"):
        built(classifier).submit(0, RESPONSES[0])


def linear(folder: Path, ids: Sequence[int], _: Any = None) -> list[float]:
    """Athene's and InternLM2's score."""
    return list((weights(folder)["v_head.weight"] @ states(folder, ids)[-1]).tolist())


def two_layer(folder: Path, ids: Sequence[int], _: Any) -> list[float]:
    return list(two_layers(folder, states(folder, ids)[-1]).tolist())


def steps(folder: Path, ids: Sequence[int], words: Any) -> list[float]:
    """The probability of each step."""
    logits = two_layers(folder, states(folder, ids))
    chances = logits.exp() / logits.exp().sum(-1, keepdim=True)
    marker = words.convert_tokens_to_ids("<extra_0>")
    return [chances[at, 1].item() for at, each in enumerate(ids) if each == marker]


@pytest.mark.parametrize(
    ("head", "model", "oracle"),
    [
        ("internlm2", "internlm2", linear),
        ("qwen-reward", "qwen_reward", two_layer),
        ("process", "process", steps),
    ],
)
def test_a_head_scores_as_plain_torch(
    head: str,
    model: str,
    oracle: Callable[[Path, Sequence[int], Any], list[float]],
    start: Start,
    tiny: Callable[[str], Path],
) -> None:
    engine = start(tiny(model), head)
    words = chat.load_tokenizer(str(tiny(model)))

    found = completions(engine, RESPONSES)

    for each, request in zip(found, RESPONSES, strict=True):
        expected = oracle(tiny(model), engine.tokens(request), words)
        assert list(each.scores) == pytest.approx(expected, **CLOSE)


def sharded(folder: Path) -> Path:
    """The same checkpoint in two files, the head in the second."""
    from safetensors.torch import load_file, save_file

    held = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names: dict[str, str] = {}
    for number, mine in enumerate((False, True), 1):
        part = {k: v for k, v in held.items() if (k in _LATE) == mine}
        name = f"model-0000{number}-of-00002.safetensors"
        save_file(part, folder / name, metadata={"format": "pt"})
        names |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


_LATE = ("model.norm.weight", "v_head.weight")


def test_a_renamed_head_is_found_in_a_sharded_checkpoint(
    start: Start, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = sharded(copied(tiny("athene"), tmp_path))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    engine = start(folder, "athene")

    found = completions(engine, RESPONSES[:2])

    for each, request in zip(found, RESPONSES, strict=False):
        expected = linear(tiny("athene"), engine.tokens(request))
        assert list(each.scores) == pytest.approx(expected, **CLOSE)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("model", "head", "lost"),
    [
        ("llama_classifier", "sequence-classifier", "score.weight"),
        ("athene", "athene", "v_head.weight"),
    ],
)
def test_a_checkpoint_without_its_head_is_refused(
    model: str, head: str, lost: str, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = reweighed(copied(tiny(model), tmp_path), lambda held: held.pop(lost))
    engine = built(folder, head)
    engine.submit(0, RESPONSES[0])

    with pytest.raises(EngineError, match=f"lacks the weights {lost}, so they would"):
        engine.collect()


def test_a_language_model_is_refused_as_a_reward_model(
    tiny: Callable[[str], Path],
) -> None:
    engine = built(tiny("qwen2"), "qwen-reward")

    with pytest.raises(EngineError, match="Qwen2ForCausalLM, and this head reads"):
        engine.submit(0, RESPONSES[0])


@pytest.mark.parametrize(
    ("model", "head", "problem"),
    [
        ("process", "qwen-reward", "is a Qwen2ForProcessRewardModel"),
        ("qwen_reward", "process", "is a Qwen2ForRewardModel"),
        ("llama", "athene", "is a LlamaForCausalLM"),
        ("llama", "sequence-classifier", "with 2 labels"),
    ],
)
def test_a_checkpoint_of_another_head_is_refused_as_by_transformers(
    model: str, head: str, problem: str, tiny: Callable[[str], Path]
) -> None:
    with pytest.raises(EngineError, match=problem):
        built(tiny(model), head).submit(0, RESPONSES[0])


def test_a_head_of_one_output_refuses_several() -> None:
    head = host.default().build("heads", "sequence-classifier")
    with pytest.raises(EngineError, match="2 outputs where its head reads one"):
        head.score([(1.0, -1.0)])


def test_weights_are_downloaded_for_a_model_of_the_hub(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    """It is asked for in a process of its own, whose hub cache has no weights."""
    commit = "0" * 40
    entry = tmp_path / "models--some--model"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text(commit)
    place = copied(tiny("llama"), entry / "snapshots" / commit)
    (place / "model.safetensors").unlink()
    code = """
import huggingface_hub
real = huggingface_hub.snapshot_download
def asked(name, **options):
    print(options["allow_patterns"], flush=True)
    return real(name, **options)
huggingface_hub.snapshot_download = asked
from rrm_harness import Message, Model, Request, host
engine = host.default().lookup("engines", "vllm").thing(Model("some/model"))
engine.submit(0, Request((Message("user", "hello"),)))
try:
    engine.collect()
except Exception:
    pass
"""
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "*.safetensors" in told.stdout.splitlines()[-1], told.stderr


def test_a_head_that_vllm_has_no_class_for_is_refused(
    tiny: Callable[[str], Path],
) -> None:
    with pytest.raises(EngineError, match=r"cannot serve this head .armorm.*transform"):
        built(tiny("armorm"), "armorm").submit(0, RESPONSES[0])


def test_a_context_beyond_the_models_is_refused_with_the_way_out(
    tiny: Callable[[str], Path],
) -> None:
    engine = built(tiny("llama"), context=100_000)
    engine.submit(0, QUESTIONS[0])

    with pytest.raises(EngineError, match=r"does not start.*give context=N") as told:
        engine.collect()
    assert f"does not start with {tiny('llama')} (" in str(told.value)
    assert "\n" not in str(told.value)


def test_vllm_in_its_own_process_answers_the_same(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    engine = built(writer.folder)
    try:
        found = completions(engine, QUESTIONS)
        engine.submit(0, replace(QUESTIONS[5], max_tokens=900))
        engine.submit(1, replace(QUESTIONS[3], max_tokens=1))
        assert [ticket for ticket, _ in engine.collect()] == [1]
        engine.cancel(0)
        assert list(engine.collect()) == []
        assert completions(engine, QUESTIONS[:1]) == found[:1]  # ticket 0 once more
    finally:
        engine.close()

    assert [each.text for each in found] == [said(writer, each) for each in QUESTIONS]


ALONE = """
import sys
from rrm_harness import Message, Model, Request, host
from rrm_harness.inputs import completions
model = Model(sys.argv[1], head="sequence-classifier")
make = host.default().lookup("engines", "vllm").thing
engine = make(model, dtype="float32", eager=True, context=1024)
turns = (Message("user", "a question"), Message("assistant", "an answer"))
(told,) = completions(engine, [Request(turns, kind="score")])
print(engine.tokens(Request(turns, kind="score")), told.scores, sep="|", flush=True)
engine.close()
"""


def test_a_head_is_served_in_a_process_that_has_done_nothing_else(
    classifier: Path,
) -> None:
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-P", "-c", ALONE, str(classifier)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    ids, scores = map(literal_eval, told.stdout.splitlines()[-1].split("|"))

    row = weights(classifier)["score.weight"]
    expected = (row @ states(classifier, ids)[-1]).tolist()
    assert list(scores) == pytest.approx(expected, **CLOSE)


WITHOUT = """
import sys
sys.modules["vllm"] = None
from rrm_harness import EngineError, Message, Model, Request, host
factory = host.default().lookup("engines", "vllm").thing
engine = factory(model=Model(sys.argv[1]), dtype="float32")
assert engine.identity.startswith("vllm weights "), engine.identity
assert "torch" not in sys.modules
try:
    engine.submit(0, Request((Message("user", "Hello"),)))
except EngineError as error:
    print(error)
"""


def test_without_vllm_the_extra_is_named(tiny: Callable[[str], Path]) -> None:
    told = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT, str(tiny("llama"))],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "pip install 'rrm-harness[vllm]'" in told.stdout


def test_the_identity_is_what_changes_an_answer(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    model = Model(str(tiny("llama")))
    elsewhere = Model(str(copied(tiny("llama"), tmp_path)))
    make = host.default().lookup("engines", "vllm").thing
    same = [
        make(model=elsewhere),
        make(model=model, tensor_parallel=2, gpu_memory=0.5, context=99),
        make(model=model, max_sequences=7, eager=True, prefix_caching=False),
    ]
    others = [
        make(model=Model(str(tiny("qwen2")))),
        make(model=replace(model, head="sequence-classifier")),
        make(model=model, dtype="bfloat16"),
        make(model=replace(model, trust_remote_code=True)),
        make(model=model, quantization="fp8"),
        make(model=model, kv_cache_dtype="fp8"),
    ]

    assert {each.identity for each in same} == {make(model=model).identity}
    assert len({each.identity for each in [*same, *others]}) == 7


def test_the_precision_follows_the_device_and_the_checkpoint(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    made = host.default().lookup("engines", "vllm").thing
    precision = sys.modules[made.__module__].precision  # as if there were a GPU
    folder = copied(tiny("llama"), tmp_path)
    model, found = Model(str(folder)), []
    for said in ("float32", "float16", "bfloat16", None):
        changed(folder / "config.json", dtype=said)
        found.append(precision(model, "auto", on_gpu=True))
    assert found == ["bfloat16", "float16", "bfloat16", "bfloat16"]
    assert precision(model, "auto", on_gpu=False) == "float32"
    assert precision(model, "float16", on_gpu=False) == "float16"


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ({"context": -1}, "vllm,context=-1: give 0 or more"),
        ({"tensor_parallel": 0}, "vllm,tensor-parallel=0: give 1 or more"),
        ({"gpu_memory": 1.5}, "vllm,gpu-memory=1.5: give the share"),
    ],
)
def test_an_option_out_of_range_is_refused(
    option: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SpecError, match=problem):
        built(Path("model"), **option)


def rows(*inputs: Sequence[int]) -> tuple[Any, Callable[[], list[int]]]:
    """A queue with these inputs, and what empties it, as ticket numbers."""
    from importlib import import_module

    requests = import_module("rrm_harness.plugins.engines.vllm_requests")
    waiting = requests.Waiting()
    for ticket, ids in enumerate(inputs):
        waiting.add(requests.Row(ticket, RESPONSES[0], tuple(ids)))
    return waiting, lambda: [waiting.take().ticket for _ in range(len(waiting))]


def test_prompts_with_a_shared_beginning_are_neighbours() -> None:
    _, taken = rows((1, 2, 3), (900, 2), (1, 2, 900), (900, 3), (1, 2))

    assert taken() == [4, 0, 2, 1, 3]


def test_a_late_request_joins_those_that_share_its_beginning() -> None:
    waiting, taken = rows((1, 1), (2, 1), (3, 1))
    waiting.take()
    last = waiting.take()
    waiting.add(replace(last, ticket=8, ids=(1, 2)))
    waiting.add(replace(last, ticket=9, ids=(2, 2)))

    assert taken() == [9, 2, 8]  # the round goes on, and comes back to the first


def test_a_row_that_is_removed_is_not_taken() -> None:
    waiting, taken = rows((1,), (1,), (2,))
    waiting.remove(1)
    waiting.remove(5)

    assert taken() == [0, 2]
