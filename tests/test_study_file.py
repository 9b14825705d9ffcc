"""A study in a file: what it runs, and what is told of a mistake in it."""

from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import DataError, HarnessError
from rrm_harness.cli import commands
from rrm_harness.located import Located
from rrm_harness.study import evaluate_all
from rrm_harness.study_file import StudyFile

WHOLE = """\
output: there
limit: 6
too_long: skip
judges:
  - longest
  - judge: llm
    engine: openai,url=http://localhost:1/v1
datasets:
  - sample
strategies: [knockout, elo]
"""
TOML = """\
output = "there"
limit = 6
too_long = "skip"
datasets = ["sample"]
strategies = ["knockout", "elo"]

[[judges]]
judge = "longest"

[[judges]]
judge = "llm"
engine = "openai,url=http://localhost:1/v1"
"""


def read(folder: Path, text: str, name: str = "study.yaml") -> StudyFile:
    file = folder / name
    file.write_text(text)
    return StudyFile.read(file)


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE) == read(tmp_path, TOML, "study.toml")


def test_a_file_says_what_is_run(tmp_path: Path) -> None:
    study = read(tmp_path, WHOLE)

    assert [judge["judge"] for judge in study.judges] == ["longest", "llm"]
    assert study.datasets == ("sample",)
    assert study.strategies == ("knockout", "elo")
    assert study.output == Path("there")
    assert study.options == {"limit": 6, "too_long": "skip"}


def test_an_engine_for_all_is_each_judges_unless_it_has_its_own(tmp_path: Path) -> None:
    text = "engine: vllm\njudges: [rrm, {judge: llm, engine: openai}]\ndatasets: [ppe]"

    engines = [judge["engine"] for judge in read(tmp_path, text).judges]

    assert engines == ["vllm", "openai"]


START = "judges: [longest]\ndatasets: [sample]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("judges: [longst]\ndatasets: [sample]", "line 1, judges.0.judge: no judges"),
        ("datasets: [sample]", "judges: this must be a list of at least one"),
        ("judges: [longest]\n\ndatasets: []", "line 3, datasets: this must be a list"),
        (START + "limit: many", "line 3, limit: this must be a whole number"),
        (START + "limit: true", "line 3, limit: this must be a whole number"),
        (START + "limit: 0", "line 3, limit: this must be 1 or more; it is 0"),
        (START + "limit: -3", "line 3, limit: this must be 1 or more; it is -3"),
        (START + "too_long: cut", "line 3, too_long: this must be one of fail"),
        (START + "limt: 3", "line 3, limt: .* did you mean 'limit'"),
        (
            START + "strategies:\n\n- voting,kk=3",
            "line 5, strategies.0: .* option 'kk'",
        ),
        (START + "engine: vlm", "line 3, engine: .* did you mean 'vllm'"),
        (
            "judges:\n- longest\n- judge: llm\n  engine: openai,ulr=http://h/v1",
            "line 4, judges.1.engine: .* did you mean 'url'",
        ),
        (START + "engine: vllm", "line 3, engine: with longest: .*runs no model"),
        (
            "judges:\n- {judge: longest,\n   engin: x}",
            "line 3, judges.0.engin: .*'engine'",
        ),
        ("judges: [{engine: vllm}]", "line 1, judges.0: a judge is a spec"),
        ("judges: [[longest]]", "line 1, judges.0: a judge is a spec"),
        ("judges: [{judge: 7}]", "line 1, judges.0.judge: a spec is a text"),
        ("judges: [longest]\njudges: [first]", "not YAML .*comes twice"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("- longest", "must be a table of keys"),
        ("a: [", "not YAML"),
        ("a: " + "[" * 100 + "]" * 100, "levels deep"),
        ("a: !!python/object/apply:os.system [ls]", "line 1, a: 'a' is no key"),
        ("seed: !!python/name:os.system", "not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path, text)

    assert "\n" not in str(caught.value)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("opened", ["[", "{a: ", "- ", "? "])
def test_a_deep_file_is_refused_before_it_is_read_to_its_end(
    tmp_path: Path, opened: str
) -> None:
    """To read it whole takes time with the square of its depth: minutes."""
    with pytest.raises(DataError, match="more than 50 levels deep"):
        read(tmp_path, opened * 10_000)


def test_a_mistake_in_toml_has_its_line_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"study.toml, line 2, limt: .*'limit'"):
        read(tmp_path, 'output = "x"\nlimt = 3\n', "study.toml")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        StudyFile.read(tmp_path / "none.yaml")


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_content_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    for name in ("any.yaml", "any.toml"):
        file = tmp_path_factory.mktemp("any") / name
        raw = content if isinstance(content, bytes) else content.encode(errors="ignore")
        file.write_bytes(raw)
        with suppress(HarnessError):
            Located.read(file)


def test_every_judge_meets_every_dataset_under_every_strategy(tmp_path: Path) -> None:
    text = "judges: [longest, first]\ndatasets: [sample]\nstrategies: [elo, knockout]"
    study = read(tmp_path, text + "\nlimit: 3")

    found = [*evaluate_all(study, tmp_path / "out")]

    asked = [(each.results["judge"], each.results["strategy"]) for each in found]
    assert asked == [
        ("longest", "elo"),
        ("longest", "knockout"),
        ("first", "elo"),
        ("first", "knockout"),
    ]
    assert all(each.results["examples"] == 3 for each in found)
    assert len({each.directory for each in found}) == 4


def test_one_judges_mistake_does_not_end_the_others_runs(tmp_path: Path) -> None:
    study = read(tmp_path, "judges: [llm, longest]\ndatasets: [sample]\nlimit: 3")
    told: list[str] = []

    found = evaluate_all(study, tmp_path / "out", lambda run, _: told.append(run))

    assert [each.results["judge"] for each in found] == ["longest"]
    assert told == ["llm on sample"]


def test_a_judge_on_two_engines_is_two_runs(tmp_path: Path) -> None:
    text = "judges: [longest, {judge: longest, policy: solver}]\ndatasets: [sample]"
    study = read(tmp_path, text + "\nlimit: 3")

    found = [*evaluate_all(study, tmp_path / "out")]

    assert len({each.directory for each in found}) == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "give --judge and --dataset and --output, or a STUDY file"),
        (["--judge", "longest", "--dataset", "sample"], "give --output, or a STUDY"),
        (["FILE", "--judge", "longest"], "--judge: the study file names these"),
        (["FILE"], "give --output, or `output` in the study file"),
    ],
)
def test_the_command_says_what_is_missing(
    tmp_path: Path, asked: list[str], said: str
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(START)

    told = CliRunner().invoke(
        commands, ["run", *(str(file) if each == "FILE" else each for each in asked)]
    )

    assert told.exit_code == 2
    assert said in told.output


def test_the_command_line_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(START + "limit: 5\n")
    out = tmp_path / "out"

    command = ["run", str(file), "--output", str(out), "--limit", "2", "--quiet"]
    told = CliRunner().invoke(commands, command)

    assert told.exit_code == 0, told.output
    assert len((out / "outcomes.jsonl").read_text().splitlines()) == 2
