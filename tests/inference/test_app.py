"""The page of `posezoo app` in a real browser, where gradio, selenium and chromium are there."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.error
import urllib.request

import pytest

gradio = pytest.importorskip("gradio")
pytest.importorskip("plotly")
pytest.importorskip("selenium")
if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
    pytest.skip("needs chromium and chromedriver", allow_module_level=True)

from selenium import webdriver  # noqa: E402 - only where they are there
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from posezoo.inference.app import serve  # noqa: E402
from posezoo.inference.lens import Lens  # noqa: E402
from posezoo.inference.predictor import Predictor  # noqa: E402


@pytest.fixture
def app(painted, tmp_path):
    predictor = Predictor(
        painted.save_standing(tmp_path / "run"), detector="marks", lens=Lens(focal_px=700)
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = serve(predictor, port=port, wait=False)
    yield running
    running.close()


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    for word in (
        "--headless=new", "--no-sandbox", "--window-size=1300,1250", "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader", f"--user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(word)
    options.binary_location = shutil.which("chromium")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def upload(browser, app, path):
    browser.get(f"http://127.0.0.1:{app.server_port}")
    find = WebDriverWait(browser, 60).until
    find(lambda b: b.find_element(By.CSS_SELECTOR, "input[type=file]")).send_keys(str(path))
    return find


def test_a_dropped_picture_comes_back_in_2d_and_3d_with_numbers_and_files(
    browser, app, painted, tmp_path
):
    photo = painted.save_photo(tmp_path / "<i>photo.png", [(100, 50, 3000), (-700, 0, 4000)])
    find = upload(browser, app, photo)
    find(lambda b: b.find_elements(By.CSS_SELECTOR, ".js-plotly-plot .gl-container canvas"))
    links = find(lambda b: b.find_elements(By.CSS_SELECTOR, "a[href*='.bvh']"))
    assert len({link.get_attribute("href") for link in links}) == 2  # a file for each person
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "left knee, degrees" in text and "100, 50, 3000" in text
    address = browser.find_element(By.CSS_SELECTOR, "a[href*='.json']").get_attribute("href")
    with urllib.request.urlopen(address, timeout=20) as answer:  # the page's own address
        content = json.load(answer)
    assert [person["root_mm"][2] for person in content["people"]] == pytest.approx(
        [3000, 4000], abs=1
    )
    assert content["source"].endswith("photo.png") and "/" not in content["source"]
    browser.save_screenshot(str(tmp_path / "app.png"))


def test_a_picture_that_cannot_be_read_is_said_in_the_page(browser, app, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture at all")
    find = upload(browser, app, tmp_path / "broken.png")
    find(lambda b: "is not a picture" in b.find_element(By.TAG_NAME, "body").text)


def test_only_this_machine_can_reach_it_and_uploads_have_a_limit(app):
    assert app.server_name == "127.0.0.1" and app.share is False
    assert app.analytics_enabled is False
    for size, code in ((2**20, 200), (21 * 2**20, 413)):
        body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        body += bytes(size) + b"\r\n--x--\r\n"
        request = urllib.request.Request(
            f"http://127.0.0.1:{app.server_port}/gradio_api/upload",
            body,
            {"Content-Type": "multipart/form-data; boundary=x"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == code
        except urllib.error.HTTPError as error:
            assert error.code == code
