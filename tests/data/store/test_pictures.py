from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from posezoo.data.store.pictures import check_picture, crop_picture, encode_jpeg


def dot(x, y, width=300, height=200, sigma=8.0):
    """A bright dot on grey, its centre at (x, y) px, as bytes of a JPEG."""
    rows, columns = np.mgrid[:height, :width]
    light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    picture = torch.from_numpy((40 + 200 * light).round().astype(np.uint8))
    return encode_jpeg(picture.expand(3, -1, -1))


def centre(image, background=40):
    """Where the dot is, px."""
    light = (image.double().mean(0) - background - 3).clamp_min(0)
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in light.shape), indexing="ij")
    return [float((light * each).sum() / light.sum()) for each in (columns, rows)]


def save(image, kind="PNG", **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("scale", [0.12, 0.24, 0.25, 0.37, 0.5, 0.81, 1.0, 1.7])
def test_a_dot_comes_to_lie_where_its_joint_does(scale):
    x, y = 151.3, 90.6
    offset = (31.2 - x * scale, 30.9 - y * scale)
    crop = crop_picture(dot(x, y, sigma=3 / scale), scale=scale, offset=offset, size=64)
    found = centre(crop[:, 10:-10, 10:-10])  # away from what lies off the picture
    np.testing.assert_allclose(found, (21.2, 20.9), atol=0.05)


def test_a_crop_of_the_whole_picture_is_the_picture():
    data = dot(20, 30, 64, 64)
    whole = np.array(Image.open(BytesIO(data)).convert("RGB"))
    crop = crop_picture(data, scale=1.0, offset=(0.0, 0.0), size=64)
    np.testing.assert_array_equal(crop.permute(1, 2, 0), whole)


@pytest.mark.parametrize("width", [65, 97, 300])
@pytest.mark.parametrize("scale", [0.1, 0.2, 0.4])
def test_shrinking_moves_nothing_however_odd_the_width(width, scale):
    slope = 200 / width  # brightness per px, from left to right
    picture = (torch.arange(width) * slope).round().to(torch.uint8).expand(3, 50, width)
    size = int(min(width, 50) * scale)
    offset = 0.5 * scale - 0.5
    crop = crop_picture(encode_jpeg(picture, 100), scale=scale, offset=(offset, offset), size=size)
    old_px = (torch.arange(size) + 0.5) / scale - 0.5
    shift_px = (crop[0, size // 2] / slope - old_px)[1:-1]
    assert abs(shift_px.mean()) < 0.15


def test_outside_the_picture_is_black():
    white = save(Image.new("RGB", (40, 40), "white"))
    crop = crop_picture(white, scale=1.0, offset=(10.0, 5.0), size=60)
    assert (crop[:, 5:45, 10:50] == 255).all()
    assert int((crop > 0).sum()) == 3 * 40 * 40
    assert not crop_picture(white, scale=1.0, offset=(100.0, 0.0), size=60).any()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_kind_of_pixel_becomes_rgb(mode):
    grey = Image.new("RGB", (16, 16), (102, 102, 102)).convert(mode)
    data = save(grey, "JPEG" if mode == "CMYK" else "PNG")
    crop = crop_picture(data, scale=1.0, offset=(0.0, 0.0), size=16)
    assert (crop.int() - 102).abs().max() <= 2


def test_a_picture_cut_at_any_length_is_refused_and_never_half_read():
    whole = dot(100, 100)
    assert check_picture(whole) == (300, 200)
    for length in np.linspace(0, len(whole) - 3, 40).astype(int):
        for read in (
            check_picture,
            lambda data: crop_picture(data, scale=0.3, offset=(0, 0), size=64),
        ):
            with pytest.raises(ValueError, match=r"is not a picture|is damaged"):
                read(whole[:length])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<html>404</html>", "is not a picture.*expected JPEG or PNG"),
        (save(Image.new("1", (12_000, 12_000))), "12000 x 12000 pixels|is not a picture"),
        (save(Image.new("1", (14_000, 14_000))), "is not a picture"),
        (save(Image.new("I;16", (8, 8))), "pixels of kind I;16"),
        (save(Image.new("RGB", (8, 8)), "GIF"), "is not a picture"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_picture_of_ours_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        check_picture(data)


def test_a_picture_to_be_turned_before_it_is_seen_is_refused():
    image = Image.new("RGB", (8, 8))
    exif = image.getexif()
    exif[0x0112] = 6
    with pytest.raises(ValueError, match="EXIF orientation 6, expected 1"):
        check_picture(save(image, "JPEG", exif=exif))


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_an_orientation_that_says_nothing_turns_nothing(orientation):
    image = Image.new("RGB", (8, 6))
    exif = image.getexif()
    exif[0x0112] = orientation
    assert check_picture(save(image, "JPEG", exif=exif)) == (8, 6)


def test_reasons_are_the_same_for_the_same_fault():
    reasons = []
    for _ in range(2):
        with pytest.raises(ValueError, match="is not a picture") as caught:
            check_picture(b"nothing of the kind")
        reasons.append(str(caught.value))
    assert reasons[0] == reasons[1]
    assert "0x" not in reasons[0]
