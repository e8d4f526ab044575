"""`posezoo new` writes packages that work before a line of them is changed."""

import shutil
import tomllib

import pytest
import torch

from posezoo import registry
from posezoo.scaffold.dataset import MyEntry as StickPeople
from posezoo.scaffold.detector import MyEntry as Silhouette
from posezoo.testing import run_checks

FILES = {
    "README.md",
    "acme_mine/__init__.py",
    "acme_mine/mine.py",
    "acme_mine/registry.toml",
    "pyproject.toml",
    "tests/test_mine.py",
}


def files_of(folder):
    return {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def new(tmp_path, invoke, install_plugin):
    """Write a package and lay it out as pip would."""

    def write(kind, name):
        folder = tmp_path / name
        result = invoke("new", kind, name, "--out", folder)
        assert result.exit_code == 0, result.output
        package = install_plugin(package=f"acme_{name}", stanzas=None)
        shutil.copytree(folder / f"acme_{name}", package, dirs_exist_ok=True)
        return f"acme/{name}"

    return write


@pytest.mark.parametrize("kind", registry.KINDS)
def test_a_new_entry_is_listed_and_passes_every_check(new, invoke, kind):
    key = new(kind, "mine")
    assert f"{kind} " in invoke("list", key).stdout
    outcomes = run_checks(key)
    assert {o.check: o.note for o in outcomes if o.result == "failed"} == {}
    assert sum(o.result == "passed" for o in outcomes) >= 11


def test_five_new_entries_make_a_pipeline_that_trains(new, invoke, tmp_path):
    for kind in registry.KINDS:
        if kind != "detector":  # it comes trained
            new(kind, f"my_{kind}")
    result = invoke(
        *("train", "acme/my_backbone:width=8-acme/my_head+acme/my_lifter", "--steps", 4),
        *("--strategy", "acme/my_strategy", "--data", "acme/my_dataset:items=24"),
        *("--batch-size", 4, "--set", "eval_samples=8", "--set", "normalisation_samples=32"),
        *("--image-size", 32, "--workers", 0, "--out", tmp_path / "run"),
    )
    assert result.exit_code == 0, result.output
    assert "MPJPE mm" in result.stdout


def test_the_detector_puts_its_person_where_the_picture_differs():
    picture = torch.full((60, 80, 3), 90, dtype=torch.uint8)
    picture[10:51, 20:31] = 255
    (person,) = Silhouette()(picture)
    assert person.box_px.tolist() == [20, 10, 10, 40]
    assert person.joints2d[10].tolist() == pytest.approx([25, 10.8])  # the head, in the middle
    assert Silhouette()(picture[:, 40:]) == []


def test_the_dataset_draws_each_dot_where_it_says_the_joint_is():
    for index in range(20):
        sample = StickPeople(split="val", image_size=64)[index]
        x, y = sample.joints2d[0, 16].round().long().tolist()  # drawn last, so on top
        assert sample.image[:, y, x].tolist() == [240, 15, 0]


@pytest.mark.parametrize(("split", "turns"), [("train", True), ("val", False)])
def test_the_dataset_shows_a_training_item_from_another_side_on_the_next_pass(split, turns):
    people = StickPeople(split=split, items=10)
    now, later = people[3].joints3d, people[3 + len(people)].joints3d
    assert torch.equal(now[..., 1], later[..., 1])  # heights stay in a turn about the vertical
    assert torch.equal(now, later) is not turns


def test_the_package_has_six_files_and_names_itself(tmp_path, invoke):
    result = invoke("new", "lifter", "mine", "--out", tmp_path / "p")
    assert files_of(tmp_path / "p") == FILES
    assert all(str(tmp_path / "p" / file) in result.stdout for file in FILES)
    project = tomllib.loads((tmp_path / "p" / "pyproject.toml").read_text())
    assert project["project"]["entry-points"] == {"posezoo.registry": {"acme": "acme_mine"}}
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["acme_mine"]
    assert '@conformance("acme/mine")' in (tmp_path / "p" / "tests" / "test_mine.py").read_text()


@pytest.mark.parametrize("kind", registry.KINDS)
def test_no_placeholder_is_left(tmp_path, invoke, kind):
    folder = tmp_path / "p"
    invoke("new", kind, "graph_lift2", "--package", "lab", "--out", folder)
    for file in [*folder.rglob("*.*")]:
        if file.is_file():
            text = str(file.relative_to(folder)) + file.read_text()
            assert not [word for word in ("acme", "my_", "my-", "MyEntry") if word in text], file
    assert "class GraphLift2" in (folder / "lab_graph_lift2" / "graph_lift2.py").read_text()


def test_a_name_that_holds_a_placeholder_is_written_once(tmp_path, invoke):
    invoke("new", "lifter", "acme", "--package", "my_entry", "--out", tmp_path / "p")
    assert (tmp_path / "p" / "my_entry_acme" / "acme.py").is_file()
    assert (
        'entry = "my_entry_acme.acme:Acme"'
        in (tmp_path / "p" / "my_entry_acme" / "registry.toml").read_text()
    )


@pytest.mark.parametrize("kind", registry.KINDS)
def test_the_lines_that_it_prints_can_be_typed(tmp_path, invoke, kind, new):
    key = new(kind, "mine")
    out = invoke("new", kind, "other", "--out", tmp_path / "has space").stdout
    assert f"pip install -e '{tmp_path}/has space'" in out
    words = out.rpartition("posezoo ")[2].splitlines()[0].replace("other", "mine").split()
    if words[0] == "train":
        registry.resolve_pipeline(words[1])
    assert key in " ".join(words)


@pytest.mark.parametrize("name", ["Mine", "my-lifter", "2d", "a/b", "", "class", "../x"])
@pytest.mark.parametrize("option", ["name", "package"])
def test_a_bad_name_is_refused_with_the_rule_and_nothing_is_written(tmp_path, invoke, name, option):
    words = [name, "mine"] if option == "package" else ["acme", name]
    result = invoke("new", "lifter", "--out", tmp_path / "p", "--package", words[0], "--", words[1])
    assert result.exit_code == 2
    assert f"error: name {name!r}: expected lower-case letters, digits and '_'" in result.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("name", ["martinez", "resnet50", "synthetic"])
def test_a_name_that_the_zoo_has_is_refused_whatever_its_kind(tmp_path, invoke, name):
    result = invoke("new", "lifter", name, "--out", tmp_path / "p")
    assert result.exit_code == 2
    assert f"'{name}' (posezoo) already; choose another name" in result.stderr
    assert not (tmp_path / "p").exists()


def test_an_existing_folder_is_refused_and_left_as_it_is(tmp_path, invoke):
    (tmp_path / "mine.txt").write_text("mine")
    result = invoke("new", "lifter", "mine", "--out", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path} exists; name another folder with --out" in result.stderr
    assert files_of(tmp_path) == {"mine.txt"}


def test_without_out_the_folder_is_named_after_plugin_and_entry(tmp_path, invoke, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = invoke("new", "dataset", "stick_people").stdout
    assert (tmp_path / "acme-stick-people" / "pyproject.toml").is_file()
    assert "pip install -e ./acme-stick-people\n" in out
