from pathlib import Path

import pytest

from posezoo.assembly import build_dataset
from posezoo.registry import parse_node
from posezoo.report.definition import read_report
from posezoo.report.explained import EXPERIMENTS

ROWS = read_report("cpu").rows
ERRORS = Path("errors.json")


@pytest.mark.parametrize("scale", ["smoke", "cpu", "gpu"])
def test_every_variant_of_every_row_can_be_planned(scale):
    report = read_report(scale)
    for row in report.rows:
        for variant in row.variants:
            settings = report.plan(row, variant, seed=1, errors=ERRORS, device="cpu")
            assert settings.seed == 1
            assert "{" not in f"{settings.pipeline}{settings.strategy}{settings.data}"


def test_the_rows_cover_what_the_source_report_varied():
    values = {row.key: list(row.variants) for row in ROWS}
    assert values["covariance"] == ["3200", "64", "12.8", "6.4"]
    assert values["kernel"] == ["3", "4", "6"]
    assert values["layout"][:4] == ["(4)", "(2,2)", "(4,2)", "(2,2,2)"]
    assert len(values["max-norm"]) == 2 + 1 + 4 * 2
    assert len(values["rate-lambda"]) == 9
    assert {"batch-norm", "block-b", "sub-pixel", "lifter-loss", "schedule", "optimiser"} <= {
        *values
    }
    assert {"direct", "scenario", "predicted-2d", "people", "augmentation", "heads"} <= {*values}


def test_two_variants_of_a_row_are_two_different_trainings():
    report = read_report("cpu")
    for row in report.rows:
        if row.key == "people":
            continue  # invented bodies are not resized: the page says that these are the same
        plans = {
            str(report.plan(row, variant, seed=0, errors=ERRORS, device="cpu"))
            for variant in row.variants
        }
        assert len(plans) == len(row.variants), row.key


def test_a_seed_changes_the_seed_alone():
    report, row = read_report("cpu"), ROWS[0]
    first, second = (
        str(report.plan(row, next(iter(row.variants)), seed=s, errors=ERRORS, device="cpu"))
        for s in (0, 1)
    )
    assert first.replace("seed=0", "seed=1") == second


def test_the_error_model_comes_from_people_that_its_detector_and_the_test_have_not():
    report = read_report("cpu")
    settings = report.detector_for_errors(device="cpu")
    people = {
        split: set(build_dataset(parse_node(settings.data).with_params(split=split)).subjects)
        for split in ("train", "val")
    }
    test = set(build_dataset(parse_node(report.data).with_params(split="val")).subjects)
    assert people["train"] and people["val"] and test
    assert not people["train"] & people["val"]
    assert not (people["train"] | people["val"]) & test


def test_few_people_are_four_and_the_test_people_stay_the_same():
    report = read_report("cpu")
    (row,) = (row for row in report.rows if row.key == "people")
    settings = report.plan(row, "4 people as they are", seed=0, errors=ERRORS, device="cpu")
    node = parse_node(settings.data)
    assert len(build_dataset(node.with_params(split="train")).subjects) == 4
    both = [
        build_dataset(n.with_params(split="val")).subjects for n in (node, parse_node(report.data))
    ]
    assert both[0] == both[1]


def test_every_measurement_that_a_row_names_exists():
    assert {row.measure for row in ROWS if row.measure} == set(EXPERIMENTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": "big"}, "unknown scale 'big'. Known: smoke, cpu, gpu"),
        (
            {"scale": "smoke", "only": ("maxnorm",)},
            "unknown row 'maxnorm'. Did you mean 'max-norm'",
        ),
        ({"scale": "smoke", "data": "synthetik"}, "synthetik"),
    ],
)
def test_what_does_not_exist_is_named(arguments, message):
    with pytest.raises(ValueError, match=message.replace("?", "\\?")):
        read_report(**arguments)


def test_the_backbone_that_others_start_from_has_not_seen_the_people_of_the_error_model():
    report = read_report("cpu")
    settings = report.starting_detector(device="cpu")
    people = {
        split: set(build_dataset(parse_node(settings.data).with_params(split=split)).subjects)
        for split in ("train", "val")
    }
    errors = parse_node(report.detector_for_errors(device="cpu").data).with_params(split="val")
    test = parse_node(report.data).with_params(split="val")
    assert people["train"]
    for others in (errors, test):
        assert not people["train"] & set(build_dataset(others).subjects)
    assert read_report("gpu").starting_detector(device="cpu") is None
