"""A small backbone that keeps its contract, and violations of it, each caught by its own check."""

import torch
from torch import Tensor, nn

from posezoo.contracts import FeatureSpec


class Backbone(nn.Module):
    """One convolution."""

    stride, mean_rgb, std_rgb = 4, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.features = (FeatureSpec(channels=width, stride=self.stride),)
        self.register_buffer("mean", torch.tensor(self.mean_rgb), persistent=False)
        self.register_buffer("std", torch.tensor(self.std_rgb), persistent=False)
        self.conv = nn.Conv2d(3, width, 5, stride=4, padding=2)

    def forward(
        self,
        image: Tensor,  # (B, 3, H, W) RGB in [0, 1]
    ) -> tuple[Tensor, ...]:
        return (self.compute(self.normalised(image)),)

    def normalised(self, image):
        return (image - self.mean[:, None, None]) / self.std[:, None, None]

    def compute(self, x):
        return self.conv(x)


def test_a_backbone_that_keeps_its_contract_passes_everything(outcomes):
    found = outcomes("backbone", Backbone, channels=[4], strides=[4], params=3 * 4 * 25 + 4)
    assert {o.result for o in found} == {"passed"}
    assert len(found) == 17


def test_a_wrong_declared_stride(only_failure):
    class WrongStride(Backbone):
        """Says 8, is 4."""

        stride = 8

    message = only_failure(
        "backbone", WrongStride, of="features have the declared channels and strides"
    )
    assert "found map 0 of shape (1, 4, 16, 32) for a picture of height 64 and width 128" in message
    assert "expected (1, 4, 8, 16): features[0] is FeatureSpec(channels=4, stride=8)" in message
    assert "Correct self.features" in message


def test_height_and_width_exchanged(failures):
    class Turned(Backbone):
        """Transposes."""

        def compute(self, x):
            return self.conv(x).transpose(-1, -2)

    found = failures("backbone", Turned)
    assert "(1, 4, 32, 16)" in found["features have the declared channels and strides"]


def test_a_mean_for_pictures_from_0_to_255(only_failure):
    class Bytes(Backbone):
        """ImageNet's mean, in bytes."""

        mean_rgb, std_rgb = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)

    message = only_failure("backbone", Bytes, of="pictures are normalised inside")
    assert "found mean 124 116 104 and std 58.4 57.1 57.4; expected numbers of RGB in [0, 1]" in (
        message
    )
    assert "by 255" in message


def test_a_mean_that_the_forward_forgets(only_failure):
    class Forgets(Backbone):
        """Has a mean and does not use it."""

        def normalised(self, image):
            return image

    message = only_failure("backbone", Forgets, of="pictures are normalised inside")
    assert "mean colour 0.5 0.4 0.3 that enters the first layer as 0.5 0.4 0.3" in message


def test_a_parameter_that_never_gets_a_gradient(only_failure):
    class Idle(Backbone):
        """Has a layer that nothing uses."""

        def __init__(self, *, width: int = 4) -> None:
            super().__init__(width=width)
            self.classifier = nn.Linear(width, 10)

    message = only_failure("backbone", Idle, of="every parameter gets a gradient")
    assert "no gradient at classifier.weight, classifier.bias (2 of 4 parameters)" in message
    assert "or delete it" in message


def test_a_tensor_that_stays_on_the_old_device(only_failure):
    class StaysBehind(Backbone):
        """Keeps a constant as a plain attribute."""

        def __init__(self, *, width: int = 4) -> None:
            super().__init__(width=width)
            self.gain = torch.full((width, 1, 1), 2.0)

        def compute(self, x):
            return self.conv(x) * self.gain

    message = only_failure("backbone", StaysBehind, of="every tensor moves with the network")
    assert "found gain left on the old device" in message
    assert "self.register_buffer('gain', value)" in message


def test_a_size_that_crashes(only_failure):
    class Even(Backbone):
        """Wants multiples of 4 and does not say so."""

        def compute(self, x):
            folded = nn.functional.pixel_unshuffle(x, 4)
            return self.conv(x) + folded.mean(1, keepdim=True)

    message = only_failure("backbone", Even, of="odd sizes work or are refused in words")
    assert "RuntimeError for a picture of height 75 and width 101" in message
    assert "expected maps, or a ValueError that says which sizes fit" in message


def test_a_size_that_is_refused_in_words_is_no_breach(failures):
    class Picky(Backbone):
        """Wants multiples of 4 and says so."""

        def compute(self, x):
            if x.shape[-1] % 4:
                raise ValueError(f"expected multiples of 4 px, got {x.shape[-1]}")
            return self.conv(x)

    assert failures("backbone", Picky) == {}


def test_facts_that_lie(only_failure):
    message = only_failure(
        "backbone", Backbone, of="manifest facts equal code facts", channels=[8], strides=[4]
    )
    assert "channels = [8] in the manifest; expected channels = [4], as in the code" in message


def test_weights_made_on_a_device_of_their_own(failures):
    class Stubborn(Backbone):
        """Says device='cpu'."""

        def __init__(self, *, width: int = 4) -> None:
            super().__init__(width=width)
            self.conv.bias = nn.Parameter(torch.zeros(width, device="cpu"))

    found = failures("backbone", Stubborn)
    assert "found conv.bias on cpu under torch.device('meta')" in found["builds on the meta device"]


def test_a_graph_break_is_reported_and_breaks_nothing(outcomes):
    class Prints(Backbone):
        """Looks at its own numbers."""

        def compute(self, x):
            x = self.conv(x)
            return x if x.sum().item() > 0 else x * 1.0

    found = {o.check: o for o in outcomes("backbone", Prints)}
    assert found["torch compile takes it whole"].result == "reported"
    assert not [o for o in found.values() if o.result == "failed"]
