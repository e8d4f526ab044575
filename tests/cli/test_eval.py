import json

from posezoo.cli.console import warn_of_not_finite

KEYS = {
    "mpjpe_mm",
    "pa_mpjpe_mm",
    "n_mpjpe_mm",
    "error_2d_px",
    "mean_pose_mpjpe_mm",
    "samples",
    "protocol",
}


def test_json_has_the_keys_that_scripts_rely_on(lifter_run, invoke):
    result = invoke("eval", lifter_run, "--json")
    found = json.loads(result.output)
    assert found.keys() >= KEYS
    assert found["protocol"]["key"] == "poses"
    assert len(found["protocol"]["hash"]) == 10


def test_the_number_is_that_of_the_end_of_training_to_the_last_digit(lifter_run, invoke):
    found = json.loads(invoke("eval", lifter_run, "--json").output)
    assert found == json.loads((lifter_run / "eval.json").read_text())


def test_other_data_and_protocols_can_be_asked_for(lifter_run, invoke):
    every = ("eval", lifter_run, "--data", "synthetic:split=all,items=30", "--json")
    poses = json.loads(invoke(*every).output)
    actions = json.loads(invoke(*every, "--protocol", "actions").output)
    assert poses["samples"] == actions["samples"] == 30
    means = [errors["mpjpe_mm"] for errors in poses["per_action"].values()]
    assert abs(actions["mpjpe_mm"] - sum(means) / len(means)) < 1e-9
    assert poses["protocol"]["hash"] != actions["protocol"]["hash"]


def test_the_table_names_every_joint_and_the_protocol(lifter_run, invoke):
    output = invoke("eval", lifter_run, "--detail").output
    assert "joint left_wrist" in output
    assert "protocol poses (" in output


def test_without_detail_the_table_fits_a_screen(lifter_run, invoke):
    output = invoke("eval", lifter_run).output
    assert "joint left_wrist" not in output and "\nall " in output
    assert output.count("\n") <= 24


def test_mistakes_are_one_clear_line(lifter_run, tmp_path, invoke):
    for args, expected in (
        ([tmp_path / "nothing"], "no run here"),
        ([lifter_run, "--protocol", "pose"], "Did you mean 'poses'"),
        ([lifter_run, "--data", "synthetc"], "Did you mean 'synthetic'"),
    ):
        result = invoke("eval", *args)
        assert result.exit_code == 2
        assert expected in result.output


def test_a_flipped_byte_in_the_weights_is_refused(lifter_run, tmp_path, invoke):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(lifter_run, copy)
    weights = copy / "best" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 16
    weights.write_bytes(content)
    result = invoke("eval", copy)
    assert result.exit_code == 2
    assert "damaged" in result.output


def test_people_that_the_run_was_trained_on_are_named(lifter_run, invoke, tmp_path):
    own = json.loads(invoke("eval", lifter_run, "--json").output)
    assert own["seen_people"] == []
    assert "TRAINED ON" not in invoke("eval", lifter_run).output
    everybody = ("eval", lifter_run, "--data", "synthetic:split=all,items=60")
    seen = json.loads(invoke(*everybody, "--json").output)
    assert seen["seen_people"]
    assert not {*own["per_subject"]} & {*seen["seen_people"]}
    share = f"TRAINED ON {len(seen['seen_people'])} of these {len(seen['per_subject'])} people ("
    assert share in invoke(*everybody).output
    (tmp_path / "seen.json").write_text(json.dumps(seen))
    answer = invoke("compare", tmp_path / "seen.json", tmp_path / "seen.json")
    assert answer.exit_code == 1 and "was trained on" in answer.output


def test_words_that_matter_in_training_only_do_not_change_what_is_evaluated(lifter_run, invoke):
    def evaluated(data):
        return json.loads(invoke("eval", lifter_run, "--data", data, "--json").output)["items"]

    plain = evaluated("synthetic:items=24")
    assert evaluated("synthetic:items=24,split=val") == plain
    assert evaluated("synthetic:items=23") != plain
    assert evaluated("synthetic:items=24,split=train") != plain


def test_motion_is_the_same_data_in_other_training_words(lifter_run, invoke, make_mocap, tmp_path):
    """balance, mirror and scale make training items; those evaluated are the same."""
    plain = f"mocap:path={make_mocap(tmp_path / 'walk_poses17.h5')}"
    files = []
    for number, words in enumerate(("", ",balance=0.5,mirror=true,scale=0.1")):
        files.append(tmp_path / f"{number}.json")
        found = invoke("eval", lifter_run, "--data", plain + words, "--json")
        assert found.exit_code == 0, found.output
        files[-1].write_text(found.output)
    one, two = (json.loads(file.read_text()) for file in files)
    assert one["data"] != two["data"] and one["items"] == two["items"]
    answer = invoke("compare", *files)
    assert answer.exit_code == 0 and "not significant" in answer.output


def test_poses_that_are_not_finite_are_counted_and_named(capsys):
    warn_of_not_finite((), 9)
    assert capsys.readouterr().out == ""
    warn_of_not_finite([f"sequence 'S9/walk', frame {k}" for k in range(7)], 3456)
    assert capsys.readouterr().out == (
        "NOT FINITE, and in no mean: 7 of 3456 poses: sequence 'S9/walk', frame 0; "
        "sequence 'S9/walk', frame 1; sequence 'S9/walk', frame 2; sequence 'S9/walk', frame 3; "
        "sequence 'S9/walk', frame 4; ...\n"
    )
