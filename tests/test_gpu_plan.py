"""What is prepared for a GPU fits into its time, and its goals are judged by the right figures."""

from dataclasses import asdict

from benchmarks import gpu_goals, gpu_plan
from benchmarks.rows import Row


def row(implementation, best_ms, *, shape=(64, 17, 64, 64), mode="both", **more):
    return asdict(
        Row(
            group="kernels", operation="soft_argmax", implementation=implementation, shape=shape,
            dtype="float32", mode=mode, best_ms=best_ms, **more,
        )
    )  # fmt: skip


def judged(*rows):
    found = {goal: (figure, met) for goal, figure, met in gpu_goals.goals(list(rows)) if figure}
    return {goal.partition(": ")[2]: answer for goal, answer in found.items()}


def test_the_plan_fits_into_15_minutes_and_begins_with_the_kernels():
    assert sum(step.seconds for step in gpu_plan.STEPS) <= 15 * 60
    assert gpu_plan.STEPS[0].name == "kernels"


def test_a_kernel_must_be_four_times_as_fast_as_eager_and_no_slower_than_torch_compile():
    fast = judged(row("posezoo triton", 1.0), row("posezoo torch", 4.0), row("torch.compile", 1.0))
    assert fast == {
        "4 x eager": ("4.0 x", True),
        "no slower than torch.compile": ("1.00 of it", True),
    }
    slow = judged(row("posezoo triton", 1.1), row("posezoo torch", 4.0), row("torch.compile", 1.0))
    assert [met for _, met in slow.values()] == [False, False]


def test_a_large_map_is_judged_by_the_bandwidth_of_a_copy():
    large = {"shape": (256, 17, 128, 128), "mode": "forward"}
    for percent, met in ((85.0, True), (84.0, False)):
        (answer,) = judged(row("posezoo triton", 1.0, copy_percent=percent, **large)).values()
        assert answer == (f"{percent:.0f} %", met)


def test_a_volume_takes_a_third_of_the_textbook_s_memory():
    volume = {"shape": (32, 17, 64, 64, 64)}
    rows = [row("posezoo triton", 1.0, peak_mb=300.0, **volume)]
    rows += [row("textbook", 9.0, peak_mb=900.0, **volume)]
    assert judged(*rows) == {"a third of the textbook's memory": ("0.33", True)}


def test_what_was_not_measured_is_no_goal_met():
    answers = list(gpu_goals.goals([]))
    assert len(answers) == 3 and not any(figure or met for _, figure, met in answers)
