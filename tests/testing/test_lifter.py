"""A small lifter that keeps its contract, and violations of it, each caught by its own check."""

import torch
from torch import Tensor, nn

from posezoo import losses
from posezoo.geometry import root_relative
from posezoo.skeleton import Skeleton


class Lifter(nn.Module):
    """One matrix on z-scores."""

    frames, future, takes_confidence, unit = 1, 0, False, 1.0

    def __init__(self, *, skeleton: Skeleton) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * skeleton.num_joints, 3 * skeleton.num_joints)
        for name, size in (("input", 2 * skeleton.num_joints), ("output", 3 * skeleton.num_joints)):
            self.keep(f"{name}_mean", torch.zeros(size))
            self.keep(f"{name}_std", torch.ones(size))

    def keep(self, name, value):
        self.register_buffer(name, value)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera,
    ) -> Tensor:  # (B, T, J, 3) mm
        z = (joints2d.flatten(-2) - self.input_mean) / self.input_std
        joints = self.compute(z) * self.output_std + self.output_mean
        return self.centred(joints.unflatten(-1, (-1, 3))) / self.unit

    def compute(self, z):
        return self.linear(z)

    def centred(self, joints):
        return root_relative(joints)

    def fit_normalisation(self, batch):
        for name, joints in (("input", batch.joints2d), ("output", batch.joints3d)):
            values = joints.flatten(0, 1).flatten(1)
            std = values.std(0)
            getattr(self, f"{name}_mean").copy_(values.mean(0))
            getattr(self, f"{name}_std").copy_(torch.where(std > 1e-6, std, 1.0))

    def loss(self, predicted, batch):
        return losses.mean_distance(predicted, batch.joints3d, batch.labelled3d)


def test_a_lifter_that_keeps_its_contract_passes_everything(outcomes):
    numbers = 34 * 51 + 51
    found = outcomes("lifter", Lifter, frames=1, future=0, params=numbers)
    assert {o.result for o in found} == {"passed"}
    assert len(found) == 20


def test_a_root_that_is_not_zero(only_failure):
    class Adrift(Lifter):
        """Leaves the root where the network puts it."""

        def centred(self, joints):
            return root_relative(joints) + 0.5

    message = only_failure("lifter", Adrift, of="root is exactly zero")
    assert message.startswith("found a root up to 0.5 mm from 0; expected exactly 0.")
    assert "root_relative(joints3d, skeleton.root)" in message


def test_metres(only_failure):
    class Metres(Lifter):
        """Divides by 1000."""

        unit = 1000.0

    message = only_failure("lifter", Metres, of="output is in millimetres")
    assert "from the root on average (as metres would); expected 34 to 3415 mm" in message


def test_a_normalisation_that_is_not_saved(only_failure):
    class Forgets(Lifter):
        """Keeps its statistics out of the state dict."""

        def keep(self, name, value):
            self.register_buffer(name, value, persistent=False)

    message = only_failure("lifter", Forgets, of="a checkpoint holds all that was learned")
    assert "found another output of a fresh network that took the checkpoint" in message
    assert "register_buffer" in message


def test_plain_tensors_are_neither_saved_nor_moved(failures):
    class Plain(Lifter):
        """Keeps its statistics as attributes."""

        def keep(self, name, value):
            setattr(self, name, value)

    found = failures("lifter", Plain)
    assert [*found] == [
        "a checkpoint holds all that was learned",
        "every tensor moves with the network",
    ]
    assert (
        "input_mean, input_std, output_mean and others left on the old device"
        in (found["every tensor moves with the network"])
    )


def test_one_person_sees_the_others_of_the_batch(only_failure):
    class Leaks(Lifter):
        """Subtracts the mean of the batch."""

        def compute(self, z):
            return self.linear(z - z.mean(0, keepdim=True))

    message = only_failure("lifter", Leaks, of="one sample does not see the others")
    assert "found another output for a sample alone (batch of 1) than in a batch of 4" in message
    assert "mix nothing along axis 0" in message


def test_the_place_in_the_batch_matters(only_failure):
    class Counts(Lifter):
        """Adds a little for the place of the item."""

        def compute(self, z):
            return self.linear(z) + 0.01 * torch.arange(len(z))[:, None, None]

    message = only_failure("lifter", Counts, of="one sample does not see the others")
    assert "found other outputs for the same samples in another order" in message


def test_dropout_that_never_stops(failures):
    class Restless(Lifter):
        """Drops out in eval mode too."""

        def compute(self, z):
            return nn.functional.dropout(self.linear(z), 0.5, training=True)

    message = failures("lifter", Restless)["eval is deterministic"]
    assert "found two outputs for one input in eval mode" in message


def test_more_frames_than_it_says(only_failure):
    class Smooths(Lifter):
        """Means over the whole clip, and calls that one frame."""

        def compute(self, z):
            return self.linear(z).mean(1, keepdim=True).expand(-1, z.shape[1], -1)

    message = only_failure("lifter", Smooths, of="frames and future are honoured")
    assert "elsewhere when frames outside its context are cut" in message
    assert "it is made of 1 frames" in message


def test_a_clip_that_is_padded_to_its_old_length(failures):
    class Pads(Lifter):
        """Says 3 frames and gives as many as it gets."""

        frames, future = 3, 1

    message = failures("lifter", Pads)["frames and future are honoured"]
    assert "found an output of shape (2, 5, 17, 3) for 5 frames" in message
    assert "expected (2, 3, 17, 3): T - frames + 1 poses" in message


def test_a_window_that_says_something_else_than_the_forward(only_failure):
    class Windows(Lifter):
        """Says it predicts whole windows, and forgets to centre them."""

        def lift_window(self, joints2d, camera):
            return self(joints2d, camera) + 1.0

    message = only_failure("lifter", Windows, of="frames and future are honoured")
    assert "found frame 0 of lift_window 1 mm from what the forward gives" in message


def test_a_gradient_of_the_wrong_sign(only_failure):
    class Climbs(Lifter):
        """Turns the gradient round."""

        def compute(self, z):
            out = self.linear(z)
            if out.requires_grad:
                out.register_hook(torch.neg)
            return out

    message = only_failure("lifter", Climbs, of="one small step lowers the loss")
    assert "that no step down its gradient lowers" in message


def test_a_loss_that_counts_joints_without_label(only_failure):
    class CountsAll(Lifter):
        """Looks at no label."""

        def loss(self, predicted, batch):
            return (predicted - batch.joints3d).abs().mean()

    message = only_failure("lifter", CountsAll, of="loss counts labelled joints only")
    assert "batch.labelled3d" in message


def test_training_where_only_statistics_are_taken(only_failure):
    class Trains(Lifter):
        """Solves for its bias on the way."""

        def fit_normalisation(self, batch):
            super().fit_normalisation(batch)
            nn.init.ones_(self.linear.bias)

    of = "fit normalisation changes no weights"
    assert "found weights that change" in only_failure("lifter", Trains, of=of)


def test_facts_that_lie(only_failure):
    message = only_failure("lifter", Lifter, of="manifest facts equal code facts", frames=27)
    assert "found frames = 27 in the manifest; expected frames = 1" in message


class Asks(Lifter):
    """Joints that the detector is sure of stand 1 px further right and down."""

    takes_confidence = True

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera,
        confidence,  # (B, T, J), 0 to 1
    ) -> Tensor:  # (B, T, J, 3) mm
        return super().forward(joints2d + confidence[..., None], camera)


def test_a_lifter_with_a_third_argument_is_given_it(outcomes):
    found = {o.check: o for o in outcomes("lifter", Asks, frames=1)}
    assert {name: o.found for name, o in found.items() if o.result != "passed"} == {}
    assert "mm elsewhere" in found["confidence is taken as declared"].note


def test_confidence_that_is_taken_and_not_used(only_failure):
    class Ignores(Lifter):
        """(B, T, J, 2) px to (B, T, J, 3) mm, whatever the confidence."""

        takes_confidence = True

        def forward(self, joints2d: Tensor, camera, confidence) -> Tensor:  # px to mm, (B, T, J, 3)
            return super().forward(joints2d, camera)

    message = only_failure("lifter", Ignores, of="confidence is taken as declared")
    assert "found the same poses whatever the confidence" in message


class Twice(Lifter):
    """Uses one layer twice, under two names."""

    def __init__(self, *, skeleton: Skeleton) -> None:
        super().__init__(skeleton=skeleton)
        self.first = nn.Linear(34, 34)
        self.second = self.first

    def compute(self, z):
        return self.linear(z + self.second(self.first(z)))


def test_a_layer_used_twice_passes_through_a_checkpoint(failures):
    assert failures("lifter", Twice) == {}


def test_a_mask_that_no_checkpoint_takes(only_failure):
    class Masked(Lifter):
        """Keeps a mask of -inf as if it were learned."""

        def __init__(self, *, skeleton: Skeleton) -> None:
            super().__init__(skeleton=skeleton)
            self.register_buffer("mask", torch.full((2, 2), -torch.inf).triu(1))

    message = only_failure("lifter", Masked, of="a checkpoint holds all that was learned")
    assert "'lifter.mask' holds NaN or infinity" in message
    assert "persistent=False" in message


def test_a_state_that_is_no_tensor(only_failure):
    class Extra(Lifter):
        """Adds a dictionary of its own to the state."""

        def get_extra_state(self):
            return {"version": 2}

        def set_extra_state(self, state):
            assert state == {"version": 2}

    message = only_failure("lifter", Extra, of="a checkpoint holds all that was learned")
    assert "'lifter._extra_state' of the state dict is of type dict" in message


def test_weights_that_are_made_in_the_first_forward(failures):
    class Late(Lifter):
        """Adds an offset when it first sees data."""

        def compute(self, z):
            if not hasattr(self, "offset"):
                self.offset = nn.Parameter(torch.ones(51))
            return self.linear(z) + self.offset

    message = failures("lifter", Late)["a checkpoint holds all that was learned"]
    assert "1 not in the model, the first 'lifter.offset'" in message
