"""The distribution: what is listed is there, what is there is listed, no more."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

from rrm_harness._build import FILES
from rrm_harness.lmeval import startup

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAPPED = ("plugins", "tasks", "templates")
BUILT = ("build", "dist", "*.egg-info", "__pycache__", ".*")


def packages_on_disk() -> Iterator[str]:
    for top in ("rrm_harness", *MAPPED):
        prefix = f"rrm_harness.{top}" if top in MAPPED else top
        for init in (ROOT / top).rglob("__init__.py"):
            yield ".".join([prefix, *init.parent.relative_to(ROOT / top).parts])


def plugin_modules() -> Iterator[str]:
    """Modules that implement a hook; the rest are helpers."""
    for top in MAPPED:
        for file in (ROOT / top).rglob("*.py"):
            if "@hookimpl" in file.read_text():
                parts = file.relative_to(ROOT).with_suffix("").parts
                yield ".".join(("rrm_harness", *parts)).removesuffix(".__init__")


def data_files() -> Iterator[str]:
    """All files of the packages that are no modules, as the wheel names them."""
    for top in ("rrm_harness", *MAPPED):
        for file in (ROOT / top).rglob("*"):
            if file.is_file() and file.suffix not in (".py", ".pyc"):
                inside = file.relative_to(ROOT).as_posix()
                yield f"rrm_harness/{inside}" if top in MAPPED else inside


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from a copy of the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*BUILT))
    options = ["--wheel", "--no-isolation", "--outdir", folder]
    subprocess.run(
        [sys.executable, "-P", "-m", "build", *options, folder / "tree"],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def wheel(archive: zipfile.ZipFile) -> list[str]:
    """The names of the wheel's files."""
    return archive.namelist()


def test_every_package_is_listed() -> None:
    assert sorted(packages_on_disk()) == PYPROJECT["tool"]["setuptools"]["packages"]


def test_every_folder_of_python_files_is_a_package() -> None:
    folders = {
        file.parent
        for top in ("rrm_harness", *MAPPED)
        for file in (ROOT / top).rglob("*.py")
    }

    assert all((folder / "__init__.py").is_file() for folder in folders)


def test_every_plugin_module_has_an_entry_point() -> None:
    listed = PYPROJECT["project"]["entry-points"]["rrm_harness"]

    assert sorted(listed.values()) == sorted(plugin_modules())


def test_an_entry_point_is_called_like_its_module() -> None:
    """A head's name says so: a judge's module may be called the same."""
    listed = PYPROJECT["project"]["entry-points"]["rrm_harness"]

    expected = {
        module: f"{'head_' * ('.heads.' in module)}{module.rpartition('.')[2]}"
        for module in listed.values()
    }
    assert {module: name for name, module in listed.items()} == expected


def test_the_installed_entry_points_are_those_of_the_project() -> None:
    installed = {
        entry.name: entry.value
        for entry in entry_points(group="rrm_harness")
        if entry.dist and entry.dist.name == "rrm-harness"
    }

    assert installed == PYPROJECT["project"]["entry-points"]["rrm_harness"]


def test_a_wheel_holds_the_package_its_metadata_and_the_start_up_file_alone(
    wheel: list[str],
) -> None:
    tops = {name.partition("/")[0] for name in wheel}

    version = PYPROJECT["project"]["version"]
    assert tops == {
        "rrm_harness",
        f"rrm_harness-{version}.dist-info",
        "rrm_harness_lm_eval.pth",
    }


def test_a_wheel_holds_the_start_up_file_as_it_was_tested(
    archive: zipfile.ZipFile,
) -> None:
    found = {name: archive.read(name).decode() for name in FILES}

    assert found == FILES


def test_the_start_up_file_is_one_line_that_python_runs() -> None:
    (line,) = FILES["rrm_harness_lm_eval.pth"].splitlines()

    assert line.startswith("import ")  # site takes any other line for a folder


@pytest.mark.parametrize("group", ["lm_eval.models", "lm_eval.tasks"])
def test_what_lm_eval_is_to_load_is_there(group: str) -> None:
    for value in PYPROJECT["project"]["entry-points"][group].values():
        assert resolve_name(value)


def test_the_doors_and_the_start_up_file_bring_the_same_model() -> None:
    doors = PYPROJECT["project"]["entry-points"]["lm_eval.models"]

    assert doors == {startup.MODEL: startup.MODEL_CLASS}


def test_a_wheel_holds_every_module(wheel: list[str]) -> None:
    modules = {
        f"rrm_harness/{inside}" if top in MAPPED else inside
        for top in ("rrm_harness", *MAPPED)
        for inside in (
            file.relative_to(ROOT).as_posix() for file in (ROOT / top).rglob("*.py")
        )
    }

    assert {name for name in wheel if name.endswith(".py")} == modules


def test_a_wheel_holds_every_data_file(wheel: list[str]) -> None:
    missing = set(data_files()) - set(wheel)

    assert missing == set()


@pytest.mark.parametrize(
    "file",
    [
        "rrm_harness/py.typed",
        "rrm_harness/plugins/datasets/sample.jsonl",
        "rrm_harness/templates/report/runs.md.jinja",
        "dist-info/licenses/LICENSE",
        "dist-info/entry_points.txt",
    ],
)
def test_a_wheel_holds_what_the_program_reads(wheel: list[str], file: str) -> None:
    assert any(name.endswith(file) for name in wheel)


@pytest.mark.parametrize("name", [*MAPPED, "tests", "benchmarks", "docs"])
def test_nothing_of_ours_leaks_to_the_top_level(tmp_path: Path, name: str) -> None:
    program = (
        "import sys; from importlib.util import find_spec; import rrm_harness;"
        f"spec = find_spec({name!r});"
        "print(*(spec.submodule_search_locations or [spec.origin]) if spec else [])"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert str(ROOT) not in done.stdout


@pytest.mark.parametrize("name", MAPPED)
def test_what_is_mapped_is_importable_under_the_package(
    tmp_path: Path, name: str
) -> None:
    program = (
        f"from importlib.resources import files; print(files('rrm_harness.{name}'))"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(done.stdout.strip()).name == name


def test_the_version_is_told_in_one_voice() -> None:
    import rrm_harness

    assert rrm_harness.__version__ == PYPROJECT["project"]["version"]


def test_the_public_names_are_all_there() -> None:
    import rrm_harness

    missing = [name for name in rrm_harness.__all__ if not hasattr(rrm_harness, name)]
    assert missing == []
    assert rrm_harness.__all__ == sorted(rrm_harness.__all__)


def test_every_error_is_a_public_name() -> None:
    import rrm_harness
    from rrm_harness import errors

    kinds = {name for name in vars(errors) if name.endswith("Error")}
    assert kinds <= {*rrm_harness.__all__}
