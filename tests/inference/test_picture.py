import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from posezoo.inference.picture import as_picture, read_picture

# Four colours in the corners of 40 x 30 px: top left, top right, bottom left, bottom right.
CORNERS = np.zeros((30, 40, 3), np.uint8)
CORNERS[:15, :20], CORNERS[:15, 20:] = (250, 0, 0), (0, 250, 0)
CORNERS[15:, :20], CORNERS[15:, 20:] = (0, 0, 250), (250, 250, 0)


def corners(picture):
    pixels = picture.pixels.astype(int)
    return [tuple(pixels[y, x]) for y in (2, -3) for x in (2, -3)]


def save(path, image, **options):
    image.save(path, **options)
    return path


# Where the stored rows and columns go: EXIF 2.3, tag 0x0112.
TURNS = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),  # shown after a quarter turn clockwise
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
def test_every_exif_turn_is_carried_out(tmp_path, orientation):
    stored = np.ascontiguousarray(TURNS[orientation](CORNERS))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "turned.png", Image.fromarray(stored), exif=exif)
    np.testing.assert_array_equal(read_picture(path).pixels, CORNERS)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("L", (100,) * 3), ("LA", (100,) * 3), ("1", (255,) * 3), ("CMYK", (250, 0, 0))],
)
def test_other_kinds_of_pixels_become_rgb(tmp_path, mode, expected):
    if mode == "CMYK":
        image = Image.new("RGB", (20, 20), (250, 0, 0)).convert("CMYK")
        path = save(tmp_path / "picture.tif", image)
    else:
        value = (100, 255) if mode == "LA" else 100 if mode == "L" else 1
        path = save(tmp_path / "picture.png", Image.new(mode, (20, 20), value))
    pixels = read_picture(path).pixels
    assert pixels.shape == (20, 20, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - expected).max() <= 2


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path):
    image = Image.new("RGB", (20, 20), (200, 30, 30)).convert("CMYK")
    pixels = read_picture(save(tmp_path / "picture.jpg", image)).pixels
    assert np.abs(pixels.astype(int) - (200, 30, 30)).max() <= 6


def test_sixteen_bits_become_eight_by_their_full_range(tmp_path):
    deep = np.linspace(0, 65535, 400).round().astype(np.uint16).reshape(20, 20)
    path = save(tmp_path / "deep.png", Image.fromarray(deep))
    pixels = read_picture(path).pixels
    assert (pixels.min(), pixels.max()) == (0, 255)
    np.testing.assert_allclose(pixels[..., 1], deep / 257, atol=0.5)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white(tmp_path, mode):
    image = Image.new("RGBA", (20, 20), (10, 20, 30, 0))
    options = {"transparency": 0} if mode == "P" else {}
    image = Image.new("P", (20, 20), 0) if mode == "P" else image.convert(mode)
    path = save(tmp_path / "clear.png", image, **options)
    assert (read_picture(path).pixels == 255).all()


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    first, second = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    path = save(tmp_path / "moving.gif", first, save_all=True, append_images=[second])
    assert tuple(read_picture(path).pixels[10, 10]) == (255, 0, 0)


def test_a_camera_s_two_picture_jpeg_is_its_first(tmp_path):
    first, second = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    path = save(tmp_path / "phone.jpg", first, format="MPO", save_all=True, append_images=[second])
    assert read_picture(path).pixels[10, 10, 0] > 250


def test_arrays_tensors_and_images_are_taken_as_they_are():
    for given in (CORNERS, torch.from_numpy(CORNERS), Image.fromarray(CORNERS)):
        picture = as_picture(given)
        np.testing.assert_array_equal(picture.pixels, CORNERS)
        assert (picture.width, picture.height, picture.source) == (40, 30, "")


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (np.zeros((40, 30), np.uint8), "(40, 30)"),
        (np.zeros((40, 30, 3), np.float32), "float32"),
        (np.zeros((3, 40, 30), np.uint8), "permute(1, 2, 0)"),
        (np.zeros((40, 30, 4), np.uint8), "(40, 30, 4)"),
        (np.zeros((1, 1, 3), np.uint8), "1 x 1 px"),
    ],
)
def test_an_array_of_another_kind_is_refused_in_words(given, word):
    with pytest.raises(ValueError, match=r"expected|too small") as error:
        as_picture(given)
    assert word in str(error.value)


def header_only(width, height):
    """A PNG that says its size and holds no pixels: what a bomb looks like."""
    import struct
    import zlib

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IEND", b"")


def test_files_that_cannot_be_read_are_each_one_line(tmp_path):
    whole = save(tmp_path / "whole.jpg", Image.fromarray(np.tile(CORNERS, (9, 9, 1)))).read_bytes()
    contents = {
        "empty.jpg": (b"", "is empty"),
        "text.jpg": (b"hello, I am a text\n" * 30, "is not a picture"),
        "cut.jpg": (whole[: len(whole) // 2], "is damaged (image file is truncated"),
        "head.jpg": (whole[:20], "is not a picture"),
        "bomb.png": (header_only(100_000, 100_000), "89 million pixels"),
        "large.png": (header_only(12_000, 12_000), "89 million"),
        "wide.png": (header_only(30_000, 200), "is 30000 x 200 px, too large"),
        "dot.png": (header_only(1, 1), "is 1 x 1 px, too small"),
        "hollow.png": (header_only(64, 64), "is damaged"),
        "telephone.heic": (b"\0\0\0\x18ftypheic", "save it as JPEG"),
    }
    for name, (content, words) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=name) as error:
            read_picture(path)
        assert words in str(error.value), error.value
        assert "\n" not in str(error.value)
    for path, words in ((tmp_path / "nothing.jpg", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(ValueError, match=words):
            read_picture(path)


def test_floating_point_pixels_are_refused(tmp_path):
    path = save(tmp_path / "float.tif", Image.fromarray(np.ones((20, 20), np.float32)))
    with pytest.raises(ValueError, match="save it as PNG"):
        read_picture(path)


def test_a_png_s_text_does_not_disturb(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 1000)
    path = save(tmp_path / "told.png", Image.fromarray(CORNERS), pnginfo=text)
    assert corners(read_picture(path)) == corners(as_picture(CORNERS))
