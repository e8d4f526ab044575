import signal
import sys
import types
from typing import ClassVar

import numpy as np
import pytest

from posezoo.inference.video import LiveCamera, VideoFile

pytest.importorskip("av")

# 48 x 32 px: red left, blue right, and a grey that counts frames in the bottom row.
FRAMES = []
for number in range(6):
    frame = np.zeros((32, 48, 3), np.uint8)
    frame[:, :24], frame[:, 24:] = (250, 0, 0), (0, 0, 250)
    frame[-4:] = 10 * number
    FRAMES.append(frame)


def test_frames_come_in_order_with_their_numbers_and_times(painted, tmp_path):
    video = VideoFile(painted.save_video(tmp_path / "clip.mov", FRAMES, fps=25))
    pictures = [*video]
    assert [picture.frame for picture in pictures] == list(range(6))
    np.testing.assert_allclose([p.time_s for p in pictures], np.arange(6) / 25, atol=1e-3)
    assert (video.fps, video.length, video.damage) == (25, 6, "")
    for picture, frame in zip(pictures, FRAMES, strict=True):
        np.testing.assert_array_equal(picture.pixels, frame)


def test_frames_larger_than_any_camera_s_are_refused_before_one_is_decoded(
    painted, tmp_path, monkeypatch
):
    path = painted.save_video(tmp_path / "clip.mov", FRAMES)
    monkeypatch.setattr("posezoo.inference.picture.LONGEST_SIDE_PX", 40)
    with pytest.raises(ValueError, match=r"clip\.mov: is 48 x 32 px, too large"):
        VideoFile(path)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_telephone_s_turned_video_is_upright(painted, tmp_path, quarters):
    """Stored turned clockwise, to be shown turned back: every quarter turn."""
    stored = [np.rot90(frame, -quarters) for frame in FRAMES]
    path = painted.save_video(tmp_path / "phone.mov", stored, turned=90 * quarters)
    for picture, frame in zip(VideoFile(path), FRAMES, strict=True):
        np.testing.assert_array_equal(picture.pixels, frame)


def test_frames_that_do_not_follow_evenly_keep_their_times(painted, tmp_path):
    times = [0, 0.04, 0.2, 0.24, 0.25, 0.6]
    path = painted.save_video(tmp_path / "phone.mov", FRAMES, times=times)
    np.testing.assert_allclose([p.time_s for p in VideoFile(path)], times, atol=1e-3)


def test_what_is_no_video_is_one_line(painted, tmp_path):
    whole = painted.save_video(tmp_path / "whole.mov", FRAMES).read_bytes()
    contents = {
        "empty.mp4": (b"", "is empty"),
        "text.mp4": (b"hello " * 100, "is not a video"),
        "cut.mov": (whole[:200], "is not a video"),
    }
    for name, (content, words) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=name) as error:
            VideoFile(path)
        assert words in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ValueError, match="no such file"):
        VideoFile(tmp_path / "none.mp4")


def test_a_file_with_sound_only_has_no_pictures(tmp_path):
    import av

    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match="has no pictures, only sound"):
        VideoFile(path)


def test_a_video_without_a_frame_says_so(painted, tmp_path):
    import av

    path = tmp_path / "blank.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
    with pytest.raises(ValueError, match=r"blank.avi"):
        list(VideoFile(path))


def test_of_a_damaged_video_what_can_be_read_is_kept(painted, tmp_path):
    path = painted.save_video(tmp_path / "clip.mov", FRAMES)
    content = bytearray(path.read_bytes())
    place = [k for k in range(len(content) - 4) if content[k : k + 4] == b"\x89PNG"][3]
    content[place : place + 60] = b"\0" * 60
    path.write_bytes(bytes(content))
    video = VideoFile(path)
    assert [picture.frame for picture in video] == [0, 1, 2]
    assert video.damage.startswith(f"{path}: is damaged after frame 2 (")


def test_without_its_package_a_video_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"pip install 'posezoo\[video\]'"):
        VideoFile(tmp_path / "clip.mp4")


class Capture:
    """What OpenCV has of camera 0: three frames in BGR; there is no other camera."""

    released: ClassVar[list] = []

    def __init__(self, number):
        self.number, self.left = number, 3

    def isOpened(self):
        return self.number == 0

    def read(self):
        self.left -= 1
        return self.left >= 0, np.ascontiguousarray(FRAMES[0][..., ::-1])

    def release(self):
        self.released.append(self.number)


@pytest.fixture
def opencv(monkeypatch):
    monkeypatch.setattr(Capture, "released", [])
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(VideoCapture=Capture))
    return Capture


def test_a_camera_gives_rgb_until_it_ends(opencv):
    pictures = [*LiveCamera("0")]
    assert [picture.frame for picture in pictures] == [0, 1, 2]
    np.testing.assert_array_equal(pictures[0].pixels, FRAMES[0])
    assert opencv.released == [0]
    with pytest.raises(ValueError, match="camera 4: there is none"):
        list(LiveCamera(4))


def test_ctrl_c_ends_a_camera_and_keeps_what_it_saw(opencv):
    before = signal.getsignal(signal.SIGINT)
    seen = []
    for picture in LiveCamera(0):
        seen.append(picture.frame)
        signal.raise_signal(signal.SIGINT)
    assert seen == [0] and opencv.released == [0]
    assert signal.getsignal(signal.SIGINT) is before
