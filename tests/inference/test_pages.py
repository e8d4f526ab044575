"""Pictures, videos and pages of predictions, and what `view` makes pages of."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from posezoo.drawing import LEFT, RIGHT
from posezoo.inference.formats.overlay import draw_people, write_overlay
from posezoo.inference.formats.page import PageItem, write_page, write_prediction_page
from posezoo.inference.formats.png import draw_prediction, write_png
from posezoo.inference.formats.prediction_json import write_json
from posezoo.inference.view import view

EVIL = '<script>alert("x")</script>{{plotly}}&amp;.jpg'
IMG = "<img src=x onerror=alert(1)>.jpg"
GREY = np.full((480, 640, 3), 128, np.uint8)


def near(pixels, colour, x, y, reach=4):
    """Whether that colour is near the place."""
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    part = pixels[int(y) - reach : int(y) + reach + 1, int(x) - reach : int(x) + reach + 1]
    return bool((np.abs(part.astype(int) - wanted).max(-1) < 40).any())


def test_the_left_thigh_is_orange_and_the_right_one_blue(picture):
    someone = picture.people[0]
    drawn = draw_people(GREY, picture.people)
    for hip, knee, colour, other in ((4, 5, LEFT, RIGHT), (1, 2, RIGHT, LEFT)):
        x, y = (someone.joints2d[hip] + someone.joints2d[knee]) / 2
        assert near(drawn, colour, x, y) and not near(drawn, other, x, y)


def test_a_png_has_the_picture_and_two_views_with_equal_axes(picture, tmp_path):
    figure = draw_prediction(picture, GREY)
    photo, front, side = figure.axes
    assert photo.get_xlim() == (-0.5, 639.5) and photo.get_ylim() == (479.5, -0.5)
    for axes in (front, side):
        assert axes.get_aspect() == 1
        assert np.ptp(axes.get_xlim()) == pytest.approx(np.ptp(axes.get_ylim()))
    write_png(replace(picture, source="a$b$.jpg"), tmp_path / "a.png", GREY)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG" and image.width > 1000
        facts = json.loads(image.info["Description"])
    assert facts["weights"] == {"semgcn.shipped": "ab" * 32} and facts["camera"]["fx"] == 768


@pytest.mark.parametrize("people", [0, 1, 7])
def test_any_number_of_people_can_be_drawn_also_without_3d_or_picture(picture, people):
    someone = replace(picture.people[0], joints3d=None, joints2d=np.full((17, 2), np.nan))
    crowd = [replace(picture.people[0], id=n) for n in range(people)]
    figure = draw_prediction(replace(picture, people=(*crowd, someone)))
    assert len(figure.axes) == 1 + 2 * min(people, 4)


def test_an_overlay_is_a_video_with_the_skeletons_on_it(video, tmp_path):
    av = pytest.importorskip("av")
    frames = ((GREY[:479], frame) for frame in video.frames[:5])  # of odd height
    assert write_overlay(frames, tmp_path / "a.mp4", fps=25) == 5
    with av.open(str(tmp_path / "a.mp4")) as container:
        decoded = [*container.decode(video=0)]
        facts = json.loads(container.metadata["comment"])
    assert facts["weights"] == {"semgcn.shipped": "ab" * 32} and facts["units"]["3d"] == "mm"
    assert [frame.time for frame in decoded] == pytest.approx([n / 25 for n in range(5)], abs=1e-3)
    assert (decoded[0].width, decoded[0].height) == (640, 480)
    someone = video.frames[4].people[0]
    x, y = (someone.joints2d[4] + someone.joints2d[5]) / 2
    assert near(decoded[4].to_ndarray(format="rgb24"), LEFT, x, y, reach=6)
    with pytest.raises(ValueError, match="no frame to write"):
        write_overlay([], tmp_path / "b.mp4", fps=25)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


class Scripts(HTMLParser):
    """What a browser would take for scripts, and the title."""

    def __init__(self):
        super().__init__()
        self.scripts, self.title, self.inside = [], "", ""

    def handle_starttag(self, tag, attrs):
        assert not {"src", "href"} & {name for name, _ in attrs}  # it needs no other file
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside == "title":
            self.title += data


def parsed(path):
    page = Scripts()
    page.feed(path.read_text())
    data, plotly, _ = page.scripts
    assert "plotly.js" in plotly[:300]
    return page.title, json.loads(data)


def test_no_name_of_a_file_is_ever_html(picture, tmp_path):
    pytest.importorskip("plotly")
    evil = replace(picture, source=EVIL, pipeline=EVIL, weights={EVIL: EVIL})
    evil = replace(evil, people=(replace(picture.people[0], warnings=(EVIL,)),))
    item = PageItem(label=EVIL, prediction=evil)
    write_page(tmp_path / "a.html", [item], [(0, GREY)], title=EVIL)
    title, data = parsed(tmp_path / "a.html")
    assert title == data["title"] == data["frames"][0]["label"] == EVIL
    assert data["frames"][0]["people"][0]["warnings"] == [EVIL]


def test_a_page_holds_bodies_angles_and_pictures_and_fetches_nothing(video, tmp_path):
    pytest.importorskip("plotly")
    write_prediction_page(video, tmp_path / "a.html", (GREY for _ in video.frames))
    _, data = parsed(tmp_path / "a.html")
    assert len(data["frames"]) == len(data["pictures"]) == 40 and data["fps"] == 25
    assert data["times"][10] == 0.4 and data["ids"] == [4]
    assert data["frames"][3]["people"][0]["mm"][0] == [200, 100, 4000]  # absolute
    assert len(data["angles"]["4"]["left knee"]) == 40
    assert data["bones"]["h36m17"][3] == [0, 4, "left"]


def test_a_long_video_has_a_picture_for_some_frames_only(video, tmp_path):
    pytest.importorskip("plotly")
    long = replace(video, frames=video.frames * 10)
    write_prediction_page(long, tmp_path / "a.html", (GREY[::8, ::8] for _ in long.frames))
    _, data = parsed(tmp_path / "a.html")
    assert len(data["pictures"]) == 134  # every third of 400
    assert [frame["picture"] for frame in data["frames"][:7]] == [0, 0, 0, 1, 1, 1, 2]


def test_a_page_without_plotly_says_what_to_install(picture, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "plotly.offline", None)
    with pytest.raises(ValueError, match=r"pip install 'posezoo\[html\]'"):
        write_prediction_page(picture, tmp_path / "a.html")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser chromium")
def test_a_browser_shows_the_page_without_an_error(picture, tmp_path):
    pytest.importorskip("plotly")
    write_prediction_page(replace(picture, source=IMG), tmp_path / "a.html", [GREY])
    page = tmp_path / "a.html"
    watch = "<script>window.onerror = (m) => document.body.append('BRO' + 'KEN', m);</script>"
    page.write_text(page.read_text().replace("<body>", f"<body>{watch}", 1))
    command = [
        shutil.which("chromium"), "--headless", "--no-sandbox", "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader", f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=5000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "BROKEN" not in shown
    assert '<h1 id="title">&lt;img src=x onerror' in shown  # what JavaScript wrote
    assert shown.count("<canvas") >= 2 and "left knee" in shown  # picture, body and angles


def test_view_shows_a_prediction_with_its_picture(picture, tmp_path):
    pytest.importorskip("plotly")
    Image.fromarray(GREY).save(tmp_path / "photo.jpg")
    write_json(picture, tmp_path / "photo.json")
    assert view(tmp_path / "photo.json", tmp_path / "a.html") == 1
    _, data = parsed(tmp_path / "a.html")
    assert data["frames"][0]["picture"] == 0 and data["has_2d"]
    write_json(replace(picture, source="gone.jpg"), tmp_path / "gone.json")
    assert view(tmp_path, tmp_path / "all.html") == 2
    _, data = parsed(tmp_path / "all.html")
    assert [frame["picture"] for frame in data["frames"]] == [None, 0]  # gone.json comes first


def test_view_shows_motion_capture(make_mocap, tmp_path):
    pytest.importorskip("plotly")
    path = make_mocap(tmp_path / "a_poses17.h5")
    assert view(path, tmp_path / "a.html", items=5) == 5
    _, data = parsed(tmp_path / "a.html")
    low, high = data["range"]
    assert not data["has_2d"] and data["place"] == "Places in the room, as captured."
    assert low[1] < -1300 and -200 < high[1] < 300  # y down: heads above, the floor at 0


@pytest.mark.parametrize("name", ["none.json", "a.txt", "empty"])
def test_view_says_what_it_cannot_show(tmp_path, name):
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=name):
        view(tmp_path / name, tmp_path / "a.html")
