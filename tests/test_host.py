"""The host: every plugin through one door, and one clear line when one is wrong."""

import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from typing import Any

import pytest

from rrm_harness import Judge, PluginError, Register, SpecError, hookimpl, host
from rrm_harness.host import GROUP, Host

Install = Callable[..., list[EntryPoint]]

GOOD = """
from rrm_harness import hookimpl

@hookimpl
def register_judges(register):
    register("{judge}", dict)
"""

KINDS = (
    "judges",
    "strategies",
    "engines",
    "heads",
    "datasets",
    "models",
    "templates",
    "tasks",
)


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Lay out distributions of one-module plugins; return their entry points."""

    def distribution(name: str, /, **modules: str) -> list[EntryPoint]:
        information = tmp_path / f"{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
        lines = [f"[{GROUP}]", *(f"{module} = {module}" for module in modules)]
        (information / "entry_points.txt").write_text("\n".join(lines))
        for module, text in modules.items():
            (tmp_path / f"{module}.py").write_text(text)
        found = [
            each
            for it in distributions(path=[str(tmp_path)])
            for each in it.entry_points
        ]
        return [each for each in found if each.dist and each.dist.name == name]

    before = set(sys.modules)
    sys.path.insert(0, str(tmp_path))
    yield distribution
    sys.path.remove(str(tmp_path))
    for module in set(sys.modules) - before:
        del sys.modules[module]


def judges(**named: Any) -> object:
    """A plugin that registers these judges."""

    class Plugin:
        @hookimpl
        def register_judges(self, register: Register) -> None:
            for name, factory in named.items():
                register(name, factory)

    return Plugin()


def test_every_built_in_comes_through_the_entry_point_group() -> None:
    ours = {
        f"rrm-harness:{entry.name}"
        for entry in entry_points(group=GROUP)
        if entry.dist and entry.dist.name == "rrm-harness"
    }

    origins = {
        entry.origin
        for kind in KINDS
        for entry in host.default().registry(kind).values()
        if entry.origin.startswith("rrm-harness:")
    }

    assert origins == ours


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_plugin_registers_is_found_by_its_name(kind: str) -> None:
    def register_thing(self: object, register: Register) -> None:  # noqa: ARG001
        register("mine", dict)

    plugin = type("Plugin", (), {f"register_{kind}": hookimpl(register_thing)})()

    found = Host(plugins=[plugin]).lookup(kind, "mine")

    assert (found.name, found.thing, found.origin) == ("mine", dict, "Plugin")


def test_an_entry_point_brings_its_distributions_name(install: Install) -> None:
    found = install("acme-judges", acme_good=GOOD.format(judge="acme"))

    registered = Host(found).registry("judges")

    assert registered["acme"].origin == "acme-judges:acme_good"


def test_a_registry_is_sorted_by_name() -> None:
    plugin = judges(zebra=dict, ant=dict, mole=dict)

    registered = Host(plugins=[plugin]).registry("judges")

    assert list(registered) == ["ant", "mole", "zebra"]


def test_a_distribution_that_is_seen_twice_counts_once(install: Install) -> None:
    found = install("acme-twice", acme_twice=GOOD.format(judge="twice"))

    registered = Host([*found, *found]).registry("judges")

    assert list(registered) == ["twice"]


def test_two_plugins_of_one_name_are_refused() -> None:
    with pytest.raises(PluginError, match="two plugins are called Plugin"):
        Host(plugins=[judges(one=dict), judges(two=dict)])


def test_a_clash_of_names_tells_both_distributions(install: Install) -> None:
    found = [
        *install("acme-one", acme_one=GOOD.format(judge="same")),
        *install("acme-two", acme_two=GOOD.format(judge="same")),
    ]

    with pytest.raises(PluginError) as raised:
        Host(found).registry("judges")

    assert "acme-one:acme_one" in str(raised.value)
    assert "acme-two:acme_two" in str(raised.value)


def test_a_clash_does_not_depend_on_the_order_of_discovery(install: Install) -> None:
    found = [
        *install("acme-left", acme_left=GOOD.format(judge="same")),
        *install("acme-right", acme_right=GOOD.format(judge="same")),
    ]
    messages = []

    for order in (found, found[::-1]):
        with pytest.raises(PluginError) as raised:
            Host(order).registry("judges")
        messages.append(str(raised.value))

    assert messages[0] == messages[1]


def test_one_name_may_be_taken_in_two_kinds() -> None:
    class Plugin:
        @hookimpl
        def register_judges(self, register: Register) -> None:
            register("same", dict)

        @hookimpl
        def register_datasets(self, register: Register) -> None:
            register("same", list)

    found = Host(plugins=[Plugin()])

    assert found.lookup("judges", "same").thing is dict
    assert found.lookup("datasets", "same").thing is list


def test_a_misspelt_hook_names_the_nearest() -> None:
    class Plugin:
        @hookimpl
        def register_judgs(self, register: Register) -> None:
            """Never called."""

    with pytest.raises(PluginError, match=r"'register_judgs'.*mean 'register_judges'"):
        Host(plugins=[Plugin()])


def test_a_hook_may_be_implemented_under_another_name() -> None:
    class Plugin:
        @hookimpl(specname="register_judges")
        def offer_our_judges(self, register: Register) -> None:
            register("ours", dict)

    registered = Host(plugins=[Plugin()]).registry("judges")

    assert list(registered) == ["ours"]


def test_an_argument_that_a_hook_has_not_is_named() -> None:
    class Plugin:
        @hookimpl
        def register_judges(self, registrar: Register) -> None:
            """Never called."""

    with pytest.raises(PluginError, match=r"plugin Plugin: .*'registrar'") as raised:
        Host(plugins=[Plugin()])

    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import no_such_library", "No module named 'no_such_library'"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_plugin_that_does_not_import_is_one_line(
    install: Install, text: str, problem: str
) -> None:
    found = install("acme-broken", acme_broken=text)

    with pytest.raises(PluginError) as raised:
        Host(found)

    message = str(raised.value)
    assert len(message.splitlines()) == 1
    assert problem in message
    assert "acme-broken:acme_broken does not import" in message
    assert "RRM_HARNESS_DISABLE=acme-broken:acme_broken " in message


def test_a_plugin_whose_hook_raises_is_one_line(install: Install) -> None:
    text = "from rrm_harness import hookimpl\n@hookimpl\ndef register_judges(): 1 / 0"
    found = install("acme-raising", acme_raising=text)

    with pytest.raises(PluginError) as raised:
        Host(found).registry("judges")

    message = str(raised.value)
    assert len(message.splitlines()) == 1
    assert "acme-raising:acme_raising: register_judges failed" in message
    assert "ZeroDivisionError" in message
    assert "RRM_HARNESS_DISABLE=acme-raising:acme_raising " in message


@pytest.mark.parametrize(
    "disabled",
    ["acme_off", "acme-off", "acme-off:acme_off", "other,acme_off", ",acme-off,"],
)
def test_a_disabled_plugin_is_not_even_imported(
    install: Install, monkeypatch: pytest.MonkeyPatch, disabled: str
) -> None:
    found = install("acme-off", acme_off="raise RuntimeError('imported')")
    monkeypatch.setenv("RRM_HARNESS_DISABLE", disabled)

    registered = Host(found).registry("judges")

    assert registered == {}


def test_disabling_one_plugin_leaves_the_others(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {each: GOOD.format(judge=each) for each in ("acme_in", "acme_out")}
    found = install("acme-both", **texts)
    monkeypatch.setenv("RRM_HARNESS_DISABLE", "acme_out")

    registered = Host(found).registry("judges")

    assert list(registered) == ["acme_in"]


def test_an_entry_point_of_another_distribution_is_not_disabled(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = install("acme-stays", acme_stays=GOOD.format(judge="stays"))
    monkeypatch.setenv("RRM_HARNESS_DISABLE", "acme-other:acme_stays")

    registered = Host(found).registry("judges")

    assert list(registered) == ["stays"]


BROKEN = [
    "import no_such_library",
    "from rrm_harness import hookimpl\n@hookimpl\ndef register_judges(): 1 / 0",
    "from rrm_harness import hookimpl\n@hookimpl\ndef register_judgs(register): ...",
    "from rrm_harness import hookimpl\n@hookimpl\ndef register_judges(other): ...",
    GOOD.format(judge="first"),  # a name that another plugin has
]


@pytest.mark.parametrize("text", BROKEN)
def test_what_a_message_says_to_disable_helps(
    install: Install, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    found = [
        *install("acme-ahead", acme_ahead=GOOD.format(judge="first")),
        *install("acme-wrong", acme_wrong=text),
    ]
    with pytest.raises(PluginError) as raised:
        Host(found).registry("judges")

    told = re.search(r"set (RRM_HARNESS_DISABLE)=(\S+) to", str(raised.value))

    assert told
    monkeypatch.setenv(*told.groups())
    assert list(Host(found).registry("judges")) == ["first"]


def test_a_function_named_like_a_hook_without_its_mark_is_refused() -> None:
    class Plugin:
        def register_judges(self, register: Register) -> None:
            register("forgotten", dict)

    with pytest.raises(PluginError) as raised:
        Host(plugins=[Plugin()])

    assert str(raised.value) == (
        "plugin Plugin: register_judges lacks its mark; write @hookimpl above it,"
        " or set RRM_HARNESS_DISABLE=Plugin to run without it"
    )


def test_an_unknown_name_gets_the_nearest_and_all_that_is_installed() -> None:
    plugins = host.default()

    with pytest.raises(SpecError) as raised:
        plugins.lookup("judges", "longst")

    message = str(raised.value)
    assert "'longst'" in message
    assert "did you mean 'longest'?" in message
    assert all(name in message for name in plugins.registry("judges"))


def test_an_unknown_name_without_any_plugin_says_so() -> None:
    with pytest.raises(SpecError, match="known: none"):
        Host().lookup("engines", "vllm")


def test_the_trace_prints_each_hook_call_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RRM_HARNESS_TRACE", "1")

    Host(plugins=[judges(mine=dict)]).registry("judges")

    shown = capsys.readouterr()
    assert shown.err == "rrm-harness trace: register_judges -> Plugin\n"
    assert shown.out == ""


def test_without_the_trace_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RRM_HARNESS_TRACE", raising=False)

    Host(plugins=[judges(mine=dict)]).registry("judges")

    assert capsys.readouterr() == ("", "")


def test_strategies_nest_and_the_innermost_is_built_first() -> None:
    nested = host.default().build("strategies", "knockout of both-orders of voting,k=3")

    assert type(nested).__name__ == "Knockout"
    assert type(nested.inner).__name__ == "BothOrders"
    assert nested.inner.inner.k == 3


def test_a_strategy_that_takes_no_inner_one_says_so() -> None:
    with pytest.raises(SpecError, match="single takes no inner strategy"):
        host.default().build("strategies", "single of voting")


@pytest.mark.parametrize(
    "spec",
    [
        "knockout,bracket={path}",
        "knockout,bracket={path} of both-orders",
        "knockout,k=3,bracket={path} of both-orders of voting,k=3",
    ],
)
@pytest.mark.parametrize("folder", ["set of x", "a of b of c"])
def test_the_word_of_in_an_options_value_is_kept(
    tmp_path: Path, spec: str, folder: str
) -> None:
    path = tmp_path / folder / "b.json"
    path.parent.mkdir()
    path.write_text("[[0, 1]]")

    nested = host.default().build("strategies", spec.format(path=path))

    assert nested.bracket == str(path)
    assert type(nested.inner).__name__ == ("BothOrders" if "both" in spec else "Single")


def test_only_strategies_nest_so_a_path_may_hold_the_word_of() -> None:
    def named(path: Path) -> Path:
        return path

    built = Host(plugins=[judges(named=named)]).build("judges", "named,path=a of b")

    assert built == Path("a of b")


def test_a_partial_is_a_factory_too() -> None:
    def scaled(name: str, scale: float = 1.0) -> tuple[str, float]:
        return name, scale

    plugin = judges(mine=partial(scaled, "mine"))

    built = Host(plugins=[plugin]).build("judges", "mine,scale=2")

    assert built == ("mine", 2.0)


def test_a_plain_class_without_a_constructor_is_a_factory_too() -> None:
    class Plain(Judge):
        """A judge that is no dataclass."""

    built = Host(plugins=[judges(plain=Plain)]).build("judges", "plain")

    assert isinstance(built, Plain)


def test_what_is_already_built_is_handed_back() -> None:
    already = object()

    made = host.default().made("judges", already)

    assert made is already
