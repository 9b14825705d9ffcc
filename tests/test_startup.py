"""Bare lm_eval finds us, and nothing else notices; lm-eval is a stand-in but twice."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from rrm_harness._build import FILES
from rrm_harness.lmeval.startup import OFF, runs_lm_eval

STAND_IN = {
    "__init__.py": "",
    "api/__init__.py": "",
    "api/registry.py": """
        class Registry(dict):
            def register(self, name, target):
                self[name] = target

        model_registry = Registry()
        """,
    "models/__init__.py": """
        from lm_eval.api.registry import model_registry

        model_registry.register("dummy", target="lm_eval.models.dummy:DummyLM")
        """,
    "tasks/__init__.py": "",
    "tasks/manager.py": """
        class TaskManager:
            def __init__(self, include_path=None, include_defaults=True):
                self.include_path = include_path
        """,
    "evaluator.py": """
        def simple_evaluate(model, tasks=None, limit=10):
            "Evaluate a model."
            return f"{model} on {tasks}, {limit}"
        """,
}
"""What we touch of lm-eval."""
MANAGER, MODELS = "tasks/manager.py", "models/__init__.py"
REGISTRY = "api/registry.py"
CHECKS = """
    import sys, types
    from rrm_harness.errors import SpecError

    def before_model(arguments):
        {does}

    name = "rrm_harness.lmeval.checks"
    sys.modules[name] = types.SimpleNamespace(before_model=before_model)
    from lm_eval.evaluator import simple_evaluate
    print(simple_evaluate("dummy", tasks=["a"]))
    """


def ending(file: str, text: str) -> dict[str, str]:
    """A file of the stand-in's with a line more."""
    return {file: dedent(STAND_IN[file]) + text}


TASKS_DOOR = ending(MANAGER, "def discover_plugin_task_paths(): ...")
MODELS_DOOR = ending(REGISTRY, "def load_plugins(group, registry): ...")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a program under a command's name, as an interpreter that reads our file."""
    (tmp_path / "site").mkdir()
    for name, text in FILES.items():
        (tmp_path / "site" / name).write_text(text)

    def run(
        program: str,
        changes: dict[str, str] | None = None,
        *,
        name: str = "lm_eval",
        options: tuple[str, ...] = ("-P",),
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        for file, text in (STAND_IN | (changes or {})).items():
            path = tmp_path / "lib" / "lm_eval" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        script = tmp_path / name
        reads = f"import site; site.addsitedir({str(tmp_path / 'site')!r})\n"
        script.write_text(reads + dedent(program))
        return subprocess.run(
            [sys.executable, *options, script],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "lib")} | environment,
            capture_output=True,
            text=True,
        )

    return run


OURS = """
    import sys
    print(sorted({name.partition(".")[0] for name in sys.modules} & {"rrm_harness"}))
    """
INCLUDED = """
    from lm_eval.tasks.manager import TaskManager
    print(TaskManager(include_path={path}, include_defaults={defaults}).include_path)
    """
FOLDER = "__import__('rrm_harness.tasks_folder').tasks_folder.folders()"


def test_another_command_imports_nothing_of_ours(run: Run) -> None:
    assert run(OURS, name="other").stdout == "[]\n"


def test_the_command_of_lm_eval_imports_us(run: Run) -> None:
    assert run(OURS).stdout == "['rrm_harness']\n"


def test_what_is_left_after_our_folder_was_deleted_is_silent(run: Run) -> None:
    """Without `site`, we are not importable."""
    done = run(OURS, options=("-P", "-S"))

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_we_are_imported_before_what_we_need_is_importable(run: Run) -> None:
    """As where our dependencies are the system's, which Python looks for later."""
    root = str(Path(__file__).parents[1])

    done = run(OURS, options=("-P", "-S"), PYTHONPATH=root)

    assert (done.stdout, done.stderr) == ("['rrm_harness']\n", "")


@pytest.mark.parametrize(
    "command",
    [
        "python {bin}/lm_eval --tasks a",
        "python {bin}/lm-eval ls tasks",
        "python -m lm_eval --tasks a",
        "python -um lm_eval",
        "python -mlm_eval",
        "python -W ignore -m lm_eval.__main__",
        "python /home/me/lm_eval/__main__.py",
        "python /bin/accelerate launch --num_processes 2 -m lm_eval --tasks a",
        "python /bin/torchrun --nproc-per-node=2 --module lm_eval",
        "python /bin/coverage run {bin}/lm_eval",
    ],
)
def test_a_command_that_runs_lm_eval_is_known(tmp_path: Path, command: str) -> None:
    for name in ("lm_eval", "lm-eval"):
        (tmp_path / name).touch()

    assert runs_lm_eval(command.format(bin=tmp_path).split())


@pytest.mark.parametrize(
    "command",
    [
        "python",
        "python -m pip install lm_eval",
        "python -m pip install lm-eval==0.4.13 -e /home/me/lm_eval",
        "python -m pytest {folder}/lm_eval",
        "python /home/lm_eval/train.py --output lm_eval.json",
        "python -c print('lm_eval')",
        "python -m lm_eval_tools",
    ],
)
def test_a_command_that_only_names_lm_eval_is_not(tmp_path: Path, command: str) -> None:
    (tmp_path / "lm_eval").mkdir()

    assert not runs_lm_eval(command.format(folder=tmp_path).split())


def test_our_folders_come_before_the_users(run: Run) -> None:
    done = run(INCLUDED.format(path="'mine'", defaults=True))

    given = done.stdout.strip()
    assert given.startswith("[PosixPath(")
    assert given.endswith("tasks'), 'mine']")


def test_no_folder_of_ours_is_added_where_defaults_are_not_wanted(run: Run) -> None:
    done = run(INCLUDED.format(path="'mine'", defaults=False))

    assert done.stdout == "mine\n"


def test_a_folder_that_the_user_names_too_is_read_once(run: Run) -> None:
    done = run(INCLUDED.format(path=f"[*map(str, {FOLDER})]", defaults=True))

    assert done.stdout.count("tasks") == 1


def test_our_model_joins_those_of_lm_eval(run: Run) -> None:
    done = run("""
        import lm_eval.models
        from lm_eval.api.registry import model_registry
        print(*model_registry.items())
        """)

    assert done.stdout == (
        "('dummy', 'lm_eval.models.dummy:DummyLM')"
        " ('rrm', 'rrm_harness.lmeval.model:RRM')\n"
    )


def test_a_name_that_is_taken_stays_so(run: Run) -> None:
    taken = ending(MODELS, "model_registry.register('rrm', target='other:RRM')")

    done = run("import lm_eval.models as m; print(m.model_registry['rrm'])", taken)

    assert done.stdout == "other:RRM\n"


def test_a_door_for_tasks_is_left_to_lm_eval(run: Run) -> None:
    done = run(INCLUDED.format(path="'mine'", defaults=True), TASKS_DOOR)

    assert done.stdout == "mine\n"


def test_a_door_for_models_is_left_to_lm_eval(run: Run) -> None:
    done = run("import lm_eval.models as m; print(*m.model_registry)", MODELS_DOOR)

    assert done.stdout == "dummy\n"


@pytest.mark.parametrize("module", ["models", "tasks.manager", "evaluator"])
def test_a_module_knows_its_own_loader_alone(run: Run, module: str) -> None:
    done = run(f"""
        import inspect, lm_eval.{module} as m
        print(type(m.__loader__).__name__, type(m.__spec__.loader).__name__)
        inspect.getsource(m)
        """)

    assert done.stdout == "SourceFileLoader SourceFileLoader\n"


def test_the_switch_turns_it_off(run: Run) -> None:
    done = run(INCLUDED.format(path=None, defaults=True), **{OFF: "1"})

    assert done.stdout == "None\n"


def test_an_lm_eval_that_we_do_not_know_works_and_we_say_so(run: Run) -> None:
    done = run("import lm_eval.models; print('works')", {REGISTRY: "", MODELS: ""})

    assert done.stdout == "works\n"
    assert done.stderr.startswith("rrm-harness: could not add to lm_eval.models,")
    assert len(done.stderr.splitlines()) == 1


def test_a_broken_plugin_of_ours_does_not_break_lm_eval(run: Run) -> None:
    broken = "import sys; sys.modules['rrm_harness.tasks_folder'] = None\n"

    done = run(broken + dedent(INCLUDED).format(path="'mine'", defaults=True))

    assert done.stdout == "mine\n"
    assert done.stderr.startswith("rrm-harness: could not add its tasks,")
    assert len(done.stderr.splitlines()) == 1


def test_the_input_is_checked_with_all_arguments(run: Run) -> None:
    done = run(CHECKS.format(does="print(dict(arguments))"))

    assert done.stdout.splitlines() == [
        "{'model': 'dummy', 'tasks': ['a'], 'limit': 10}",
        "dummy on ['a'], 10",
    ]


def test_the_input_is_checked_where_lm_eval_has_doors_too(run: Run) -> None:
    done = run(CHECKS.format(does="print('checked')"), TASKS_DOOR | MODELS_DOOR)

    assert done.stdout.startswith("checked\n")


def test_a_mistake_is_told_without_a_traceback(run: Run) -> None:
    done = run(CHECKS.format(does="raise SpecError('there is no judge x')"))

    assert done.stderr == "rrm-harness: there is no judge x\n"
    assert done.returncode == 1


def test_a_check_that_fails_itself_does_not_stop_the_run(run: Run) -> None:
    done = run(CHECKS.format(does="raise ZeroDivisionError"))

    assert done.stdout == "dummy on ['a'], 10\n"
    assert done.stderr.startswith("rrm-harness: could not check the input,")


def test_what_is_no_mistake_of_the_users_keeps_its_traceback(run: Run) -> None:
    done = run("raise ZeroDivisionError")

    assert done.stderr.startswith("Traceback (most recent call last):")


def test_the_function_that_is_checked_looks_as_before(run: Run) -> None:
    done = run("""
        import inspect
        from lm_eval.evaluator import simple_evaluate
        print(simple_evaluate.__doc__, inspect.signature(simple_evaluate))
        """)

    assert done.stdout == "Evaluate a model. (model, tasks=None, limit=10)\n"


def test_what_is_done_is_logged_for_who_debugs(run: Run) -> None:
    done = run("""
        import logging
        logging.basicConfig(level="DEBUG", format="%(name)s %(message)s")
        import lm_eval.tasks.manager
        """)

    assert done.stderr == (
        "rrm_harness.lmeval lm_eval looks for tasks in our folders as well\n"
    )


def test_registering_twice_adds_once(run: Run) -> None:
    program = """
        import rrm_harness.lmeval
        rrm_harness.lmeval.register()
        from lm_eval.tasks.manager import TaskManager
        once = TaskManager.__init__
        rrm_harness.lmeval.register()
        print(once is TaskManager.__init__, len(TaskManager().include_path))
        """

    assert run(program, name="own.py").stdout == "True 1\n"


@pytest.mark.parametrize(
    ("name", "first"),
    [("lm_eval", ""), ("own.py", "import rrm_harness.lmeval as m; m.register()\n")],
)
def test_the_installed_lm_eval_knows_our_tasks_and_all_models(
    run: Run, name: str, first: str
) -> None:
    program = """
        import lm_eval.models
        from lm_eval.api.registry import get_model
        from lm_eval.tasks import TaskManager
        print(get_model("dummy").__name__, get_model("rrm").__name__)
        print("rrm_rewardbench" in TaskManager().all_subtasks)
        """

    done = run(first + dedent(program), name=name, PYTHONPATH="")

    assert done.stdout.splitlines() == ["DummyLM RRM", "True"], done.stderr
