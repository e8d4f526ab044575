"""A page on this machine: drop a picture, see its people in 2D and 3D, take the numbers home.

It listens on 127.0.0.1 only, takes one picture of at most 20 MB at a time, and tells nobody: no
statistics are sent, no fonts fetched. Needs the extra `app` (gradio).
"""

from __future__ import annotations

import html
import importlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.drawing import LEGEND, coloured_bones
from posezoo.inference.angles import joint_angles
from posezoo.inference.formats.bvh import write_bvh
from posezoo.inference.formats.overlay import draw_people
from posezoo.inference.formats.prediction_json import write_json
from posezoo.inference.formats.tracks import placed, tracks_of
from posezoo.inference.people import Person, Prediction
from posezoo.inference.picture import read_picture
from posezoo.inference.predictor import Predictor
from posezoo.skeleton import get_skeleton

HOST, PORT = "127.0.0.1", 7860
LARGEST_UPLOAD = 20 * 2**20  # bytes
_APART_MM = 1200.0  # people whose distance is not known
_HOURS_KEPT = 1  # uploads and downloads, on this machine's disk


def serve(
    predictor: Predictor, *, port: int = PORT, opened: bool = False, wait: bool = True
) -> Any:  # gradio's app
    """Serve the page; with `wait`, until the process is interrupted.

    Raises:
        ValueError: gradio or plotly is missing, or the port is taken.
    """
    gradio = _import("gradio")
    _import("plotly.graph_objects")
    downloads = tempfile.TemporaryDirectory(prefix="posezoo-")  # gone when the process ends
    app = _build(gradio, predictor, Path(downloads.name))
    app.downloads = downloads
    try:
        app.launch(
            server_name=HOST,
            server_port=port,
            share=False,
            inbrowser=opened,
            max_file_size=LARGEST_UPLOAD,
            prevent_thread_lock=True,
            quiet=True,
            theme=gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        )
    except OSError:
        raise ValueError(f"port {port} is taken: give another by --port") from None
    if wait:
        app.block_thread()
    return app


def _build(gradio: Any, predictor: Predictor, downloads: Path) -> Any:
    kept = _HOURS_KEPT * 3600
    with gradio.Blocks(title="posezoo", analytics_enabled=False, delete_cache=(kept, kept)) as app:
        gradio.Markdown(f"# posezoo\n`{predictor.name}`; {LEGEND}")
        given = gradio.File(
            label="Drop a picture", type="filepath", file_types=["image"], height=120
        )
        with gradio.Row():
            seen = gradio.Image(label="2D", interactive=False, height=480, buttons=["fullscreen"])
            space = gradio.Plot(label="3D")
        with gradio.Row():
            numbers = gradio.Dataframe(label="Numbers", interactive=False)
            with gradio.Column():
                files = gradio.File(label="Download JSON and BVH", interactive=False)
                doubts = gradio.Textbox(label="What to doubt", interactive=False, lines=3)
        shown = [seen, space, numbers, doubts, files]
        # Not gradio's picture box: that one decodes and writes the file anew, without its EXIF.
        given.upload(lambda path: _look(gradio, predictor, path, downloads), given, shown)
    return app


def _look(gradio: Any, predictor: Predictor, path: str, downloads: Path) -> tuple[Any, ...]:
    """What the page shows of a picture."""
    try:
        picture = read_picture(path)
        found = predictor.picture(replace(picture, source=Path(path).name))
    except ValueError as error:
        raise gradio.Error(html.escape(str(error))) from None  # gradio takes it for HTML
    doubts = [f"{person.id}: {text}" for person in found.people for text in person.warnings]
    if not found.people:
        doubts = ["Nobody found. A person should fill a third of the picture or more."]
    elif found.camera_assumed:
        doubts.append("The focal length is assumed, so how far away people are is not known.")
    return (
        draw_people(picture.pixels, found.people),
        body_figure(found),
        {"headers": ["", *(f"person {each.id}" for each in found.people)], "data": _rows(found)},
        "\n".join(doubts),
        _files(found, downloads),
    )


def body_figure(prediction: Prediction) -> Any:  # plotly's Figure
    """Everybody in 3D, to turn around; axes alike, mm. Who has no place stands in a row."""
    graphs = _import("plotly.graph_objects")
    lifted = [person for person in prediction.people if person.joints3d is not None]
    lifted.sort(key=lambda person: float(person.box_px[0]))
    traces = []
    for rank, person in enumerate(lifted):
        (track,) = tracks_of(replace(prediction, people=(person,)))
        (points,), known = placed(track)
        points = points + ([0, 0, 0] if known else [rank * _APART_MM, 0, 0])
        names = get_skeleton(person.joint_set)
        for start, end, colour in coloured_bones(names):
            x, y, z = points[[start, end]].T  # y up, z towards the camera
            traces.append(
                graphs.Scatter3d(
                    x=x, y=-z, z=y, mode="lines", line={"color": colour, "width": 7},
                    hovertext=f"person {person.id}: {names.joints[end]}", hoverinfo="text",
                    showlegend=False,
                )
            )  # fmt: skip
    titles = {"xaxis": "x, mm", "yaxis": "away, mm", "zaxis": "up, mm"}
    return graphs.Figure(
        traces,
        layout={
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "height": 440,
            "scene": {
                **{axis: {"title": {"text": text}} for axis, text in titles.items()},
                "aspectmode": "data",
                "camera": {"eye": {"x": 0.5, "y": -1.7, "z": 0.35}},
            },
        },
    )


def _rows(prediction: Prediction) -> list[list[str]]:
    """Confidence, place and angles of everybody, a row for each."""
    columns = [_numbers(person) for person in prediction.people]
    names = list(dict.fromkeys(name for column in columns for name in column))
    return [[name, *(column.get(name, "") for column in columns)] for name in names]


def _numbers(person: Person) -> dict[str, str]:
    numbers = {"score": f"{person.score:.2f}"}
    if person.root_mm is not None:
        numbers["root x, y, z mm"] = ", ".join(f"{value:.0f}" for value in person.root_mm)
    if person.joints3d is not None:
        angles = joint_angles(person.joints3d, get_skeleton(person.joint_set))
        numbers |= {f"{name}, degrees": f"{value:.0f}" for name, value in angles.items()}
    known = np.isfinite(person.confidence)
    numbers["confidence, least"] = f"{person.confidence[known].min():.2f}" if known.any() else ""
    return numbers


def _files(prediction: Prediction, downloads: Path) -> list[str]:
    folder = Path(tempfile.mkdtemp(dir=downloads))
    stem = Path(prediction.source).stem or "picture"
    path = folder / f"{stem}.json"
    write_json(prediction, path)
    paths = [path]
    for track in tracks_of(prediction):
        paths.append(folder / f"{stem}_{track.id}.bvh")
        write_bvh(track, paths[-1])
    return [str(each) for each in paths]


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ValueError(f"the app needs {package}: pip install 'posezoo[app]'") from error
