"""The transformers engine: exact whatever shares a batch, and loud when it cannot."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import tiny_models
import torch
from reference_llama import states, weights

from rrm_harness import (
    Comparison,
    Completion,
    EngineError,
    Failure,
    Message,
    Model,
    Note,
    Recipe,
    Request,
    RewardModel,
    SpecError,
    chat,
    evaluate,
    host,
)
from rrm_harness.inputs import completions
from rrm_harness.records import Engine

ENGINE = host.default().lookup("engines", "transformers").thing.__module__
CONTINUOUS: Any = import_module(f"{ENGINE}_continuous")
LOADING: Any = import_module(f"{ENGINE}_loading")
Tiny = Callable[[str], Path]
HEAD = "sequence-classifier"
LONG = "Compare the two answers and say which of them is better. " * 12


def engine(folder: Path, options: str = "", **model: Any) -> Any:
    """The engine that the spec `transformers,OPTIONS` names."""
    spec = f"transformers,device=cpu{options and ','}{options}"
    judge: Any = SimpleNamespace(runs_on=Model(str(folder), **model))
    return host.default().engine(spec, judge)


def scorer(folder: Path, options: str = "", head: str = HEAD) -> Any:
    return engine(folder, options, head=head)


def answers(running: Engine, requests: Sequence[Request]) -> list[Completion]:
    """The completions, in the requests' order; the model is let go."""
    try:
        return completions(running, requests)
    finally:
        running.close()


def write(text: str, **asked: Any) -> Request:
    return Request((Message("user", text),), **({"max_tokens": 12} | asked))


def score(prompt: str, response: str) -> Request:
    turns = (Message("user", prompt), Message("assistant", response))
    return Request(turns, kind="score")


MIXED = [
    write("Hi."),
    write(LONG, max_tokens=7),
    write("one two three four five", max_tokens=1),
    write("What is the capital of France? " * 4, max_tokens=20),
    write("</think> is not a token here"),
]


@cache
def writer(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )


def generated(folder: Path, request: Request) -> list[int]:
    """The tokens that `generate` writes by itself."""
    ids = list(chat.encode(chat.load_tokenizer(str(folder)), request).ids)
    told = writer(folder).generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=request.max_tokens,
        do_sample=False,
    )
    listed: list[int] = told[0, len(ids) :].tolist()
    return listed


def spelled(folder: Path, ids: Sequence[int]) -> str:
    return str(chat.load_tokenizer(str(folder)).decode(list(ids)))


def replied(folder: Path, request: Request) -> str:
    """What `generate` writes, with the thought that the tiny R1's template opens."""
    template = (folder / "chat_template.jinja").read_text()
    thinks = "<think>" in template and not request.prefill
    return ("<think>\n" if thinks else "") + spelled(folder, generated(folder, request))


def changed(source: Path, target: Path, name: str, **fields: Any) -> Path:
    """A copy of a model's folder, with fields of one of its JSON files changed."""
    shutil.copytree(source, target)
    said = json.loads((target / name).read_text()) | fields
    (target / name).write_text(json.dumps(said))
    return target


# --- writing, greedily


@pytest.mark.parametrize("family", ["qwen2", "llama", "gemma2"])
def test_greedy_text_in_a_mixed_batch_is_what_generate_writes_alone(
    tiny: Tiny, family: str
) -> None:
    told = answers(engine(tiny(family), "batching=static"), MIXED)
    assert [each.text for each in told] == [
        replied(tiny(family), each) for each in MIXED
    ]
    assert [each.completion_tokens for each in told] == [12, 7, 1, 20, 12]
    assert {each.finish for each in told} == {"length"}
    assert all(each.prompt_tokens > 5 for each in told)


@pytest.mark.parametrize("family", ["qwen2", "llama", "gptj", "bloom"])
def test_continuous_batching_writes_the_same_greedy_text(
    tiny: Tiny, family: str
) -> None:
    running = engine(tiny(family), "batching=continuous,batch-size=2")
    told = answers(running, MIXED)
    assert told == answers(engine(tiny(family), "batching=static"), MIXED)


def test_continuous_batching_takes_rows_in_while_others_are_written(
    tiny: Tiny,
) -> None:
    running = engine(tiny("qwen2"), "batching=continuous")
    running.submit(0, write("long", max_tokens=3000))
    assert not list(running.collect()), "3,000 tokens take longer than one look"
    running.submit(1, write("short"))
    done: list[int] = []
    while not done:
        done += [ticket for ticket, _ in running.collect()]
    running.close()
    assert done == [1]


class Scheduling:
    """A network on a GPU; its scheduler changes its attention, and does not start.

    Attributes:
        told: What the scheduler was told.
    """

    def __init__(self) -> None:
        self.config = SimpleNamespace(_attn_implementation="eager")
        self.told: Any = None

    def parameters(self) -> Any:
        return iter([SimpleNamespace(device=torch.device("cuda"))])

    def set_attn_implementation(self, name: str) -> None:
        self.config._attn_implementation = name

    def init_continuous_batching(self, **told: Any) -> Any:
        self.told = told["continuous_batching_config"]
        self.set_attn_implementation("paged|eager")
        raise TypeError("it is another than known")


@pytest.fixture
def refused() -> tuple[Scheduling, list[Any]]:
    """A network whose scheduler did not start, and the rows handed back."""
    network = Scheduling()
    running = CONTINUOUS.Continuous(LOADING.Loaded(None, network), batch=3)
    running.add(CONTINUOUS.Row(7, MIXED[0], (1, 2, 3)))
    done, rows = running.step()
    assert not done
    return network, rows


def test_a_scheduler_that_does_not_start_leaves_the_network_as_it_was(
    refused: tuple[Scheduling, list[Any]],
) -> None:
    network, rows = refused
    assert [row.ticket for row in rows] == [7]
    assert network.config._attn_implementation == "eager"


def test_a_scheduler_that_does_not_start_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    running = CONTINUOUS.Continuous(LOADING.Loaded(None, Scheduling()), batch=3)
    running.add(CONTINUOUS.Row(7, MIXED[0], (1, 2, 3)))
    running.step()
    (said,) = caplog.messages
    assert "cannot go on (TypeError: it is another than known)" in said


def test_a_scheduler_on_a_gpu_keeps_to_the_batch_and_leaves_memory(
    refused: tuple[Scheduling, list[Any]],
) -> None:
    told = refused[0].told
    assert told.max_requests_per_batch == 3
    assert told.max_memory_percent < 0.9


def test_the_models_end_ends_the_text_and_is_not_part_of_it(
    tiny: Tiny, tmp_path: Path
) -> None:
    """Checked with a list of ends, for both ways of batching."""
    ids = generated(tiny("qwen2"), MIXED[3])
    end = next(each for at, each in enumerate(ids) if at > 2 and each not in ids[:at])
    words = chat.load_tokenizer(str(tiny("qwen2")))
    folder = changed(
        tiny("qwen2"),
        tmp_path / "ends",
        "generation_config.json",
        eos_token_id=[words.eos_token_id, end],
    )
    for batching in ("static", "continuous"):
        running = engine(folder, f"batching={batching}")
        told = answers(running, MIXED)[3]
        assert told.finish == "stop"
        assert told.text == "<think>\n" + words.decode(ids[: ids.index(end)])
        assert told.completion_tokens == ids.index(end) + 1


def test_a_stop_ends_the_text_of_its_own_row_alone(tiny: Tiny) -> None:
    (whole, other) = answers(engine(tiny("llama")), MIXED[:2])
    stop = whole.text[4:7]
    told = answers(engine(tiny("llama")), [write("Hi.", stop=(stop, "~no~")), MIXED[1]])
    assert told[0].text == whole.text[: whole.text.index(stop)]
    assert told[0].finish == "stop"
    assert told[0].completion_tokens < whole.completion_tokens
    assert told[1] == other


def test_a_stop_in_the_padding_beside_a_longer_row_is_none(tiny: Tiny) -> None:
    words = chat.load_tokenizer(str(tiny("llama")))
    asked = write("Hi.", max_tokens=2, stop=(words.decode([0]),))
    (alone,) = answers(engine(tiny("llama")), [asked])
    beside, _ = answers(engine(tiny("llama")), [asked, MIXED[3]])
    assert alone.finish == "length"
    assert beside == alone


def test_special_tokens_that_the_model_writes_stay_in_the_text(
    tiny: Tiny, tmp_path: Path
) -> None:
    """What it would write first and </think> change places in its output layer."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "thinker"
    shutil.copytree(tiny("qwen2"), folder)
    words = chat.load_tokenizer(str(folder))
    think = words.convert_tokens_to_ids("</think>")
    first = generated(folder, MIXED[0])[0]
    known = load_file(folder / "model.safetensors")
    known["lm_head.weight"][[first, think]] = known["lm_head.weight"][[think, first]]
    save_file(known, folder / "model.safetensors", metadata={"format": "pt"})
    told = answers(engine(folder), [write("Hi.", logprobs=1), MIXED[1]])[0]
    assert told.text.startswith("<think>\n</think>")
    assert list(told.logprobs) == ["</think>"]


def test_a_prefill_is_continued_and_not_repeated(tiny: Tiny) -> None:
    folder = tiny("qwen2")
    begun = write("Hi.", prefill="The better answer is")
    (told,) = answers(engine(folder), [begun])
    assert told.text == spelled(folder, generated(folder, begun))
    assert not told.text.startswith("The better")


def test_published_sampling_settings_do_not_leak_in(tiny: Tiny, tmp_path: Path) -> None:
    folder = changed(
        tiny("qwen2"),
        tmp_path / "published",
        "generation_config.json",
        do_sample=True,
        temperature=0.6,
        top_p=0.95,
        repetition_penalty=1.7,
        min_new_tokens=3,
    )
    asked = [MIXED[0], write("Hi.", temperature=1.0, seed=3)]
    assert answers(engine(folder), asked) == answers(engine(tiny("qwen2")), asked)


# --- writing, sampled


def sampled(seed: int, **asked: Any) -> Request:
    return write("Tell me.", **({"temperature": 1.0, "seed": seed} | asked))


def test_sampled_text_depends_on_its_own_seed_and_on_nothing_else(tiny: Tiny) -> None:
    asked = [sampled(seed) for seed in range(4)]
    alone = [answers(engine(tiny("llama")), [each])[0].text for each in asked[:2]]
    mixed = [*MIXED[:3], asked[1], sampled(9, top_p=0.4), asked[0]]
    together = answers(engine(tiny("llama"), "batch-size=4"), mixed)
    assert together[5].text == alone[0]
    assert together[3].text == alone[1]


def test_two_seeds_write_two_texts(tiny: Tiny) -> None:
    told = answers(engine(tiny("llama")), [sampled(seed) for seed in range(4)])
    assert len({each.text for each in told}) == 4


def distribution(folder: Path, request: Request) -> torch.Tensor:
    """Probabilities of the first token at temperature 1, in float64."""
    ids = chat.encode(chat.load_tokenizer(str(folder)), request).ids
    logits = states(folder, ids)[-1] @ weights(folder)["lm_head.weight"].T
    return logits.softmax(-1)


def test_every_draw_lies_in_the_nucleus_and_all_of_it_is_drawn(tiny: Tiny) -> None:
    folder, words = tiny("llama"), chat.load_tokenizer(str(tiny("llama")))
    asked = [sampled(seed, top_p=0.3, max_tokens=1) for seed in range(300)]
    chances = distribution(folder, asked[0])
    nucleus, mass = set(), 0.0
    for token in chances.argsort(descending=True).tolist():
        if mass >= 0.3:
            break
        nucleus.add(words.decode([token]))
        mass += chances[token].item()
    told = {each.text for each in answers(engine(folder, "batch-size=300"), asked)}
    assert told <= nucleus
    assert len(told) > min(3, len(nucleus) - 1)


def test_draws_follow_the_models_distribution_at_the_asked_temperature(
    tiny: Tiny,
) -> None:
    folder, words = tiny("llama"), chat.load_tokenizer(str(tiny("llama")))
    asked = [sampled(seed, temperature=0.5, max_tokens=1) for seed in range(600)]
    chances = distribution(folder, asked[0]).log().mul(2).softmax(-1)
    told = [each.text for each in answers(engine(folder, "batch-size=600"), asked)]
    for token in chances.topk(3).indices.tolist():
        share = told.count(words.decode([token])) / len(told)
        expected = chances[token].item()
        assert abs(share - expected) < 4 * (expected * (1 - expected) / 600) ** 0.5


def test_alternatives_of_the_first_token_have_its_raw_log_probabilities(
    tiny: Tiny,
) -> None:
    folder, words = tiny("llama"), chat.load_tokenizer(str(tiny("llama")))
    asked = [sampled(1, temperature=3.0, top_p=0.2, logprobs=5), MIXED[1]]
    told = answers(engine(folder), asked)
    best = distribution(folder, asked[0]).log().topk(5)
    expected = {
        words.decode([token]): value
        for value, token in zip(*(each.tolist() for each in best), strict=True)
    }
    assert told[0].logprobs == pytest.approx(expected, abs=1e-4)
    assert told[1].logprobs == {}


# --- scoring

BEST_OF = [score(LONG, f"Answer {number}: " + "so " * number) for number in range(6)]
VARIED = [
    score("Hi.", "Hello."),
    *BEST_OF[:3],
    score("Add 2 and 2.", "It is " + "surely " * 40 + "4."),
    *BEST_OF[3:],
]


def exact(folder: Path, request: Request) -> float:
    """The score in float64, by a forward that shares no code with the engine."""
    ids = chat.encode(chat.load_tokenizer(str(folder)), request).ids
    return float(weights(folder)["score.weight"][0] @ states(folder, ids)[-1])


def values(told: Sequence[Completion]) -> list[float]:
    return [each.scores[0] for each in told]


@pytest.mark.parametrize("attention", ["auto", "eager"])
@pytest.mark.parametrize("budget", [1, 300, 100_000])
def test_scores_are_those_of_float64_alone_mixed_and_with_a_shared_prompt(
    tiny: Tiny, budget: int, attention: str
) -> None:
    folder = tiny("llama_classifier")
    options = f"batch-tokens={budget},attention={attention}"
    told = answers(scorer(folder, options), VARIED)
    expected = [exact(folder, request) for request in VARIED]
    assert values(told) == pytest.approx(expected, abs=1e-5)
    assert max(expected) - min(expected) > 0.1, "these inputs would hide a mistake"


FULL = torch.OutOfMemoryError("CUDA out of memory.")
WORDS = (
    "[enforce fail at alloc_cpu.cpp:129] DefaultCPUAllocator: can't allocate memory:"
    " you tried to allocate 68719476736 bytes",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "CUDA error: out of memory",
)
"""What torch says of a full memory where it raises an error of no kind of its own."""


class Counting:
    """A scorer; counts what its network computes, and no more than `most` tokens fit.

    Attributes:
        computed: How many rows each batch had, and their length.
        failed: How many batches did not fit.
    """

    def __init__(
        self,
        folder: Path,
        options: str = "",
        most: int = 1 << 60,
        full: Exception = FULL,
    ) -> None:
        self.full = full
        self.running = scorer(folder, options)
        self.running.tokens(VARIED[0])  # loads the model
        self.loaded = self.running._crew.loaded
        self.most, self.failed = most, 0
        self.computed: list[tuple[int, int]] = []
        words = self.loaded.network.get_submodule("model.model.embed_tokens")
        words.register_forward_pre_hook(self.count)

    def count(self, _: Any, inputs: tuple[Any, ...]) -> None:
        rows, length = inputs[0].shape
        if rows * length > self.most:
            self.failed += 1
            raise self.full
        self.computed.append((rows, length))

    def answers(self, requests: Sequence[Request]) -> list[Completion]:
        return answers(self.running, requests)


def test_a_prompt_that_three_share_is_computed_once(tiny: Tiny) -> None:
    counting = Counting(tiny("llama_classifier"), "batch-tokens=100000")
    counting.answers(BEST_OF)
    (rows, shared), (mates, longest) = counting.computed
    assert (rows, mates) == (1, len(BEST_OF))
    assert shared > 100 > longest


def test_a_pair_is_not_worth_sharing(tiny: Tiny) -> None:
    counting = Counting(tiny("llama_classifier"))
    counting.answers(BEST_OF[:2])
    assert len(counting.computed) == 1


def test_texts_are_packed_without_padding(tiny: Tiny) -> None:
    counting = Counting(tiny("llama_classifier"))
    told = counting.answers([VARIED[0], VARIED[4], VARIED[4], score("Hi.", "Yes.")])
    assert counting.computed == [(1, sum(each.prompt_tokens for each in told))]


@pytest.mark.parametrize("head", ["armorm", "process", "athene"])
def test_packed_texts_score_as_they_do_alone(tiny: Tiny, head: str) -> None:
    """These heads read inside a text, at several places, and in another network."""
    asked = [VARIED[0], VARIED[4], VARIED[4], score("What?", "One.\n\nTwo.")]
    running = scorer(tiny(head), "", head)
    alone = [running.score_ids(running.tokens(each)) for each in asked]
    for one, among in zip(alone, answers(running, asked), strict=True):
        assert among.scores == pytest.approx(one.values, abs=1e-5)
        assert among.attributes == pytest.approx(dict(one.attributes), abs=1e-5)


def test_a_decoder_whose_layers_do_more_than_is_known_runs_as_it_is(tiny: Tiny) -> None:
    running = scorer(tiny("llama_classifier"))
    texts = [running.tokens(each) for each in VARIED[:2]]
    network = running._crew.loaded.network
    last = network.get_submodule("model.model.layers.1")
    last.register_forward_hook(lambda *told: told[2] * 2 + 1)  # of the states
    alone = [running._crew.scorer.alone(text).values[0] for text in texts]
    anew = replace(running._crew.scorer)  # it looks at the network again
    together = [each.values[0] for each in anew.scores(texts)]
    assert together == pytest.approx(alone, abs=1e-5)


def test_a_head_that_sees_both_ways_shares_nothing_and_is_given_a_mask(
    tiny: Tiny,
) -> None:
    folder = tiny("llama_classifier")
    counting = Counting(folder, "batch-tokens=100000,attention=eager")
    counting.loaded.reader.head.causal = False
    told = counting.answers(VARIED)
    assert [rows for rows, _ in counting.computed] == [len(VARIED)]
    assert values(told) == pytest.approx(
        [exact(folder, each) for each in VARIED], abs=1e-5
    )


@pytest.mark.parametrize("told", ["is_causal", "use_bidirectional_attention"])
def test_a_config_that_sees_both_ways_is_given_a_mask(
    tmp_path: Path, told: str
) -> None:
    made = {
        "is_causal": tiny_models.llama_classifier,
        "use_bidirectional_attention": tiny_models.gemma2_classifier,
    }
    folder = made[told](tmp_path, **{told: told != "is_causal"})
    found = answers(scorer(folder, "batch-tokens=100000"), VARIED)
    assert values(found) == pytest.approx(
        [in_float64(folder, each) for each in VARIED], abs=1e-5
    )


def test_layers_that_keep_a_state_share_no_beginning(tiny: Tiny) -> None:
    running = scorer(tiny("jamba_classifier"), "batch-tokens=100000")
    alone = [running.score_ids(running.tokens(each)).values[0] for each in BEST_OF]
    assert values(answers(running, BEST_OF)) == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("asked", ["VARIED", "BEST_OF"])
def test_texts_that_turn_otherwise_are_scored_apart(tmp_path: Path, asked: str) -> None:
    requests = {"VARIED": VARIED, "BEST_OF": BEST_OF}[asked]
    sizes = answers(scorer(tiny_models.llama_classifier(tmp_path)), requests)
    lengths = sorted(each.prompt_tokens for each in sizes)
    folder = tiny_models.phi3_classifier(tmp_path, lengths[len(lengths) // 2] - 1)
    told = answers(scorer(folder, "batch-tokens=100000"), requests)
    assert values(told) == pytest.approx(
        [in_float64(folder, each) for each in requests], abs=1e-5
    )


def test_a_head_that_reads_inside_the_prompt_may_share_it(tiny: Tiny) -> None:
    """ArmoRM's gate is read where the prompt ends."""
    folder = tiny("armorm")
    together = answers(scorer(folder, "batch-tokens=100000", "armorm"), BEST_OF)
    alone = [answers(scorer(folder, "", "armorm"), [each])[0] for each in BEST_OF[:2]]
    for one, among in zip(alone, together, strict=False):
        assert among.scores == pytest.approx(one.scores, abs=1e-5)
        assert among.attributes == pytest.approx(dict(one.attributes), abs=1e-5)
        assert len(among.attributes) >= 19


def test_a_sliding_window_shorter_than_the_shared_prompt_changes_nothing(
    tmp_path: Path,
) -> None:
    folder = tiny_models.gemma2_classifier(tmp_path, sliding_window=24)
    told = answers(scorer(folder, "batch-tokens=100000"), VARIED)
    assert values(told) == pytest.approx(
        [in_float64(folder, each) for each in VARIED], abs=1e-5
    )


def in_float64(folder: Path, request: Request) -> float:
    """The score by the published class in float64, one text at a time, no cache."""
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager"
    )
    ids = chat.encode(chat.load_tokenizer(str(folder)), request).ids
    with torch.no_grad():
        return float(model(torch.tensor([ids]), use_cache=False).logits[0, 0])


def test_attention_that_leaves_caps_out_is_refused(tmp_path: Path) -> None:
    """Transformers chooses it for Gemma 2; the score moves by 3e-4 here."""
    folder = tiny_models.gemma2_classifier(tmp_path)
    with pytest.raises(EngineError, match="attention=eager"):
        scorer(folder, "attention=sdpa").submit(0, VARIED[0])
    told = answers(scorer(folder), VARIED[:1])
    assert values(told) == pytest.approx([in_float64(folder, VARIED[0])], abs=1e-5)


def test_a_batch_has_at_most_the_asked_tokens_and_the_longest_go_first(
    tiny: Tiny,
) -> None:
    options = "batch-tokens=160,attention=eager"  # which packs nothing
    counting = Counting(tiny("llama_classifier"), options)
    asked = [score("Hi.", "word " * count) for count in (3, 60, 9, 30, 31, 4, 61)]
    counting.answers(asked)
    assert all(rows * length <= 160 or rows == 1 for rows, length in counting.computed)
    lengths = [length for _, length in counting.computed]
    assert lengths == sorted(lengths, reverse=True)
    assert sum(rows for rows, _ in counting.computed) == len(asked) > len(lengths)


def test_ids_are_scored_by_themselves_for_comparison(tiny: Tiny) -> None:
    running = scorer(tiny("llama_classifier"))
    ids = running.tokens(VARIED[0])
    assert (
        ids
        == chat.encode(
            chat.load_tokenizer(str(tiny("llama_classifier"))), VARIED[0]
        ).ids
    )
    assert running.score_ids(ids).values[0] == pytest.approx(
        exact(tiny("llama_classifier"), VARIED[0]), abs=1e-5
    )
    earlier = running.score_ids(ids, positions=[len(ids) - 3])
    assert earlier == pytest.approx(running.score_ids(ids[:-2]), abs=1e-5)
    running.close()


# --- what does not fit


def test_too_long_is_said_with_its_tokens_and_nothing_is_cut(tiny: Tiny) -> None:
    asked = [write(LONG, max_tokens=90), write("Hi.", max_tokens=2)]
    long, short = answers(engine(tiny("qwen2"), "context=100"), asked)
    ids = chat.encode(chat.load_tokenizer(str(tiny("qwen2"))), asked[0]).ids
    assert long.failure is Failure.TOO_LONG
    assert (long.prompt_tokens, long.room) == (len(ids), 10)
    assert long.text == f"{len(ids)} tokens, 10 fit"
    assert short.failure is None


def test_a_context_beyond_the_models_is_refused(tiny: Tiny) -> None:
    problem = "transformers,context=4097: .* reads at most 4096 tokens"
    with pytest.raises(EngineError, match=problem):
        engine(tiny("qwen2"), "context=4097").submit(0, write("Hi."))


def test_a_context_that_the_config_leaves_to_the_models_class_counts(
    tiny: Tiny, tmp_path: Path
) -> None:
    folder = changed(tiny("llama"), tmp_path / "silent", "config.json")
    said = json.loads((folder / "config.json").read_text())
    del said["max_position_embeddings"]  # a Llama's is 2048 then
    (folder / "config.json").write_text(json.dumps(said))
    with pytest.raises(EngineError, match="reads at most 2048 tokens"):
        engine(folder, "context=2049").submit(0, write("Hi."))


def test_the_models_own_context_counts(tiny: Tiny, tmp_path: Path) -> None:
    folder = changed(
        tiny("llama_classifier"),
        tmp_path / "s",
        "config.json",
        max_position_embeddings=40,
    )
    fits, over = answers(
        scorer(folder), [score("Hi.", "a"), score("Hi.", "word " * 60)]
    )
    assert fits.failure is None
    assert (over.failure, over.room) == (Failure.TOO_LONG, 40)


def test_memory_that_runs_out_halves_the_batch_and_is_remembered(tiny: Tiny) -> None:
    asked = [score("Hi.", f"word {number} " * 4) for number in range(16)]
    folder = tiny("llama_classifier")
    counting = Counting(folder, "batch-tokens=100000", most=150)
    told = counting.answers(asked)
    assert values(told) == pytest.approx(
        [exact(folder, each) for each in asked], abs=1e-5
    )
    assert 1 <= counting.failed <= 4, "the smaller size must be remembered"


@pytest.mark.parametrize("words", WORDS)
def test_a_full_memory_is_known_by_its_words(tiny: Tiny, words: str) -> None:
    asked = [score("Hi.", f"word {number} " * 4) for number in range(16)]
    counting = Counting(
        tiny("llama_classifier"), "batch-tokens=100000", 150, RuntimeError(words)
    )

    told = counting.answers(asked)

    assert counting.failed
    assert {each.failure for each in told} == {None}


def test_a_long_row_that_needs_memory_leaves_short_ones_their_batches(
    tiny: Tiny,
) -> None:
    running = engine(tiny("llama"), "batching=static")
    asked = [write("word " * words, max_tokens=2) for words in (900, *[1] * 16)]
    running.tokens(asked[0])  # loads the model
    network = running._crew.loaded.network
    real, sizes = network.generate, []

    def scarce(ids: Any, **options: Any) -> Any:
        sizes.append(ids.shape[0])
        if ids.numel() > 1000:
            raise MemoryError
        return real(ids, **options)

    network.generate = scarce
    answers(running, asked)
    assert sizes == [17, 8, 4, 2, 1, 16]


def test_a_row_that_does_not_fit_by_itself_fails_and_the_others_go_on(
    tiny: Tiny,
) -> None:
    asked = [score("Hi.", "a"), score("Hi.", "word " * 120), score("Hi.", "b")]
    told = Counting(tiny("llama_classifier"), most=100).answers(asked)
    assert [each.failure for each in told] == [None, Failure.OUT_OF_MEMORY, None]
    assert str(told[1].prompt_tokens) in told[1].text


# --- what is refused


def test_a_head_that_would_be_random_is_refused(tiny: Tiny) -> None:
    with pytest.raises(EngineError, match=r"score\.weight"):
        scorer(tiny("llama")).submit(0, VARIED[0])


def test_a_network_of_which_a_part_is_off_the_gpus_is_refused(
    tiny: Tiny, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    folder = tiny("llama")
    network = AutoModelForCausalLM.from_pretrained(
        folder,
        device_map={"model": "cpu", "lm_head": "disk"},
        offload_folder=str(tmp_path),
    )
    with pytest.raises(EngineError, match=r"does not fit the GPUs here \(model would"):
        LOADING.refuse_offloaded(folder, network)


def test_a_writer_that_would_be_random_is_refused(tiny: Tiny) -> None:
    with pytest.raises(EngineError, match=r"lm_head\.weight"):
        engine(tiny("llama_classifier")).submit(0, MIXED[0])


def test_a_judge_that_names_no_head_is_told_so(tiny: Tiny) -> None:
    with pytest.raises(EngineError, match="must name a head"):
        engine(tiny("llama")).submit(0, VARIED[0])


def test_a_reward_model_is_not_asked_to_write(tiny: Tiny) -> None:
    with pytest.raises(EngineError, match="engine of its own"):
        scorer(tiny("llama_classifier")).submit(0, MIXED[0])


def test_pickled_weights_are_not_read(tiny: Tiny, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = tmp_path / "pickled"
    shutil.copytree(tiny("llama"), folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EngineError, match="only safetensors"):
        engine(folder).submit(0, MIXED[0])


def test_a_device_that_is_not_there_is_named_before_anything_loads(tiny: Tiny) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    factory = host.default().lookup("engines", "transformers").thing
    with pytest.raises(SpecError, match="transformers,device=cuda: "):
        _ = factory(Model(str(tiny("llama"))), device="cuda").identity


def test_a_negative_size_is_refused(tiny: Tiny) -> None:
    with pytest.raises(SpecError, match="transformers,batch-tokens=-1: give 0 or more"):
        engine(tiny("llama"), "batch-tokens=-1")


REMOTE = """
import torch
from transformers import LlamaConfig, LlamaForCausalLM


class TinyConfig(LlamaConfig):
    model_type = "tiny_remote"


class TinyForCausalLM(LlamaForCausalLM):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        {buffer}
        self.post_init()
"""
GAINS = 'self.register_buffer("gains", torch.arange(9.0) + 1, persistent=False)'


def remote(tiny: Tiny, place: Path, buffer: str) -> Path:
    """A Llama whose class comes with its weights."""
    code = f"modeling_{place.name}"
    folder = changed(
        tiny("llama"),
        place,
        "config.json",
        model_type="tiny_remote",
        architectures=["TinyForCausalLM"],
        auto_map={
            "AutoConfig": f"{code}.TinyConfig",
            "AutoModelForCausalLM": f"{code}.TinyForCausalLM",
        },
    )
    (folder / f"{code}.py").write_text(REMOTE.format(buffer=buffer))
    return folder


def test_code_that_comes_with_a_model_runs_if_it_is_trusted(
    tiny: Tiny, tmp_path: Path
) -> None:
    folder = remote(tiny, tmp_path / "sound", "pass")
    told = answers(engine(folder, trust_remote_code=True), MIXED[:2])
    assert told == answers(engine(tiny("llama")), MIXED[:2])
    with pytest.raises(EngineError, match="trust-remote-code"):
        engine(folder).submit(0, MIXED[0])


def test_buffers_that_a_models_own_code_leaves_unset_are_refused(
    tiny: Tiny, tmp_path: Path
) -> None:
    folder = remote(tiny, tmp_path / "unset", GAINS)
    with pytest.raises(EngineError, match="leaves 'gains' unset"):
        engine(folder, trust_remote_code=True).submit(0, MIXED[0])


# --- the rest of the contract


def test_identity_is_the_same_in_another_process(tiny: Tiny) -> None:
    running = scorer(tiny("llama_classifier"), "dtype=bfloat16")
    code = (
        "import sys; from rrm_harness import Model, host;"
        "made = host.default().lookup('engines', 'transformers').thing;"
        f"model = Model(sys.argv[1], head='{HEAD}');"
        "print(made(model, device='cpu', dtype='bfloat16').identity)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tiny("llama_classifier"))],
        env=os.environ | {"PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == running.identity + "\n"


def test_identity_tells_weights_heads_and_precisions_apart(
    tiny: Tiny, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    folder = tiny("llama_classifier")
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    known = load_file(other / "model.safetensors")
    known["score.weight"][0, 0] += 0.5
    save_file(known, other / "model.safetensors", metadata={"format": "pt"})
    made = [
        scorer(folder),
        scorer(other),
        scorer(folder, "dtype=bfloat16"),
        scorer(folder, "attention=eager"),
        scorer(folder, head="athene"),
    ]
    assert len({each.identity for each in made}) == len(made)


def test_identity_does_not_tell_sizes_of_batches_apart(tiny: Tiny) -> None:
    folder = tiny("llama_classifier")
    sized = scorer(folder, "batch-tokens=7,batch-size=3,batching=continuous")
    assert sized.identity == scorer(folder).identity


def test_what_is_cancelled_is_not_answered(tiny: Tiny) -> None:
    for batching in ("static", "continuous"):
        running = engine(tiny("qwen2"), f"batching={batching},context=150")
        for ticket, request in enumerate([*MIXED, write(LONG * 9)]):
            running.submit(ticket, request)
        for ticket in (1, 3, 5):
            running.cancel(ticket)
        done: set[int] = set()
        while len(done) < 3:
            done |= {ticket for ticket, _ in running.collect()}
        assert done == {0, 2, 4}
        assert not list(running.collect())
        running.close()


def test_after_close_nothing_of_the_model_is_left(tiny: Tiny) -> None:
    import gc

    def networks() -> int:
        gc.collect()
        return sum(
            type(each).__name__ == "Qwen2ForCausalLM" for each in gc.get_objects()
        )

    before = networks()
    running = engine(tiny("qwen2"))
    running.submit(0, MIXED[0])
    assert networks() == before + 1
    running.close()
    assert networks() == before


def test_a_closed_engine_can_be_used_again(tiny: Tiny) -> None:
    running = engine(tiny("qwen2"))
    first = answers(running, MIXED[:1])
    assert answers(running, MIXED[:1]) == first


def test_the_input_audit_is_told_of_a_double_beginning(tiny: Tiny) -> None:
    asked = [write("Hi.", bos="double"), write("Hi.")]
    double, single = answers(engine(tiny("llama")), asked)
    assert double.notes == (Note.DOUBLE_BOS,)
    assert single.notes == ()
    assert double.prompt_tokens == single.prompt_tokens + 1


def test_nothing_is_printed(tiny: Tiny, capfd: pytest.CaptureFixture[str]) -> None:
    tiny("qwen2"), tiny("llama_classifier")
    capfd.readouterr()
    answers(engine(tiny("qwen2"), "batching=continuous"), [*MIXED[:2], sampled(1)])
    answers(scorer(tiny("llama_classifier")), VARIED[:2])
    assert capfd.readouterr() == ("", "")


@dataclass(frozen=True)
class Rewarding(RewardModel):
    head: ClassVar[str] = HEAD


@dataclass(frozen=True)
class Writing(Recipe):
    """Scores each text by its length: whatever a random model writes has one."""

    def parse(self, comparison: Comparison, completions: Sequence[Completion]) -> Any:
        from rrm_harness import Judgment

        even = len(completions[0].text) % 2
        return Judgment((float(even), 1.0 - even))


def test_a_reward_judge_runs_end_to_end(tiny: Tiny) -> None:
    judge = Rewarding(model=str(tiny("llama_classifier")))
    result = evaluate(
        judge, "sample", engine="transformers,device=cpu", baselines=False
    )
    assert result.results["failures"] == {}
    assert result.results["judgments"] > 0
    assert result.results["tokens"]["prompt"] > 0


def test_a_writing_judge_runs_end_to_end_and_resumes_from_the_store(
    tiny: Tiny, tmp_path: Path
) -> None:
    template = tmp_path / "pair.jinja"
    template.write_text(
        "{% block user %}\n{{ prompt }}\nA: {{ responses[0] }}\nB: {{ responses[1] }}\n"
        "{% endblock %}\n"
    )
    judge = Writing(
        model=str(tiny("qwen2")), template=str(template), max_tokens=6, temperature=0.6
    )
    first, second = (
        evaluate(
            judge,
            "sample,part=pairs",
            output=tmp_path / name,
            engine=f"transformers,device=cpu,batch-size={size}",
            limit=6,
            baselines=False,
            reuse=[],
        ).results
        for name, size in (("one", 1), ("six", 6))
    )
    assert first["failures"] == {}
    assert first["tokens"]["completion"] == 6 * first["judgments"]
    for each in (first, second):
        del each["seconds"], each["manifest"]
    assert first == second


# --- on a GPU

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@pytest.mark.gpu
@on_gpu
def test_a_gpu_scores_alike_in_float32(tiny: Tiny) -> None:
    folder = tiny("llama_classifier")
    made = host.default().lookup("engines", "transformers").thing
    running = made(Model(str(folder), head=HEAD), device="cuda", dtype="float32")
    expected = [exact(folder, each) for each in VARIED]
    assert values(answers(running, VARIED)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("batching", ["static", "continuous"])
def test_a_gpu_writes_the_same_greedy_text_in_float32(
    tiny: Tiny, batching: str
) -> None:
    made = host.default().lookup("engines", "transformers").thing
    model = Model(str(tiny("qwen2")))
    running = made(model, device="cuda", dtype="float32", batching=batching)
    folder = tiny("qwen2")
    expected = [replied(folder, each) for each in MIXED]
    assert [each.text for each in answers(running, MIXED)] == expected
