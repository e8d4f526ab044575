"""Installed plugins: found without being imported, and broken ones break only themselves."""

import sys
import time

import pytest

from posezoo import registry
from posezoo.registry import PluginError, find


def test_a_plugin_is_listed_without_being_imported(install_plugin) -> None:
    install_plugin(package="other_pose", prefix="other")  # its __init__ raises
    (entry,) = registry.entries(match="other/*")
    assert (entry.kind, entry.summary) == ("lifter", "A lifter from elsewhere.")
    assert "other_pose" not in sys.modules
    assert registry.problems() == []


def test_a_plugin_is_built_like_a_built_in(install_plugin) -> None:
    install_plugin(code="def GraphLift(*, skeleton: str, width: int = 8): return skeleton, width\n")
    choice = registry.resolve_pipeline("graphlift:width=16")["lifter"]
    assert choice.build(skeleton="h36m17") == ("h36m17", 16)


def test_a_package_inside_a_package_is_found_without_importing_its_parent(install_plugin) -> None:
    install_plugin("other", package="other_org.pose.zoo")
    assert [entry.key for entry in registry.entries(match="other/*")] == ["other/graphlift"]
    assert not any(name.startswith("other_org") for name in sys.modules)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"stanzas": "[lifter.graphlift"}, "registry.toml:2:"),
        ({"stanzas": "[lifter.graphlift]\n"}, "missing: entry, summary, licence"),
        ({"schema": ""}, "expected schema"),
        ({"stanzas": None}, "'acme_pose' is no package that ships a registry.toml"),
        ({"value": "no_such_package_at_all"}, "'no_such_package_at_all' is not installed"),
        ({"value": "acme_pose.nothing"}, "'acme_pose.nothing' is no package"),
        ({"value": "acme_pose.lift"}, "'acme_pose.lift' is no package"),
        ({"value": "acme_pose:zoo"}, "expected the name of a package"),
        ({"value": "json.decoder"}, "'json.decoder' is no package"),
        ({"prefix": "Acme"}, "'Acme' cannot be a plugin's name"),
    ],
)
def test_a_broken_plugin_is_reported_by_name_and_the_rest_is_listed(
    install_plugin, options: dict, reason: str
) -> None:
    install_plugin(**options)
    (problem,) = registry.problems()
    assert problem.origin == f"acme-pose-{options.get('prefix', 'acme')} 1.2"
    assert reason in problem.reason
    assert [entry.key for entry in registry.entries(match="resnet5*")] == ["resnet50"]


@pytest.mark.parametrize(
    "code", ["raise RuntimeError('no GPU')", "import no_such_module_at_all", "raise SystemExit"]
)
def test_a_plugin_that_fails_at_import_is_listed_and_fails_when_it_is_used(
    install_plugin, code: str
) -> None:
    install_plugin(code=code)
    entry = find("lifter", "graphlift")
    with pytest.raises(PluginError) as caught:
        entry.load()
    assert "(acme-pose-acme 1.2)" in str(caught.value)


def test_a_thousand_entries_of_a_plugin_are_listed_in_half_a_second(install_plugin) -> None:
    stanza = '[lifter.k{}]\nentry = "a:B"\nsummary = "s"\nlicence = "MIT"\n'
    install_plugin(stanzas="".join(stanza.format(i) for i in range(1000)))
    started = time.process_time()
    assert len(registry.entries("lifter", match="acme/*")) == 1000
    assert time.process_time() - started < 0.5


def broken(site, kind: str) -> None:
    """What pip never writes, in place of an entry_points.txt that names the group."""
    (info,) = site.parent.glob("*.dist-info")
    file = info / "entry_points.txt"
    if kind == "folder":
        file.unlink()
        file.mkdir()
    elif kind == "metadata":
        (info / "METADATA").write_bytes(b"Name: \xff\xfe\n")
    else:
        file.write_bytes({
            "no equals sign": b"[posezoo.registry]\nacme\n",
            "not utf-8": b"[posezoo.registry]\nacme = \xff\n",
            "no section": b"acme = posezoo.registry\n",
            "control characters": b"[posezoo.registry]\n\x1b[2J = \x1b\n",
        }[kind])  # fmt: skip


@pytest.mark.parametrize("kind", ["no equals sign", "not utf-8", "control characters", "metadata"])
def test_a_damaged_distribution_is_left_out_with_one_line(install_plugin, kind: str) -> None:
    broken(install_plugin(), kind)
    registry.refresh()
    assert "resnet50" in [entry.key for entry in registry.entries()]
    (problem,) = registry.problems()
    assert str(problem).isprintable() and len(str(problem)) < 300


@pytest.mark.parametrize("kind", ["folder", "no section"])
def test_what_names_no_plugin_is_passed_over(install_plugin, kind: str) -> None:
    broken(install_plugin(), kind)
    registry.refresh()
    assert "resnet50" in [entry.key for entry in registry.entries()]
    assert registry.problems() == []


def test_an_error_of_a_type_of_its_own_is_one_line(install_plugin) -> None:
    install_plugin(code="class Odd(Exception): ...\nraise Odd('a\\x1b[2J\\nb')\n")
    with pytest.raises(PluginError, match=r"cannot be imported .*: Odd: a\\x1b\[2J\\nb$"):
        find("lifter", "graphlift").load()


@pytest.mark.parametrize(
    "stanzas",
    [
        "".join(f"[lifter.a{k}]\nfield{k} = 1\n" for k in range(18_000)),
        "[lifter.graphlift]\n" + "".join(f"field{k} = 1\n" for k in range(30_000)),
        "".join(f"[kind{k}.a]\n" for k in range(40_000)),
    ],
)
def test_a_huge_manifest_of_nonsense_costs_no_second(install_plugin, stanzas: str) -> None:
    install_plugin(stanzas=stanzas)
    start = time.process_time()
    (problem,) = registry.problems()
    assert time.process_time() - start < 1.5
    assert len(str(problem)) < 2000
