"""`posezoo info`."""

import json

import pytest
from click.testing import CliRunner, Result

from posezoo import registry
from posezoo.cli import main
from posezoo.cli.card import how_to_predict
from posezoo.cli.predict import predict
from posezoo.cli.results import read_results
from posezoo.cli.train import train


def invoke(*args: str) -> Result:
    return CliRunner().invoke(main, ["info", *args])


def card(key: str) -> dict:
    result = invoke(key, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_card_of_a_lifter_has_its_paper_shapes_parameters_and_size() -> None:
    lifter = card("martinez")
    assert lifter["paper"] == "arXiv:1705.03098"
    assert lifter["output"] == "(B, T, J, 3) mm, camera frame, root-relative"
    assert lifter["frames"] == 1
    assert lifter["limits"].startswith("knows the cameras")
    assert lifter["weights_licence"].startswith("none are shipped")
    width, *_ = lifter["parameters"]
    assert width == {
        "name": "width",
        "type": "int, 1 to 16384",
        "choices": None,
        "default": "1024",
        "value": None,
    }
    # 34 in, 51 out, four inner layers of 1024 x 1024, biases, and scale and shift of 5 batch norms.
    layers = 34 * 1024 + 1024 + 4 * (1024 * 1024 + 1024) + 1024 * 51 + 51
    assert lifter["weights"] == layers + 5 * 2 * 1024 == 4_296_755


def test_a_multiply_add_is_two_operations() -> None:
    lifter = card("martinez")
    turn = 17 * 3 * 3  # into the camera's frame, here by nothing
    assert lifter["flops"] == 2 * (34 * 1024 + 4 * 1024 * 1024 + 1024 * 51 + turn)
    assert "8.56 M (one pose, 1 frame(s) seen)" in invoke("martinez").stdout


def test_confidence_is_seventeen_more_inputs_of_the_first_layer() -> None:
    gain = card("martinez:confidence=true")["flops"] - card("martinez")["flops"]
    assert gain == 2 * 17 * 1024


def test_a_pipeline_s_operations_are_those_of_its_parts() -> None:
    whole = card("resnet18-hm+martinez:width=64")
    assert whole["flops"] == sum(part["flops"] for part in whole["parts"])
    assert whole["flops_of"] == "one picture of 256 x 256 px"
    # The stem alone: 64 filters of 7 x 7 x 3 at 128 x 128 places.
    assert whole["parts"][0]["flops"] > 2 * 64 * 147 * 128 * 128


def test_operations_that_cannot_be_counted_are_left_out(clean_registry, tmp_path) -> None:
    file = tmp_path / "looks.py"
    file.write_text(LOOKS)
    result = invoke("--plugin", str(file), "looks", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["weights"] == 4_296_755
    assert "flops" not in found
    assert found["flops_missing"].startswith("not counted: the lifter says Tensor.item()")


LOOKS = '''
import posezoo
from posezoo.lifters.martinez import Martinez

@posezoo.register("lifter", "looks", summary="Looks at its numbers.", licence="MIT")
class Looks(Martinez):
    """Cannot run without numbers."""

    def forward(self, joints2d, camera):
        return super().forward(joints2d * joints2d.sum().item(), camera)
'''


def test_measured_results_are_shown_with_protocol_and_commit(monkeypatch, tmp_path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"results": [ROW]}))
    monkeypatch.setattr("posezoo.cli.card.read_results", lambda: read_results(file))
    for key in ("martinez", "resnet18-hm+martinez"):
        lines = invoke(key).stdout.splitlines()
        shown = lines[lines.index("results") + 1]
        assert shown.split() == [
            *("resnet18-hm+martinez", "61.2", "mm", "MPJPE", "synthetic", "300", "steps"),
            *("poses", "abc1234"),
        ]
    assert "results" not in card("tcn")


def test_a_result_without_its_commit_is_refused(tmp_path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"results": [ROW | {"commit": None}]}))
    with pytest.raises(ValueError, match=r"results.json: result 1 lacks commit"):
        read_results(file)


def test_the_zoo_s_own_results_say_how_they_were_measured() -> None:
    assert "martinez" in {row["entry"] for row in read_results()}


ROW = {
    "entry": "resnet18-hm+martinez",
    "value": 61.2,
    "unit": "mm",
    "metric": "MPJPE",
    "data": "synthetic",
    "steps": 300,
    "protocol": "poses",
    "commit": "abc1234",
}


def test_parameters_change_the_size() -> None:
    narrow = card("martinez:width=2,blocks=1")
    assert narrow["weights"] == (34 * 2 + 2) + 2 * (2 * 2 + 2) + (2 * 51 + 51) + 3 * 2 * 2
    assert [p["value"] for p in narrow["parameters"][:2]] == ["2", "1"]


def test_choices_are_listed() -> None:
    (cut,) = (p for p in card("resnet18")["parameters"] if p["name"] == "cut")
    assert cut["choices"] == ["layer1", "layer2", "layer3", "layer4"]


def test_a_pipeline_is_the_sum_of_its_parts() -> None:
    whole = card("resnet18-hm+martinez:width=64")
    assert whole["pipeline"] == "resnet18-hm+martinez:width=64"
    assert [part["key"] for part in whole["parts"]] == ["resnet18", "hm", "martinez"]
    assert whole["weights"] == sum(part["weights"] for part in whole["parts"])
    assert whole["parts"][0]["weights"] == card("resnet18")["weights"]


def test_a_head_alone_is_counted_in_its_example() -> None:
    head = card("hm")
    in_example = card(head["example"])["parts"][1]
    assert head["weights"] == in_example["weights"]


@pytest.mark.parametrize(
    "entry", [e for e in registry.entries() if e.origin == "posezoo"], ids=lambda e: e.key
)
def test_every_entry_has_a_card(entry: registry.Entry) -> None:
    result = invoke(entry.key)
    assert result.exit_code == 0, result.output
    assert entry.summary in result.stdout
    assert entry.licence in result.stdout


def test_a_required_parameter_is_marked_and_an_empty_default_too() -> None:
    rows = [line.split() for line in invoke("mocap").stdout.splitlines()]
    assert ["path", "(required)", "text"] in rows
    assert ["cameras", "(empty)", "text"] in rows


@pytest.mark.parametrize(
    "key", ["martinez:widht=2", "mocap:stride=x", "resnet18-hm+martinez:a=1", "resnet18.x-hm"]
)
def test_a_wrong_parameter_is_refused(key: str) -> None:
    result = invoke(key)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_a_plugin_that_cannot_be_imported_is_named(install_plugin) -> None:
    install_plugin(code="import no_such_module_at_all")
    result = invoke("graphlift")
    assert result.exit_code == 2
    expected = "lifter 'acme/graphlift' (acme-pose-acme 1.2) needs 'no_such_module_at_all'"
    assert expected in result.stderr


@pytest.mark.parametrize("entry", registry.entries(), ids=lambda entry: entry.key)
def test_every_card_says_how_to_predict_with_it(entry) -> None:
    """What it says is a command that the registry and the command line understand."""
    text = how_to_predict(entry)
    for command in text.split(", then "):
        program, name, *words = command.split()
        assert program == "posezoo"
        parser = {"predict": predict, "train": train}[name]
        given = parser.make_context(name, words).params
        assert entry.key in text
        for spec in filter(None, [given["pipeline"]]):
            if not spec.startswith("runs/") and "TAG" not in spec:
                registry.parse_pipeline(spec)
