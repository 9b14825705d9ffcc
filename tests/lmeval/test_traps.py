"""Where lm-eval goes wrong in silence, our tasks do not: each trap, on real models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from math import isnan
from pathlib import Path
from typing import Any

import pytest
import servers

from lmeval import benchmarks
from lmeval.running import Scripted, manager, metrics, replies, run
from rrm_harness import SpecError

PAIRS = "rrm_rewardbench"
VERDICT = "One.\n\nTwo.</think>\n\nSo: \\boxed{Assistant 1}"


@pytest.fixture
def pairs(tmp_path: Path) -> dict[str, Any]:
    """The metadata of twenty pairs."""
    return {"path": str(benchmarks.rewardbench(tmp_path))}


@pytest.fixture
def server() -> Iterator[servers.FaultServer]:
    said = servers.reply(servers.chat(VERDICT), Content_Type="application/json")
    with servers.FaultServer(always=said) as running:
        yield running


@pytest.fixture(scope="module")
def llama_url(
    tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    file = tmp_path_factory.mktemp("gguf") / "llama.gguf"
    with servers.llama_cpp(tiny("llama"), file, context=8192) as url:
        yield url


def served(url: str) -> dict[str, Any]:
    address = f"{url}/chat/completions"
    return {
        "model": "served",
        "base_url": address,
        "num_concurrent": 4,
        "max_retries": 1,
    }


def asked(server: servers.FaultServer) -> list[dict[str, Any]]:
    return [each.body for each in server.asked]


def test_each_sample_has_a_seed_of_its_own_on_a_server(
    server: servers.FaultServer, pairs: dict[str, Any]
) -> None:
    given = pairs | {"judge": "rrm", "strategy": "[voting,stop=none]", "k": 3}

    results = run(
        PAIRS,
        "local-chat-completions",
        served(server.url),
        given,
        apply_chat_template=True,
        limit=2,
    )

    seeds = {json.dumps(each["messages"]): [] for each in asked(server)}
    for each in asked(server):
        seeds[json.dumps(each["messages"])].append(each["seed"])
    assert [len(set(each)) for each in seeds.values()] == [3, 3]
    assert len({tuple(sorted(each)) for each in seeds.values()}) == 1
    assert metrics(results, PAIRS)["failure_rate"] == 0


def test_votes_of_a_real_server_differ_and_come_again(
    llama_url: str, pairs: dict[str, Any]
) -> None:
    given = pairs | {"judge": "[rrm,max-tokens=8]", "strategy": "[voting,k=3]"}
    options = {"apply_chat_template": True, "limit": 2}

    first, second = (
        run(PAIRS, "local-chat-completions", served(llama_url), given, **options)
        for _ in range(2)
    )

    votes = replies(first, PAIRS)
    assert all(len({text for (text,) in each}) == 3 for each in votes)
    assert replies(second, PAIRS) == votes


def test_an_empty_line_does_not_end_a_reply(
    server: servers.FaultServer, pairs: dict[str, Any]
) -> None:
    results = run(
        PAIRS,
        "local-chat-completions",
        served(server.url),
        pairs,
        apply_chat_template=True,
        limit=2,
    )

    assert all(each["stop"] == [] for each in asked(server))
    assert metrics(results, PAIRS)["failure_rate"] == 0


def test_a_thought_that_never_ends_is_no_answer(pairs: dict[str, Any]) -> None:
    class Thinking(Scripted):
        def apply_chat_template(self, *chat: Any, **options: Any) -> str:
            self.chat = super().apply_chat_template(*chat, **options)
            return f"{self.chat}<think>\n"

        def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
            return ["First \\boxed{Assistant 1}, but no:" for _ in requests]

    results = run(
        PAIRS,
        Thinking(lambda _: ""),
        metadata=pairs | {"judge": "[llm,parser=rrm]"},
        apply_chat_template=True,
        limit=4,
    )

    played = [sample["accuracy"]["outcome"] for sample in results["samples"][PAIRS]]
    assert {each["failure"] for each in played} == {"truncated"}


@pytest.mark.parametrize("chat", [True, False])
def test_prompts_that_would_be_cut_from_the_left_are_counted_and_not_sent(
    chat: bool, pairs: dict[str, Any], short: Path
) -> None:
    if not chat:
        (short / "chat_template.jinja").unlink()
    given = pairs | {"judge": "[llm,max-tokens=8]"}

    results = run(
        PAIRS,
        "hf",
        {"pretrained": str(short)},
        given,
        apply_chat_template=chat,
        batch_size=8,
        limit=4,
    )

    assert metrics(results, PAIRS)["over_length"] == 4
    sent = [sample["arguments"] for sample in results["samples"][PAIRS]]
    assert {each[0][0] for each in sent} == {"."}


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A Llama that reads 128 tokens."""
    import tiny_models

    folder = tmp_path / "short"
    folder.mkdir()
    return tiny_models.llama(folder, max_position_embeddings=128)


def test_a_template_without_a_system_turn_does_not_lose_the_rules(
    tiny: Callable[[str], Path], pairs: dict[str, Any]
) -> None:
    model = {"pretrained": str(tiny("gemma2"))}
    options = {"apply_chat_template": True, "limit": 2, "batch_size": 2}

    with pytest.raises(SpecError, match="drops the judge's system turn"):
        run(PAIRS, "hf", model, pairs | {"judge": "[llm,max-tokens=4]"}, **options)

    folded = pairs | {"judge": "[llm,max-tokens=4,no-system=true]"}
    results = run(PAIRS, "hf", model, folded, **options)
    prompt = results["samples"][PAIRS][0]["arguments"][0][0]
    assert "Judge impartially" in prompt


def test_a_sampled_request_on_hf_is_really_sampled(
    tiny: Callable[[str], Path], pairs: dict[str, Any]
) -> None:
    given = pairs | {"judge": "[rrm,max-tokens=8]", "strategy": "[voting,k=3]"}

    results = run(
        PAIRS,
        "hf",
        {"pretrained": str(tiny("llama"))},
        given,
        apply_chat_template=True,
        batch_size=8,
        limit=2,
    )

    texts = [text for each in replies(results, PAIRS) for (text,) in each]
    assert len(set(texts)) == 6


def test_another_judge_is_never_served_what_this_one_said(
    tmp_path: Path, pairs: dict[str, Any]
) -> None:
    kept = {"store": str(tmp_path / "kept")}
    cache = str(tmp_path / "cache")

    longest, shortest, again = (
        metrics(
            run(PAIRS, "rrm", {"judge": judge, **kept}, pairs, use_cache=cache), PAIRS
        )
        for judge in ("longest", "shortest", "longest")
    )

    assert longest == again
    assert longest["accuracy"] != shortest["accuracy"]


def test_documents_are_the_same_however_often_they_are_read(
    pairs: dict[str, Any],
) -> None:
    (task,) = manager(pairs).load([PAIRS])["tasks"].values()

    assert list(task.eval_docs) == list(task.eval_docs)


def test_a_perfect_judge_is_perfect(pairs: dict[str, Any]) -> None:
    """Whatever order its pairs are shown in, and however often they are read."""

    def honest(chat: Any) -> str:
        shown = chat[-1][1]
        better = 1 if shown.index("good answer") < shown.index("bad answer") else 2
        return f"</think>\\boxed{{Assistant {better}}}"

    results = run(PAIRS, Scripted(honest), metadata=pairs, apply_chat_template=True)

    assert metrics(results, PAIRS)["accuracy"] == 1


def test_answers_of_padding_are_not_counted(pairs: dict[str, Any]) -> None:
    """In data parallel, lm-eval appends clones' answers to the last request."""
    (task,) = manager(pairs | {"judge": "rrm"}).load([PAIRS])["tasks"].values()
    chat = Scripted(lambda _: "").apply_chat_template
    task.build_all_requests(limit=1, chat_template=chat, apply_chat_template=True)
    (request,) = task.instances

    request.resps = [VERDICT] + ["garbage"] * 5
    task.apply_filters()
    items = task.process_results(request.doc, [request.filtered_resps["none"]])

    assert items["accuracy"]["outcome"]["failure"] is None


def test_a_cache_of_requests_is_left_out(
    pairs: dict[str, Any],
) -> None:
    options = {"cache_requests": True, "apply_chat_template": True, "limit": 1}
    first = Scripted(lambda _: VERDICT)
    second = Scripted(lambda _: VERDICT)

    run(PAIRS, first, metadata=pairs | {"judge": "rrm"}, **options)
    run(PAIRS, second, metadata=pairs | {"judge": "judgelm"}, **options)

    assert first.asked[0][0] != second.asked[0][0]


def test_gen_kwargs_change_how_a_plain_model_writes(pairs: dict[str, Any]) -> None:
    model = Scripted(lambda _: VERDICT)
    given = {"gen_kwargs": {"temperature": 0.1, "max_gen_toks": 7}}

    run(PAIRS, model, metadata=pairs, apply_chat_template=True, limit=1, **given)

    ((_, how),) = model.asked
    assert (how["temperature"], how["max_gen_toks"], how["until"]) == (0.1, 7, [])


def test_the_headline_of_ppe_is_the_mean_of_three(tmp_path: Path) -> None:
    given = {"path": str(benchmarks.ppe(tmp_path))}

    results = run("rrm_ppe", "rrm", {"judge": "longest", "store": str(tmp_path)}, given)

    three = [
        metrics(results, f"rrm_ppe_{each}")["accuracy"]
        for each in ("mmlu_pro", "math", "gpqa")
    ]
    assert metrics(results, "rrm_ppe")["accuracy"] == pytest.approx(sum(three) / 3)
    assert not isnan(metrics(results, "rrm_ppe")["accuracy_stderr"])


def test_a_sampled_run_resumes_and_asks_only_what_is_missing(
    tmp_path: Path, server: servers.FaultServer, pairs: dict[str, Any]
) -> None:
    given = {
        "judge": "rrm",
        "strategy": "[voting,k=3,stop=none]",
        "engine": f"[openai,url={server.url}]",
        "model": "served",
        "store": str(tmp_path / "kept"),
    }

    counts = []
    for limit in (4, 20, 20):
        run(PAIRS, "rrm", given, pairs, limit=limit)
        counts.append(len(server.asked))

    assert counts == [12, 60, 60]


def test_a_tournament_runs_on_a_model_of_lm_eval_s(
    tmp_path: Path, tiny: Callable[[str], Path]
) -> None:
    given = {"path": str(benchmarks.rewardbench2(tmp_path))}
    judge = {
        "judge": "[llm,max-tokens=4]",
        "strategy": "knockout",
        "backend": "hf",
        "pretrained": str(tiny("llama")),
        "store": str(tmp_path / "kept"),
        "batch_size": 8,
    }

    results = run("rrm_rewardbench2", "rrm", judge, given, limit=3)

    judged = [
        each["accuracy"]["judged"] for each in results["samples"]["rrm_rewardbench2"]
    ]
    assert [len(each) for each in judged] == [3, 3, 3]


def test_a_tournament_on_a_plain_model_names_ours(tmp_path: Path) -> None:
    given = {"path": str(benchmarks.rewardbench2(tmp_path)), "strategy": "knockout"}

    with pytest.raises(SpecError, match="--model rrm"):
        run(
            "rrm_rewardbench2",
            Scripted(lambda _: ""),
            metadata=given | {"judge": "llm"},
            apply_chat_template=True,
        )


def test_a_folder_is_read_again_when_its_files_change(tmp_path: Path) -> None:
    path = benchmarks.rewardbench(tmp_path)
    model = {"judge": "longest", "store": str(tmp_path / "kept")}
    before = run(PAIRS, "rrm", model, {"path": str(path)})
    rows = path.read_text().splitlines(keepends=True)
    shutil.copy(path, tmp_path / "kept.jsonl")
    path.write_text("".join(rows[:7]))

    after = run(PAIRS, "rrm", model, {"path": str(path)})

    counts = [each["n-samples"][PAIRS]["effective"] for each in (before, after)]
    assert counts == [20, 7]


def over_length(results: dict[str, Any]) -> float:
    return float(metrics(results, PAIRS)["over_length"])


def test_a_server_that_is_sent_tokens_gets_no_prompt_that_was_cut_to_nothing(
    server: servers.FaultServer, tiny: Callable[[str], Path], pairs: dict[str, Any]
) -> None:
    """lm-eval takes 2,047 tokens to be all that it may send, and we ask for 8,192."""
    text = {"choices": [{"index": 0, "text": VERDICT, "finish_reason": "stop"}]}
    server.always = servers.reply(text, Content_Type="application/json")
    url = {"base_url": f"{server.url}/completions", "model": "served"}
    model = url | {"tokenizer": str(tiny("qwen2")), "max_retries": 1}

    results = run(
        PAIRS,
        "local-completions",
        model,
        pairs | {"judge": "rrm"},
        apply_chat_template=True,
        limit=2,
    )

    assert over_length(results) == 2
    assert metrics(results, PAIRS)["failure_rate"] == 1


@pytest.mark.parametrize("chat", [True, False])
def test_a_length_that_is_asked_for_is_the_model_s(
    chat: bool, tmp_path: Path, tiny: Callable[[str], Path], pairs: dict[str, Any]
) -> None:
    copy = shutil.copytree(tiny("llama"), tmp_path / "copy")
    if not chat:
        (copy / "chat_template.jinja").unlink()
    model = {"pretrained": str(copy), "max_length": 100}

    results = run(
        PAIRS,
        "hf",
        model,
        pairs | {"judge": "[llm,max-tokens=8]"},
        apply_chat_template=chat,
        limit=2,
    )

    assert over_length(results) == 2


def test_what_gen_kwargs_has_written_counts_as_room(
    tiny: Callable[[str], Path], pairs: dict[str, Any]
) -> None:
    model = {"pretrained": str(tiny("llama")), "max_length": 512}
    judge = pairs | {"judge": "[llm,max-tokens=8]"}
    options = {"apply_chat_template": True, "limit": 2}

    few = run(PAIRS, "hf", model, judge, **options)
    many = run(PAIRS, "hf", model, judge, gen_kwargs={"max_gen_toks": 450}, **options)

    assert (over_length(few), over_length(many)) == (0, 2)


def test_a_checkpoint_s_own_settings_decide_nothing(
    tmp_path: Path, tiny: Callable[[str], Path], pairs: dict[str, Any]
) -> None:
    copy = shutil.copytree(tiny("llama"), tmp_path / "copy")
    (copy / "generation_config.json").write_text('{"repetition_penalty": 1.7}')
    judge = pairs | {"judge": "[llm,max-tokens=8]"}
    options = {"apply_chat_template": True, "limit": 2}

    own, without = (
        replies(run(PAIRS, "hf", {"pretrained": str(place)}, judge, **options), PAIRS)
        for place in (copy, tiny("llama"))
    )

    assert own == without


def test_a_thought_that_the_server_keeps_and_did_not_end_is_truncated(
    pairs: dict[str, Any],
) -> None:
    silent = servers.reply(
        servers.chat(None, finish_reason="length"), Content_Type="application/json"
    )
    with servers.FaultServer(always=silent) as server:
        results = run(
            PAIRS,
            "local-chat-completions",
            served(server.url),
            pairs | {"judge": "rrm"},
            apply_chat_template=True,
            limit=2,
        )

    played = [sample["accuracy"]["outcome"] for sample in results["samples"][PAIRS]]
    assert {each["failure"] for each in played} == {"truncated"}


def test_votes_that_nothing_tells_apart_are_refused(pairs: dict[str, Any]) -> None:
    given = pairs | {"judge": "rrm", "strategy": "[voting,k=3]"}

    with pytest.raises(SpecError, match="its k votes could be one"):
        run(PAIRS, Scripted(lambda _: ""), metadata=given)


@pytest.mark.parametrize(("name", "count"), [("k", 7), ("seed", 0)])
def test_the_task_s_k_and_seed_are_our_model_s(
    name: str, count: int, tmp_path: Path, pairs: dict[str, Any]
) -> None:
    model = {"judge": "random", "store": str(tmp_path / "kept")}
    voting = {"strategy": "[voting,stop=none]"} if name == "k" else {}

    results = [
        run(PAIRS, "rrm", model, pairs | voting | {name: value}, limit=2)
        for value in (7, 8)
    ]

    first, second = (
        [sample["accuracy"]["judged"] for sample in each["samples"][PAIRS]]
        for each in results
    )
    assert first != second
    assert not count or [len(each) for each in first] == [count, count]


def test_a_policy_s_engine_is_used_beside_a_backend(
    tmp_path: Path, server: servers.FaultServer, tiny: Callable[[str], Path]
) -> None:
    given = {"path": str(benchmarks.gpqa(tmp_path))}
    model = {
        "judge": "[llm,max-tokens=4]",
        "backend": "hf",
        "pretrained": str(tiny("llama")),
        "policy_model": "served",
        "policy_engine": f"[openai,url={server.url}]",
        "n": 2,
        "store": str(tmp_path / "kept"),
    }

    run("rrm_gpqa_bon", "rrm", model, given, limit=2)

    assert len(server.asked) == 4


def test_a_text_that_names_a_special_token_is_noted(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    row = {"prompt": "?", "chosen": "a<|eot_id|>b", "rejected": "c", "id": 1}
    path = benchmarks.lines(tmp_path / "x.jsonl", [row | {"subset": "hep-go"}])
    given = {"path": str(path), "judge": "[llm,max-tokens=2]"}
    model = {"pretrained": str(tiny("llama"))}

    results = run(PAIRS, "hf", model, given, apply_chat_template=True)

    (sample,) = results["samples"][PAIRS]
    assert sample["accuracy"]["notes"] == {"special-token": 1}


def test_our_model_refuses_to_judge_everything_in_each_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(SpecError, match="start one"):
        run(PAIRS, "rrm", {"judge": "longest"})


def test_our_model_refuses_tasks_of_others() -> None:
    from rrm_harness.lmeval.model import RRM

    model = RRM(judge="longest")

    with pytest.raises(SpecError, match="only the tasks of rrm-harness"):
        model.loglikelihood([])
