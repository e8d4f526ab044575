import numpy as np

from posezoo.data import counter_random

INDEX = np.arange(100_000)


def test_numbers_are_these_on_every_platform():
    values = counter_random.uniform(7, np.array([0, 1, -1, 2**40]), 2, "camera")
    expected = [
        [0.49281445154917813, 0.5622455553099674],
        [0.8818867366361687, 0.2541268261386639],
        [0.485224556813883, 0.6869105737814128],
        [0.6368592881952454, 0.2151434038742739],
    ]
    np.testing.assert_array_equal(values, expected)


def test_a_number_depends_on_its_own_index_alone():
    whole = counter_random.uniform(3, INDEX, 4, "place")
    some = np.array([99_999, 5, 5, 70_000])
    np.testing.assert_array_equal(counter_random.uniform(3, some, 4, "place"), whole[some])
    np.testing.assert_array_equal(counter_random.uniform(3, INDEX, 2, "place"), whole[:, :2])


def test_numbers_are_flat_from_0_to_1():
    values = counter_random.uniform(0, INDEX, 3, "camera")
    assert values.min() >= 0
    assert values.max() < 1
    for column in values.T:
        counts = np.histogram(column, 100, (0, 1))[0]
        chi2 = ((counts - 1000) ** 2 / 1000).sum()
        assert 50 < chi2 < 160  # 99 degrees of freedom


def test_streams_seeds_columns_and_neighbours_do_not_share_numbers():
    first = counter_random.uniform(0, INDEX, 2, "camera")
    others = [
        counter_random.uniform(0, INDEX, 1, "place"),
        counter_random.uniform(1, INDEX, 1, "camera"),
        counter_random.uniform(0, INDEX + 1, 1, "camera"),
        counter_random.uniform(0, INDEX + len(INDEX), 1, "camera"),
        first[:, 1:],
    ]
    for other in others:
        assert abs(np.corrcoef(first[:, 0], other[:, 0])[0, 1]) < 4 / np.sqrt(len(INDEX))


def test_a_generator_is_its_index_and_stream():
    first = counter_random.generator(0, 5, "noise").random(3)
    np.testing.assert_array_equal(first, counter_random.generator(0, 5, "noise").random(3))
    for other in [(0, 6, "noise"), (1, 5, "noise"), (0, 5, "colour")]:
        assert not np.isin(first, counter_random.generator(*other).random(3)).any()
