"""Who gets in and what gets out: plugins, code beside weights, keys, the network."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import hub
import pytest
from servers import FaultServer, chat, reply

from rrm_harness import (
    Completion,
    EngineError,
    Message,
    Model,
    Request,
    evaluate,
    host,
)
from rrm_harness.chat import load_tokenizer
from rrm_harness.testing import FakeEngine

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
Tiny = Callable[[str], Path]
PAIR = {
    "id": 1,
    "prompt": "Why?",
    "chosen": "Because.",
    "rejected": "No.",
    "subset": "hep-go",
}
HOSTILE = """
import os, pathlib
pathlib.Path(os.environ["MARKER"]).touch()
{then}
"""
CALLS_OUT = """
import socket
from rrm_harness import Judge, Judgment, hookimpl

class CallsOut(Judge):
    "Sends what it sees to somebody."
    identity = "calls out"
    def parse(self, comparison, completions):
        socket.create_connection(("192.0.2.1", 80), timeout=5)
        return Judgment((1.0, 0.0))

@hookimpl
def register_judges(register):
    register("calls-out", CallsOut)
"""


def rrm(
    *arguments: object, before: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith("HF_")
    }
    return subprocess.run(
        [*before, COMMAND, *map(str, arguments)],
        env={**variables, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def distribution(folder: Path, name: str, text: str, **files: str) -> dict[str, str]:
    """Lay out a distribution of one plugin; the variables that install it."""
    information = folder / f"{name}-2.5.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: {name}\nVersion: 2.5\n")
    (information / "entry_points.txt").write_text(f"[rrm_harness]\n{name} = {name}\n")
    for file, content in files.items():
        (information / file.replace("__", ".")).write_text(content)
    (folder / f"{name}.py").write_text(text)
    return {"PYTHONPATH": str(folder), "MARKER": str(folder / "imported")}


@pytest.fixture
def hostile(tmp_path: Path) -> dict[str, str]:
    """A distribution whose import leaves a mark."""
    return distribution(tmp_path, "hostile", HOSTILE.format(then=""))


# --- plugins


@pytest.mark.parametrize(
    "guarded",
    [
        ["--only-plugins", "rrm-harness", "list", "judges"],
        ["list", "judges", "--only-plugins", "rrm-harness"],
        ["list", "plugins", "--only-plugins", "voting"],
    ],
)
def test_a_plugin_that_is_not_named_is_never_imported(
    hostile: dict[str, str], guarded: list[str]
) -> None:
    without = rrm("list", "judges", **hostile)
    was_imported = Path(hostile["MARKER"]).exists()
    Path(hostile["MARKER"]).unlink()

    done = rrm(*guarded, **hostile)

    assert (without.returncode, was_imported) == (0, True)
    assert done.returncode == 0, done.stderr
    assert not Path(hostile["MARKER"]).exists()


def test_a_variable_restricts_a_whole_run(
    hostile: dict[str, str], tmp_path: Path
) -> None:
    asked = ["run", "--judge=first", "--dataset=sample", "--output", tmp_path / "run"]

    done = rrm(*asked, RRM_HARNESS_ONLY="rrm-harness", **hostile)

    assert done.returncode == 0, done.stderr
    assert not Path(hostile["MARKER"]).exists()


def test_the_plugin_that_is_named_is_there_with_the_built_in_ones(
    tmp_path: Path,
) -> None:
    mine = distribution(tmp_path, "mine", CALLS_OUT)

    done = rrm("list", "judges", "--only-plugins=mine", **mine)

    assert "calls-out" in done.stdout
    assert "longest" in done.stdout


def test_a_name_that_is_not_installed_is_refused_with_the_nearest() -> None:
    done = rrm("list", "judges", "--only-plugins=rrm-harnes")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "did you mean 'rrm-harness'?" in done.stderr


def test_every_distribution_is_listed_with_version_origin_and_what_it_brings(
    tmp_path: Path,
) -> None:
    url = "https://me:hunter2@example.org/acme.git?token=letmein99"
    said = {"url": url, "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}
    mine = distribution(tmp_path, "mine", CALLS_OUT, direct_url__json=json.dumps(said))

    lines = rrm("list", "plugins", **mine).stdout.splitlines()

    assert lines[0].startswith("rrm-harness ")
    place = f"built from https://example.org/acme.git at commit c0ffee, in {tmp_path}"
    assert lines[-2:] == [f"mine 2.5  ({place})", "  mine  mine  judges: calls-out"]


def test_a_plugin_that_is_kept_out_is_listed_all_the_same(
    hostile: dict[str, str],
) -> None:
    done = rrm("list", "plugins", "--only-plugins=rrm-harness", **hostile)

    assert "  hostile  hostile  kept out, not imported" in done.stdout


def test_a_plugin_that_does_not_load_is_listed_before_it_is_told(
    tmp_path: Path,
) -> None:
    broken = distribution(tmp_path, "broken", HOSTILE.format(then="1 / 0"))

    done = rrm("list", "plugins", **broken)

    assert done.returncode == 2
    assert "broken 2.5" in done.stdout
    assert "ZeroDivisionError" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_manifest_names_the_plugins_that_could_have_run(tmp_path: Path) -> None:
    mine = distribution(tmp_path, "mine", CALLS_OUT)
    asked = ["run", "--judge=first", "--dataset=sample", "--output", tmp_path / "run"]

    rrm(*asked, **mine)

    said = json.loads((tmp_path / "run" / "results.json").read_text())
    assert said["manifest"]["plugins"]["mine"] == "2.5"


# --- code that comes with weights


@pytest.fixture
def coded(tiny: Tiny, tmp_path: Path) -> tuple[Path, Path]:
    """A model with code for everything that can have some, and the mark it leaves."""
    folder, mark = tmp_path / "coded", tmp_path / "ran"
    shutil.copytree(tiny("llama_classifier"), folder)
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    classes = dict.fromkeys(
        (
            "AutoConfig",
            "AutoModel",
            "AutoModelForCausalLM",
            "AutoModelForSequenceClassification",
        ),
        "evil.Evil",
    )
    tokenizer = {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}
    for name, asked in (("config", classes), ("tokenizer_config", tokenizer)):
        file = folder / f"{name}.json"
        said = json.loads(file.read_text()) | {"auto_map": asked}
        said |= {"model_type": "evil"} if name == "config" else {}
        file.write_text(json.dumps(said))
    return folder, mark


@pytest.mark.parametrize("head", ["", "sequence-classifier", "armorm", "internlm2"])
def test_code_beside_weights_does_not_run_unless_asked(
    coded: tuple[Path, Path], head: str
) -> None:
    folder, mark = coded
    running = host.default().engine_for(
        host.Spec.parse("transformers,device=cpu"), Model(str(folder), head=head)
    )

    with pytest.raises(EngineError):
        running.submit(0, Request((Message("user", "hello"),)))
    assert not mark.exists()


def test_code_beside_a_tokenizer_does_not_run_unless_asked(
    coded: tuple[Path, Path],
) -> None:
    folder, mark = coded

    with suppress(EngineError):
        load_tokenizer(str(folder))

    assert not mark.exists()


@pytest.mark.parametrize("trusted", [True, False])
def test_that_code_was_asked_to_run_is_in_the_manifest(
    tmp_path: Path, trusted: bool
) -> None:
    judge = f"llm,model=acme/coded,trust-remote-code={str(trusted).lower()}"
    running = FakeEngine(lambda _: Completion("[[A]]"))

    found = evaluate(judge, "sample,part=pairs", engine=running, output=tmp_path / "r")

    told = found.results["manifest"]["models"]["judge"]
    assert told.get("trust_remote_code", False) is trusted


# --- secrets

KEY, PASSWORD, TOKEN = "sk-planted-0123456789", "hunter2-planted", "letmein99-planted"


@pytest.fixture
def talkative() -> Iterator[FaultServer]:
    """A server that repeats whatever it was told, in each kind of answer."""
    with FaultServer() as made:
        every = f"{KEY} {PASSWORD} {TOKEN}"
        made.script.extend(
            [
                reply(chat(f"[[A]] {every}")),
                reply({"error": {"message": every}}, 400),
                reply(f"no json but {every}"),
                reply({"error": {"message": every}}, 500, Retry_After=KEY),
            ]
        )
        made.always = reply(chat(f"[[B]] {every}"), delay=0.01)
        yield made


def test_no_secret_is_in_anything_written_said_or_shown(
    talkative: FaultServer, tmp_path: Path
) -> None:
    address = talkative.url.replace("http://", f"http://me:{PASSWORD}@")
    environment = os.environ | {
        "MY_KEY": KEY,
        "OPENAI_BASE_URL": f"{address}?token={TOKEN}",
        "RRM_HARNESS_TRACE": "1",
        "PYTHONWARNINGS": "default",
    }
    output = tmp_path / "run"
    engine = "openai,key-variable=MY_KEY,retries=2,backoff=0.01,timeout=5"
    arguments = ["run", "--judge=llm,model=m", f"--engine={engine}", "--output", output]
    process = subprocess.Popen(
        [COMMAND, *map(str, arguments), "--dataset=sample,part=pairs"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not talkative.asked and process.poll() is None:
        time.sleep(0.01)
    shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    said = b"".join(process.communicate(timeout=120))
    page, copies = tmp_path / "page.html", tmp_path / "copies"
    for option, place in (("--html", page), ("--lm-eval", copies), ("--csv", "-")):
        done = rrm("report", output, option, place)
        assert done.returncode == 0, done.stderr
        said += (done.stdout + done.stderr).encode()

    assert process.returncode == 0, said
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert any(b"[hidden]" in each for each in written)
    for secret in (KEY, PASSWORD, TOKEN):
        assert all(secret.encode() not in each for each in [*written, said, shown])


def test_a_key_in_an_address_that_is_no_address_is_not_repeated(tmp_path: Path) -> None:
    engine = f"openai,url=htp://me:{PASSWORD}@host/v1?key={TOKEN}"
    asked = ["run", "--judge=llm,model=m", "--engine", engine, "--dataset=sample"]

    done = rrm(*asked, "--output", tmp_path / "run")

    assert done.returncode == 2
    assert PASSWORD not in done.stderr
    assert TOKEN not in done.stderr


# --- offline


@pytest.fixture
def published(tiny: Tiny, tmp_path: Path) -> dict[str, Path]:
    """A hub's repositories: a reward model and a benchmark."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.jsonl").write_text(json.dumps(PAIR) + "\n")
    (data / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - split: filtered\n    path: rows.jsonl\n---\n"
    )
    return {
        "models/acme/reward": tiny("llama_classifier"),
        "datasets/allenai/reward-bench": data,
    }


JUDGE = "--judge=sequence-classifier,model=acme/reward"
ISOLATED = ("unshare", "--map-root-user", "--user", "--net")


def can_isolate() -> bool:
    try:
        return subprocess.run([*ISOLATED, "true"], check=False).returncode == 0
    except OSError:
        return False


def test_after_prefetch_a_run_needs_no_network_at_all(
    published: dict[str, Path], tmp_path: Path
) -> None:
    if not can_isolate():
        pytest.skip("no network namespace can be made here")
    asked = [JUDGE, "--dataset=rewardbench"]
    cache = {"HF_HOME": str(tmp_path / "cache")}
    with hub.serving(published) as there:
        fetched = rrm("prefetch", *asked, HF_ENDPOINT=there.url, **cache)
    engine = "--engine=transformers,device=cpu"
    run = ["run", *asked, engine, "--offline", "--output"]

    done = rrm(*run, tmp_path / "run", before=ISOLATED, **cache)
    cold = rrm(*run, tmp_path / "cold", before=ISOLATED, HF_HOME=str(tmp_path / "no"))

    assert fetched.returncode == 0, fetched.stderr
    assert f"acme/reward@{hub.COMMIT}" in fetched.stdout
    assert "1 examples" in fetched.stdout
    assert done.returncode == 0, done.stderr
    said = json.loads((tmp_path / "run" / "results.json").read_text())
    assert said["manifest"]["run"]["revision"].endswith(hub.COMMIT)
    assert hub.COMMIT in said["manifest"]["run"]["engine"]
    assert cold.returncode == 2
    assert len(cold.stderr.splitlines()) == 1


def test_offline_the_rows_of_another_commit_are_refused(
    published: dict[str, Path], tmp_path: Path
) -> None:
    rows = "len(list(Source('allenai/reward-bench', 'filtered', commit).rows()))"
    code = (
        "import sys; from rrm_harness import offline, DataError;"
        "from rrm_harness.rows import Source; commit = sys.argv[2];"
        f"sys.argv[1] == 'offline' and offline.switch_on();print({rows})"
    )
    variables = {"HF_HOME": str(tmp_path / "cache"), "PATH": os.environ["PATH"]}

    def read(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=variables | more,
            capture_output=True,
            text=True,
            check=False,
        )

    with hub.serving(published) as there:
        online = read("online", hub.COMMIT, HF_ENDPOINT=there.url)
    same = read("offline", hub.COMMIT)
    other = read("offline", "d" * 40)

    assert online.stdout == same.stdout == "1\n"
    assert f"in the cache as of {hub.COMMIT} and not of {'d' * 40}" in other.stderr


def test_offline_no_plugin_reaches_the_outside(tmp_path: Path) -> None:
    mine = distribution(tmp_path, "mine", CALLS_OUT)
    asked = ["run", "--judge=calls-out", "--dataset=sample,part=pairs", "--offline"]

    done = rrm(*asked, "--output", tmp_path / "run", **mine)

    said = json.loads((tmp_path / "run" / "results.json").read_text())
    assert done.returncode == 3
    assert "offline: 192.0.2.1 is not called" in said["first_failures"]["judge-error"]


def test_offline_a_server_elsewhere_is_refused_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    engine = "--engine=openai,url=http://192.0.2.1:8000/v1"
    asked = ["run", "--judge=llm,model=m", engine, "--dataset=sample", "--offline"]

    done = rrm(*asked, "--output", tmp_path / "run")

    assert done.returncode == 2
    assert "openai would call 192.0.2.1" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_offline_a_server_on_this_machine_is_asked(tmp_path: Path) -> None:
    with FaultServer(reply(chat("[[A]]"))) as server:
        engine = f"--engine=openai,url={server.url}"
        asked = ["run", "--judge=llm,model=m", engine, "--dataset=sample,part=pairs"]

        done = rrm(*asked, "--offline", "--output", tmp_path / "run")

    assert done.returncode == 0, done.stderr
    assert server.asked
