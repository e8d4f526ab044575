import pytest

from posezoo.report.definition import Row
from posezoo.report.verdict import judge, spread


def row(**judge):
    return Row(key="k", section="3", claim="c", base="b", variants={"a": {}, "b": {}}, **judge)


CLEAR = {"a": [10.0, 10.2, 9.8], "b": [12.0, 12.2, 11.8]}  # 2 apart, spread 0.2
CLOSE = {"a": [10.0, 11.0, 9.0], "b": [10.5, 11.5, 9.5]}  # 0.5 apart, spread 1


@pytest.mark.parametrize(
    ("claim", "errors", "answer"),
    [
        ({"better": (("a", "b"),)}, CLEAR, "agrees"),
        ({"better": (("b", "a"),)}, CLEAR, "disagrees"),
        ({"better": (("a", "b"),)}, CLOSE, "not significant"),
        ({"better": (("b", "a"),)}, CLOSE, "not significant"),
        ({"no_better": (("a", "b"),)}, CLEAR, "disagrees"),
        ({"no_better": (("b", "a"),)}, CLEAR, "agrees"),
        ({"no_better": (("a", "b"),)}, CLOSE, "agrees"),
        ({}, CLEAR, "nothing claimed"),
        ({"better": (("a", "b"),)}, {"a": [10.0], "b": [12.0]}, "not judged"),
        ({"better": (("a", "b"),)}, {"a": [10.0, 11.0], "b": []}, "not judged"),
    ],
)
def test_a_claim_holds_where_the_means_are_two_standard_errors_apart(claim, errors, answer):
    assert judge(row(**claim), errors).answer == answer


def test_one_pair_that_is_contradicted_contradicts_the_claim():
    both = row(better=(("a", "b"), ("b", "a")))
    assert judge(both, CLEAR).answer == "disagrees"


def test_what_was_found_is_told_with_its_direction():
    assert judge(row(better=(("a", "b"),)), CLEAR).reason == "a: 2.00 better than b"
    assert (
        judge(row(better=(("b", "a"),)), CLOSE).reason == "b: 0.50 worse than a (within the spread)"
    )


def test_the_spread_of_pairs_of_seeds_is_that_of_the_numbers_they_come_from():
    # Two numbers d apart have the deviation d / sqrt(2); 0.674 of the true one in the median.
    assert spread({"a": [1.0, 2.0], "b": [5.0, 6.0]}) == pytest.approx(0.7071 / 0.674, abs=1e-3)
    assert spread({"a": [1.0]}) is None


def test_one_variant_that_fails_altogether_does_not_blur_the_others():
    wild = {"a": [10.0, 10.2, 9.8], "b": [12.0, 12.2, 11.8], "c": [10.0, 300.0, 20.0]}
    assert spread(wild) == spread(CLEAR)
