import pytest

from posezoo.training.schedule import Schedule


def schedule(kind, **changes):
    values = {"steps": 100, "decay": 0.1, "decay_steps": 50, "patience": 2, "warmup": 0.1}
    return Schedule(kind=kind, **{**values, **changes})


def test_constant_stays():
    assert {schedule("constant").factor(step) for step in (0, 50, 99)} == {1.0}


def test_exponential_falls_smoothly_by_its_decay_every_decay_steps():
    falling = schedule("exponential", decay=0.6)
    assert falling.factor(50) == pytest.approx(0.6)
    assert falling.factor(25) == pytest.approx(0.6**0.5)


def test_plateau_waits_for_its_patience_then_cuts_once():
    plateau = schedule("plateau")
    for error in (100, 90, 95, 91):
        plateau.observe(error)
    assert plateau.factor(0) == pytest.approx(0.1)
    plateau.observe(92)
    assert plateau.factor(0) == pytest.approx(0.1)


def test_plateau_goes_on_from_its_state():
    first, second = schedule("plateau"), schedule("plateau")
    for error in (100, 101):
        first.observe(error)
    second.restore(first.state())
    second.observe(102)
    assert second.factor(0) == pytest.approx(0.1)


def test_onecycle_rises_to_1_and_ends_near_0():
    cycle = schedule("onecycle")
    factors = [cycle.factor(step) for step in range(100)]
    assert factors[0] < 0.1 and factors[10] == 1.0 and max(factors) == 1.0
    assert factors[99] < 0.001
    assert factors[10:] == sorted(factors[10:], reverse=True)
