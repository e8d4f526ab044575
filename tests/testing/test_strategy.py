"""A small strategy that keeps its contract, and violations of it, each caught by its own check."""

import torch

from posezoo.contracts import Stage


class Strategy:
    """First the head, then the lifter on its joints."""

    shares = (0.6, 0.4)

    def __init__(self) -> None:
        self.settings = {}

    def stages(self, pipeline):
        pipeline.require("backbone", "head", "lifter")
        first, second = self.shares
        return (
            Stage(name="see", trains=("backbone", "head"), losses=self.see, share=first),
            Stage(name="lift", trains=("lifter",), losses=self.lift, share=second),
        )

    def see(self, pipeline, batch, progress):
        return {"2d": pipeline.head.loss(pipeline.heatmaps(batch.image), batch)}

    def lift(self, pipeline, batch, progress):
        joints2d, _ = pipeline.head.decode(pipeline.heatmaps(batch.image))
        return {"3d": pipeline.lift_loss(joints2d[:, None], batch)}


def test_a_strategy_that_keeps_its_contract_fails_nothing(outcomes):
    found = outcomes("strategy", Strategy)
    assert {o.check: o.note for o in found if o.result == "failed"} == {}
    notes = {o.check: o.note for o in found}
    assert notes["shares sum to one"] == "0.6 see + 0.4 lift"
    assert notes["frozen parts stay as they are"] == "lifter, backbone, head"


def test_shares_that_leave_steps_over(only_failure):
    class Lazy(Strategy):
        """Forgets a fifth of the steps."""

        shares = (0.4, 0.4)

    message = only_failure("strategy", Lazy, of="shares sum to one")
    assert message.startswith("found shares [0.4, 0.4] for resnet18")
    assert "sum 0.8; expected shares above 0 whose sum is 1" in message


def test_a_frozen_part_that_is_thawed(only_failure):
    class Thaws(Strategy):
        """Sets requires_grad by itself."""

        def see(self, pipeline, batch, progress):
            pipeline.lifter.requires_grad_(True)
            return super().see(pipeline, batch, progress) | self.lift(pipeline, batch, progress)

    message = only_failure("strategy", Thaws, of="frozen parts stay as they are")
    assert "found a gradient at the lifter in stage 'see'" in message
    assert "leave its requires_grad and mode alone" in message


def test_statistics_taken_in_a_frozen_part(only_failure):
    class TakesStatistics(Strategy):
        """Runs the frozen network in training mode."""

        def lift(self, pipeline, batch, progress):
            pipeline.backbone.train()
            return super().lift(pipeline, batch, progress)

    message = only_failure("strategy", TakesStatistics, of="frozen parts stay as they are")
    assert "found changed weights or statistics in the backbone in stage 'lift'" in message


def test_a_part_that_is_to_learn_and_gets_nothing(only_failure):
    class Detached(Strategy):
        """Trains all three on a loss that reaches one of them."""

        def stages(self, pipeline):
            parts = pipeline.require("backbone", "head", "lifter")
            return (Stage(name="all", trains=parts, losses=self.lift),)

    message = only_failure("strategy", Detached, of="every trained part gets a gradient")
    assert "found no gradient at the backbone in stage 'all'" in message
    assert "an argmax before the loss; or leave the backbone out of `trains`" in message


def test_a_part_that_is_not_there(only_failure):
    class Misnames(Strategy):
        """Calls the lifter by another name."""

        def stages(self, pipeline):
            return (Stage(name="lift", trains=("network3d",), losses=self.lift),)

    message = only_failure("strategy", Misnames, of="stages train parts that are there")
    assert "found stage 'lift' that trains network3d of resnet18" in message
    assert "expected one or more of backbone, head, lifter" in message


def test_a_term_that_is_not_a_number(failures):
    class NoNumber(Strategy):
        """Divides 0 by 0."""

        def see(self, pipeline, batch, progress):
            return super().see(pipeline, batch, progress) | {"extra": torch.zeros(()) / 0}

    message = failures("strategy", NoNumber)["losses are finite scalars"]
    assert "found term 'extra' of stage 'see' of shape (), nan" in message


def test_a_strategy_with_a_memory(only_failure):
    class Remembers(Strategy):
        """Changes its shares whenever it is asked."""

        def stages(self, pipeline):
            stages = super().stages(pipeline)
            self.shares = self.shares[::-1]
            return stages

    message = only_failure("strategy", Remembers, of="stages are the same each time")
    assert "Keep no state in the strategy" in message


def test_a_setting_of_no_part(only_failure):
    class Misplaced(Strategy):
        """Names no part."""

        def __init__(self) -> None:
            self.settings = {"decode": "soft"}

    message = only_failure("strategy", Misplaced, of="settings name parameters of parts")
    assert "found settings of 'decode'; expected 'backbone.NAME', 'head.NAME'" in message


def test_a_strategy_that_wants_nothing_there_is(failures):
    class Refuses(Strategy):
        """Takes no pipeline."""

        def stages(self, pipeline):
            raise ValueError("no")

    assert [*failures("strategy", Refuses)] == ["some pipeline is taken"]
