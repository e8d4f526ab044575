"""A file recognised, renamed, loaded with nothing left over, kept with its origin."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from posezoo.assembly import build_pipeline
from posezoo.inference.loading import load
from posezoo.weights import store
from posezoo.weights.families import MODULES, families
from posezoo.weights.importing import import_file, keep
from posezoo.weights.named import open_named


def silent(text):
    del text


def store_it(found, name, **options):
    return keep(found.pipeline, found.about, name, **options)


def imported(path, **options):
    return import_file(path, **({"warn": silent, "spec": "martinez"} | options))


@pytest.fixture
def file(tmp_path, perceptron):
    torch.save({"epoch": 3, "state_dict": perceptron()}, tmp_path / "ckpt_best.pth.tar")
    return tmp_path / "ckpt_best.pth.tar"


def by_hand(state, x):
    """The original's formulas in float64, written down again."""
    s = {name: value.double() for name, value in state.items()}

    def linear(name, x):
        return x @ s[f"{name}.weight"].T + s[f"{name}.bias"]

    def norm(name, x):
        scale = s[f"{name}.weight"] / (s[f"{name}.running_var"] + 1e-5).sqrt()
        return ((x - s[f"{name}.running_mean"]) * scale + s[f"{name}.bias"]).clamp_min(0)

    x = norm("batch_norm1", linear("w1", x))
    for k in range(sum(name.endswith("w1.weight") for name in s) - 1):
        y = norm(f"linear_stages.{k}.batch_norm1", linear(f"linear_stages.{k}.w1", x))
        x = x + norm(f"linear_stages.{k}.batch_norm2", linear(f"linear_stages.{k}.w2", y))
    return linear("w2", x)


@pytest.mark.parametrize(("width", "blocks"), [(4, 1), (6, 3)])
def test_the_imported_network_computes_what_the_original_s_formulas_say(
    tmp_path, perceptron, width, blocks
):
    state = perceptron(width=width, blocks=blocks)
    torch.save(state, tmp_path / "w.pth")
    found = imported(tmp_path / "w.pth")
    assert (
        str(found.pipeline.spec)
        == f"martinez:blocks={blocks},input=px,joints=published,width={width}"
    )
    x = torch.randn(5, 32, dtype=torch.float64)
    network = found.pipeline.double().lifter.network
    assert torch.allclose(network(x), by_hand(state, x), rtol=0, atol=1e-12)


def test_what_was_found_is_said(file):
    assert imported(file).notes[:3] == (
        "ckpt_best.pth.tar: 23 tensors under 'state_dict'; left alone: epoch",
        "family martinez (weigq/3d_pose_baseline_pytorch), "
        "pipeline martinez:blocks=1,input=px,joints=published,width=4",
        "23 matched, 0 missing, 0 unexpected",
    )


def test_half_precision_becomes_float32(tmp_path, perceptron):
    state = perceptron()
    save_file({n: t.half() if t.is_floating_point() else t for n, t in state.items()},
              tmp_path / "w.safetensors")  # fmt: skip
    weight = imported(tmp_path / "w.safetensors").pipeline.lifter.out.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, state["w2.weight"].half().float())


def test_counters_of_batch_norm_may_be_absent_as_old_files_have_it(tmp_path, perceptron):
    state = {n: t for n, t in perceptron().items() if not n.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "w.pth")
    assert imported(tmp_path / "w.pth").notes[2] == "20 matched, 0 missing, 0 unexpected"


def test_a_counter_that_numpy_made_an_array_of_is_still_a_counter(tmp_path, perceptron):
    state = perceptron()
    state["batch_norm1.num_batches_tracked"] = torch.tensor([4321])
    torch.save(state, tmp_path / "w.pth")
    assert imported(tmp_path / "w.pth").pipeline.lifter.stem[1].num_batches_tracked == 4321


def broken(state, kind):
    if kind == "a tensor missing":
        del state["linear_stages.0.w2.bias"]
    elif kind == "a tensor too many":
        state["extra.weight"] = torch.ones(1)
    elif kind == "another shape":
        state["linear_stages.0.w2.bias"] = torch.ones(5)
    elif kind == "not finite":
        state["w2.bias"][3] = float("nan")
    return state


WRONG = {
    "a tensor missing": r"1 missing \(lifter.blocks.0.1.0.bias\)",
    "a tensor too many": r"1 unexpected \(extra.weight\)",
    "another shape": r"1 wrong \('lifter.blocks.0.1.0.bias' is \(5,\), expected \(4,\)\)",
    "not finite": r"'lifter.out.bias' holds NaN or infinity",
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_that_does_not_fit_is_refused_in_one_line(tmp_path, perceptron, kind):
    torch.save(broken(perceptron(), kind), tmp_path / "w.pth")
    with pytest.raises(ValueError, match=WRONG[kind]) as refusal:
        imported(tmp_path / "w.pth")
    assert str(refusal.value).startswith(f"{tmp_path / 'w.pth'}: ")
    assert "\n" not in str(refusal.value)


def test_weights_that_give_no_numbers_are_refused(tmp_path, perceptron):
    state = perceptron()
    state["w2.weight"] = torch.full((48, 4), 3e38)  # numbers, but their sums are none
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="the network's joints3d are not finite"):
        imported(tmp_path / "w.pth")


def test_a_network_of_nobody_is_refused_with_the_families_that_are_known(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"its 2 tensors begin weight, bias.*--as NAME") as refusal:
        import_file(tmp_path / "w.pth", warn=silent)
    assert all(family.name in str(refusal.value) for family in families())


def test_a_classifier_is_sent_to_the_training(tmp_path):
    save_file({"conv1.weight": torch.ones(1), "fc.weight": torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="start a training from it: posezoo train"):
        import_file(tmp_path / "w.pth", warn=silent)


def test_our_own_weights_need_no_import(tmp_path):
    save_file(build_pipeline("martinez:blocks=1,width=4").state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="posezoo's own weights already"):
        import_file(tmp_path / "w.safetensors", warn=silent)


def test_the_user_s_word_is_not_enough_for_another_network(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"read as martinez: 'w1.weight' is missing"):
        imported(tmp_path / "w.pth")


def test_a_spec_that_is_given_is_built(file):
    spec = "martinez:blocks=1,dropout=0.25,input=px,joints=published,width=4"
    assert str(imported(file, spec=spec).pipeline.spec) == spec


def test_a_spec_of_another_entry_is_refused(file):
    with pytest.raises(ValueError, match="--as tcn: this file is of another network: martinez"):
        imported(file, spec="tcn")


def test_files_that_two_families_share_are_asked_about(file):
    """The perceptron of weigq's repository has the names and shapes of SemGCN's."""
    with pytest.raises(ValueError, match=r"--as martinez or --as semgcn"):
        import_file(file, warn=silent)
    assert import_file(file, warn=silent, take_first=True).others == ("semgcn",)
    config = {"class": "LinearModel", "input_size": 32}
    assert import_file(file, warn=silent, config=config).family.name == "semgcn"


def test_what_is_kept_loads_by_its_name_and_computes_the_same(file):
    found = imported(file)
    store_it(found, "pose-baseline")
    again = load("pose-baseline")
    assert str(again.spec) == str(found.pipeline.spec) and not again.training
    x = torch.randn(3, 32)
    assert torch.equal(again.lifter.network(x), found.pipeline.lifter.network(x))
    about = open_named("pose-baseline").about
    assert about["file"] == "ckpt_best.pth.tar"
    assert about["licence"] == "MIT" and "Human3.6M" in about["terms"]
    assert about["joint_set"] == "h36m17"
    with safe_open(store.stored_weights("pose-baseline").path, framework="pt") as opened:
        assert opened.metadata()["file_sha256"] == about["file_sha256"]


def test_a_flipped_byte_in_the_store_is_found(file):
    stored = store_it(imported(file), "mine")
    content = bytearray(stored.path.read_bytes())
    content[-1] ^= 1
    stored.path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged, its sha256"):
        load("mine")


def test_a_taken_name_is_kept_unless_it_is_to_be_replaced(file, tmp_path, perceptron):
    before = store_it(imported(file), "mine").sha256
    torch.save(perceptron(seed=1), tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"'mine' is taken .* add --replace"):
        store_it(imported(tmp_path / "other.pth"), "mine")
    assert store.stored_weights("mine").sha256 == before
    assert store_it(imported(tmp_path / "other.pth"), "mine", replace=True).sha256 != before
    with pytest.raises(ValueError, match="the index; take another"):
        store_it(imported(file), "blazepose", replace=True)


def test_a_folder_of_transformers_brings_its_config(tmp_path, perceptron):
    folder = tmp_path / "repository"
    folder.mkdir()
    save_file(perceptron(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"config": {"input_size": 32}}))
    assert import_file(folder, warn=silent).family.name == "semgcn"


@pytest.mark.parametrize("shapes", [{}, {"weight": (2, 2)}, {"w1.weight": ()}, {"x": (1,) * 5}])
def test_no_family_takes_what_it_does_not_know(shapes):
    assert not any(family.recognise(shapes, {}) for family in families())


def test_every_module_of_the_list_has_families_with_all_they_must_say():
    assert MODULES == tuple(sorted(MODULES))
    for family in families():
        assert family.licence and family.terms and family.input and family.output and family.scale
        assert family.project.count("/") == 1


def test_z_scores_whose_statistics_are_missing_are_no_mm_and_that_is_said(file):
    found = imported(file)
    assert found.notes[-1].startswith("NOT in px and mm: the file lacks the statistics")
    assert found.about["scale"] == "none: z-scores of statistics that the file does not hold"


def test_statistics_are_taken_from_the_data_that_is_named(file):
    """People are some 300 mm wide on average, where z-scores are 1."""
    found = imported(file, statistics="synthetic:items=64")
    std = found.pipeline.lifter.normalisation.output_std
    assert 100 < std.mean() < 600
    assert found.about["scale"].endswith("; taken from synthetic:items=64 instead")
    assert not any("NOT in px" in note for note in found.notes)


def test_statistics_for_who_needs_none_are_refused(file):
    with pytest.raises(ValueError, match="--statistics synthetic: semgcn needs none"):
        imported(file, spec="semgcn", statistics="synthetic")
