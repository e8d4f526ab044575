"""Everything that a plugin can do wrong has its own message, and docs/plugins.md shows it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from posezoo import registry
from posezoo.registry import PluginError, SpecError, catalog, find
from posezoo.registry.manifest import read_manifest
from posezoo.testing.run import checks_of, run_check, subject_of

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
STANZA = """\
[{kind}.graphlift]
entry = "acme_pose.lift:GraphLift"
summary = "A lifter from elsewhere."
licence = "MIT"
"""
LIFTER = STANZA.format(kind="lifter")
Install = Callable[..., Path]


def left_out() -> str:
    """The one problem that `posezoo list` warns of."""
    (problem,) = registry.problems()
    return str(problem)


def refusal(kind: str = "lifter", **arguments: object) -> str:
    """What building the plugin's entry ends in."""
    with pytest.raises(PluginError) as caught:
        find(kind, "acme/graphlift").build(**arguments)
    return str(caught.value)


def malformed(install: Install) -> str:
    install(stanzas=LIFTER.replace("MIT", "MIT\n"))
    return left_out()


def missing_field(install: Install) -> str:
    install(stanzas=LIFTER.replace("licence", "lisence"))
    return left_out()


def no_manifest(install: Install) -> str:
    install(stanzas=None)
    return left_out()


def two_plugins_clash(install: Install) -> str:
    install()
    install(package="acme_other")
    return left_out()


def clash_with_a_built_in(install: Install) -> str:
    install()
    with pytest.raises(PluginError) as caught:
        registry.register("lifter", "martinez", summary="Mine.", licence="MIT")(
            type("Mine", (), {})
        )
    return str(caught.value)


def no_such_module(install: Install) -> str:
    install(stanzas=LIFTER.replace("acme_pose.lift", "acme_pose.lifters"))
    return refusal()


def no_such_class(install: Install) -> str:
    install(stanzas=LIFTER.replace("GraphLift", "GraphLifter"))
    return refusal()


def raises_at_import(install: Install) -> str:
    install(code="raise RuntimeError('no licence file found')\n")
    return refusal()


def missing_dependency(install: Install) -> str:
    install(code="import no_such_graphs\n")
    return refusal()


def missing_dependency_that_it_names(install: Install) -> str:
    install(
        stanzas=LIFTER + 'requires = ["no-such-graphs>=2"]\n',
        code="def GraphLift(*, skeleton: object): import no_such_graphs\n",
    )
    return refusal(skeleton=None)


def wrong_kind(install: Install) -> str:
    install(
        stanzas=STANZA.format(kind="head"),
        code="def GraphLift(*, skeleton: object, width: int = 8): ...\n",
    )
    return refusal("head", features=(), num_joints=17)


def loose_signature(install: Install) -> str:
    install(code="def GraphLift(**options: int): ...\n")
    return refusal()


def false_facts(install: Install) -> str:
    install(
        stanzas=LIFTER + "frames = 9\n",
        code="from posezoo.scaffold.lifter import MyEntry as GraphLift\n",
    )
    (check,) = (c for c in checks_of("lifter") if c.name == "manifest facts equal code facts")
    outcome = run_check(subject_of("acme/graphlift"), check)
    assert outcome.result == "failed"
    return f"{outcome.check}: {outcome.note}"


def short_name_of_two(install: Install) -> str:
    install()
    install("other", package="acme_other")
    with pytest.raises(SpecError) as caught:
        find("lifter", "graphlift")
    return str(caught.value)


FAULTS = {
    "The TOML is malformed": malformed,
    "A field is missing or misspelt": missing_field,
    "The package ships no manifest": no_manifest,
    "Two plugins claim one key": two_plugins_clash,
    "A script claims a built-in's key": clash_with_a_built_in,
    "A short name that two plugins have": short_name_of_two,
    "The module does not exist": no_such_module,
    "The class does not exist": no_such_class,
    "The module raises when it is imported": raises_at_import,
    "Something that it imports is not installed": missing_dependency,
    "The same, where the manifest says what to install": missing_dependency_that_it_names,
    "The stanza is in another kind's table": wrong_kind,
    "Arguments that cannot be checked": loose_signature,
    "The manifest states what is not so (`posezoo check`)": false_facts,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_the_message_that_the_page_shows(
    fault: str, install_plugin: Install, tmp_path: Path
) -> None:
    message = FAULTS[fault](install_plugin).replace(f"{tmp_path}/site_acme_acme_pose", "...")
    # The fixture's distributions are called after their package and their prefix.
    message = re.sub(r"\b(acme-pose|acme-other)-(acme|other)\b", r"\1", message)
    message = message.replace(str(Path(__file__)), "my_lifter.py")
    shown = f"{fault}:\n\n```\n{message}\n```\n"
    assert shown in PAGE, f"docs/plugins.md should show:\n{shown}"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_leaves_the_rest_of_the_zoo_as_it_was(fault: str, install_plugin: Install) -> None:
    before = [entry.key for entry in registry.entries()]
    FAULTS[fault](install_plugin)
    assert set(before) <= {entry.key for entry in registry.entries()}
    assert find("lifter", "martinez").load().__name__ == "Martinez"


def test_a_constructor_that_raises_its_own_error_is_not_taken_for_a_missing_package(
    install_plugin: Install,
) -> None:
    install_plugin(code="def GraphLift(*, skeleton: object): raise ValueError('width=0')\n")
    with pytest.raises(ValueError, match=r"^width=0$"):
        find("lifter", "acme/graphlift").build(skeleton=None)


@pytest.mark.parametrize("kind", ["backbone", "lifter", "strategy", "dataset"])
def test_a_head_in_another_kind_s_table_is_recognised(install_plugin: Install, kind: str) -> None:
    install_plugin(
        stanzas=STANZA.format(kind=kind),
        code="def GraphLift(*, features: tuple, num_joints: int): ...\n",
    )
    with pytest.raises(PluginError, match="it looks like a head"):
        registry.resolve(kind, "acme/graphlift")


def test_a_backbone_in_the_lifters_table_is_refused_when_it_is_given_a_skeleton(
    install_plugin: Install,
) -> None:
    install_plugin(code="def GraphLift(*, width: int = 8): ...\n")
    with pytest.raises(PluginError, match=r"takes \(width\), expected \(skeleton, \.\.\.\)"):
        find("lifter", "graphlift").build(skeleton=None)


def test_requires_is_a_list_of_strings_and_reaches_the_entry(tmp_path: Path) -> None:
    manifest = tmp_path / "registry.toml"
    manifest.write_text(f'schema = "posezoo.registry/1"\n{LIFTER}requires = ["timm", "einops"]\n')
    (entry,) = read_manifest(manifest, origin="x")
    assert entry.requires == ("timm", "einops")
    manifest.write_text(f'schema = "posezoo.registry/1"\n{LIFTER}requires = "timm"\n')
    with pytest.raises(registry.ManifestError, match="requires: expected a list of strings, got"):
        read_manifest(manifest, origin="x")


def test_a_thousand_entries_are_read_once_and_nothing_of_theirs_is_imported(
    install_plugin: Install,
) -> None:
    stanza = (
        '[lifter.k{}]\nentry = "acme_pose.lift:K{}"\nsummary = "One of many."\nlicence = "MIT"\n'
    )
    folder = install_plugin(stanzas="".join(stanza.format(i, i) for i in range(1000)))
    program = (
        "import builtins, sys, tomllib\n"
        "reads = []\n"
        "loads = tomllib.loads\n"
        "tomllib.loads = lambda text: reads.append(len(text)) or loads(text)\n"
        "from posezoo import registry\n"
        "assert len(registry.entries('lifter', 'acme/*')) == 1000\n"
        "registry.entries(), registry.problems(), registry.find('lifter', 'acme/k999')\n"
        "assert len(reads) == 2, reads\n"  # the zoo's manifest and the plugin's
        "heavy = {'torch', 'numpy', 'rich', 'acme_pose'} & {*sys.modules}\n"
        "assert not heavy, heavy\n"
    )
    environment = {"PYTHONPATH": f"{Path(catalog.__file__).parents[2]}:{folder.parent}"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
