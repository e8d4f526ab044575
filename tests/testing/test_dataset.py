"""A small dataset that keeps its contract, and violations of it, each caught by its own check."""

from dataclasses import replace

import pytest
import torch

from posezoo.camera import Camera
from posezoo.contracts import Sample
from posezoo.skeleton import H36M17
from posezoo.testing.examples import noise_picture, people


class Dataset:
    """Two people for training and one held out, ten poses each."""

    skeleton = H36M17

    def __init__(
        self,
        *,
        split: str = "train",
        image_size: int = 0,
        pictures: bool = True,
        seed: int = 0,
        frames: int = 1,
        future: int = 0,
    ) -> None:
        self.subjects = self.people_of(split)
        self.size, self.pictures, self.seed = image_size, image_size and pictures, seed
        self.frames, self.future = frames, future

    def people_of(self, split):
        return {"train": ("anna", "ben"), "val": ("cem",), "all": ("anna", "ben", "cem")}[split]

    def __len__(self):
        return 10 * len(self.subjects)

    def __getitem__(self, index):
        item = index % len(self)
        batch = people(1, frames=14, size=self.size or 1000, seed=self.seed + item // 10)
        first = self.first(item % 10)
        batch = batch.frames(first, first + self.frames)
        return self.shown(
            Sample(
                **{name: getattr(batch, name)[0] for name in TIMED},
                camera=Camera(batch.camera.parameters[0]),
                subject=self.subjects[item // 10],
                action="stand",
                image=self.picture() if self.pictures else None,
            )
        )

    def first(self, place):
        return place - (self.frames - 1 - self.future) + 1

    def picture(self):
        return (noise_picture(1, self.size, self.size)[0] * 255).to(torch.uint8)

    def shown(self, sample):
        return sample


TIMED = ("joints2d", "joints3d", "root_mm", "labelled2d", "labelled3d", "visible")


def test_a_dataset_that_keeps_its_contract_fails_nothing(outcomes):
    found = outcomes("dataset", Dataset)
    assert {o.check: o.note for o in found if o.result == "failed"} == {}
    assert [o.check for o in found if o.result == "skipped"] == [
        "manifest facts equal code facts",
        "batches equal their items",
    ]
    assert len(found) == 15


def test_metres(failures):
    class Metres(Dataset):
        """As many motion-capture files have it."""

        def shown(self, sample):
            return replace(sample, joints3d=sample.joints3d / 1000, root_mm=sample.root_mm / 1000)

    found = failures("dataset", Metres)
    assert [*found] == ["positions are in millimetres"]
    message = found["positions are in millimetres"]
    assert message.startswith("found bones of 0.299 on average")
    assert "expected 40 to 700 mm. Convert to mm where the file is read; metres x 1000." in message


def test_a_root_that_is_not_zero(only_failure):
    class Absolute(Dataset):
        """Puts 1 mm of the position into the pose."""

        def shown(self, sample):
            return replace(sample, joints3d=sample.joints3d + 1, root_mm=sample.root_mm - 1)

    message = only_failure("dataset", Absolute, of="root is exactly zero")
    assert "found a root up to 1 mm from 0 in joints3d; expected exactly 0" in message


def test_z_that_points_backwards(failures):
    class Backwards(Dataset):
        """Looks along -z, as graphics libraries do; the pixels are the same."""

        def shown(self, sample):
            return replace(sample, joints3d=-sample.joints3d, root_mm=-sample.root_mm)

    message = failures("dataset", Backwards)["pixels agree with the camera"]
    assert "mm, behind the camera; expected z above 0 in joints3d + root_mm" in message


def test_people_on_their_heads(only_failure):
    class Upwards(Dataset):
        """Lets y point up, in the camera too."""

        def shown(self, sample):
            turn = torch.tensor([1.0, -1.0, 1.0])
            height = 2 * sample.camera.centre[1]
            pixels = sample.joints2d * turn[:2] + torch.stack([torch.zeros(()), height])
            return replace(sample, joints2d=pixels, joints3d=sample.joints3d * turn)

    message = only_failure("dataset", Upwards, of="people stand upright")
    assert "found the head above the ankles in 0% of the poses" in message


@pytest.mark.parametrize("shift_px", [0.6, -7.5])
def test_pixels_that_are_a_little_off(only_failure, shift_px):
    class Off(Dataset):
        """Counts pixels from their corners, or loses half a cell."""

        def shown(self, sample):
            return replace(sample, joints2d=sample.joints2d + torch.tensor([shift_px, 0.0]))

    message = only_failure("dataset", Off, of="pixels agree with the camera")
    assert f"found joints projected up to {abs(shift_px):.3g} px from joints2d" in message
    assert "expected less than 0.5 px" in message


def test_a_crop_that_the_camera_does_not_know_of(only_failure):
    class Crops(Dataset):
        """Moves the joints into the crop and leaves the camera as it was."""

        def shown(self, sample):
            return replace(sample, joints2d=sample.joints2d - 3.0) if self.size else sample

    message = only_failure("dataset", Crops, of="pixels agree with the camera")
    assert "at image_size=64" in message


def test_somebody_on_both_sides(only_failure):
    class Both(Dataset):
        """Splits by frame."""

        def people_of(self, split):
            return ("anna", "ben", "cem") if split == "train" else ("cem",)

    message = only_failure("dataset", Both, of="people are on one side only")
    assert message.startswith("found cem in both splits; expected each person on one side")
    assert "Split by person, not by frame" in message


def test_items_of_somebody_else(only_failure):
    class Strangers(Dataset):
        """Names its people otherwise than its items do."""

        def shown(self, sample):
            return replace(sample, subject=f"Person {sample.subject}")

    message = only_failure("dataset", Strangers, of="people are on one side only")
    assert "items of Person anna, Person ben in split 'train', whose" in message
    assert "`subjects` are anna, ben; expected items of those people only" in message


def test_random_numbers_that_are_not_the_seeds(only_failure):
    class Lucky(Dataset):
        """Draws from torch's own generator."""

        def shown(self, sample):
            return replace(sample, visible=torch.rand(sample.visible.shape) < 0.5)

    message = only_failure("dataset", Lucky, of="items depend on seed and index alone")
    assert "found another item when asked for in another order: visible of item 0" in message
    assert "Draw from a generator made of (seed, index)" in message


def test_double_precision(failures):
    class Double(Dataset):
        """Stays in float64."""

        def shown(self, sample):
            return replace(sample, joints3d=sample.joints3d.double())

    message = failures("dataset", Double)["items have the declared shapes and types"]
    assert "found joints3d of shape (1, 17, 3) and type torch.float64" in message


def test_a_window_that_is_one_frame_late(only_failure):
    class Late(Dataset):
        """Starts a clip one frame after its time."""

        def first(self, place):
            return super().first(place) + (self.frames > 1)

    message = only_failure("dataset", Late, of="windows show the frames around a pose")
    assert "mm from that of frames=1, at frame 1 of frames=3, future=1" in message


def test_a_picture_that_moves_the_joints(only_failure):
    class Moves(Dataset):
        """Crops only where there is something to crop."""

        def shown(self, sample):
            if self.size and not self.pictures:
                moved = replace(sample.camera, parameters=sample.camera.parameters + MOVE)
                return replace(sample, joints2d=sample.joints2d + 2.0, camera=moved)
            return sample

    message = only_failure("dataset", Moves, of="pictures are drawn only if wanted")
    assert "found joints2d 2 px elsewhere without the picture" in message


MOVE = torch.tensor([0, 0, 2.0, 2.0, 0, 0, 0, 0, 0, 0])


def test_labels_that_are_not_those_of_the_items(only_failure):
    class Forgets(Dataset):
        """Says that every joint is known, and hides one."""

        def shown(self, sample):
            known = sample.labelled2d.clone()
            known[:, 3] = False
            return replace(sample, labelled2d=known)

        def labels2d(self, indices):
            return torch.ones(len(indices), self.frames, 17, dtype=torch.bool)

    message = only_failure("dataset", Forgets, of="batches equal their items")
    assert "found labels2d that are not the labelled2d of the items" in message
