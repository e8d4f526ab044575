import csv
import json

import numpy as np
import pytest

from posezoo.data.inspect.diagnose import diagnose
from posezoo.data.store.store import Store
from posezoo.skeleton import H36M17

VIEW = "54138969"


@pytest.fixture
def table(studio):
    return {
        "joints": "h36m17",
        "subject": ["anna"] * 12,
        "action": ["walk"] * 12,
        "sequence": ["walk 1"] * 12,
        "view": [VIEW] * 12,
        "frame": [*range(100, 112)],
        "joints2d_px": studio.px(VIEW)[:, studio.used],
        "joints3d_mm": studio.mm(VIEW)[:, studio.used],
        "camera": [[*studio.lenses[VIEW], 1.0]] * 12,
    }


@pytest.fixture
def write(tmp_path):
    def save(ending, table):
        path = tmp_path / f"poses.{ending}"
        if ending == "npz":
            np.savez(path, **table)
        elif ending == "json":
            lists = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in table.items()}
            path.write_text(json.dumps(lists).replace("NaN", "null"))
        else:
            _write_csv(path, table)
        return path

    return save


def _write_csv(path, table):
    """Joints in another order than the set's: names decide."""
    lens = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "p1", "p2", "tangential_factor")
    rows = []
    for k in range(len(table["frame"])):
        row = {name: table[name][k] for name in ("subject", "action", "sequence", "view", "frame")}
        for name, joint in sorted((name, j) for j, name in enumerate(H36M17.joints)):
            for key, axes in {"joints2d_px": "xy", "joints3d_mm": "xyz"}.items():
                unit = key[-2:]
                for axis, value in zip(
                    axes, table[key][k][joint] if key in table else (), strict=False
                ):
                    row[f"{name}_{axis}_{unit}"] = "" if np.isnan(value) else repr(float(value))
        row |= dict(zip(lens, table["camera"][k], strict=True)) if "camera" in table else {}
        rows.append(row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("ending", ["csv", "json", "npz"])
def test_a_table_of_ones_own_becomes_a_store(write, table, studio, convert_to, same_as, ending):
    store, report = convert_to("own", write(ending, table))
    same_as(store, VIEW, table["joints3d_mm"], table["joints2d_px"])
    assert store["frame"].tolist() == [*range(100, 112)]
    assert (store.names("subject")[0], store.names("action")[0]) == ("anna", "walk")
    assert report.remarks == []


@pytest.mark.parametrize("ending", ["csv", "json", "npz"])
def test_what_is_left_empty_is_not_labelled(write, table, convert_to, ending):
    table["joints2d_px"][3, 5] = np.nan
    table["joints3d_mm"][3, 5] = np.nan
    store, _ = convert_to("own", write(ending, table))
    assert np.argwhere(store["labelled3d"] == 0).tolist() == [[3, 5]]
    assert np.argwhere(store["labelled2d"] == 0).tolist() == [[3, 5]]


def test_without_a_lens_it_is_found_or_taken_from_the_users_file(
    write, table, cameras, convert_to, refuses, same_as
):
    del table["camera"]
    store, report = convert_to("own", write("npz", table))
    same_as(store, VIEW, table["joints3d_mm"], table["joints2d_px"])
    assert "fitted" in report.remarks[0]["reason"]
    del table["joints2d_px"]
    refuses("own", write("csv", table), "its camera is not known: give columns fx")


def test_3d_alone_is_seen_by_the_camera_of_its_view(
    write, table, cameras, studio, convert_to, same_as
):
    del table["camera"], table["joints2d_px"]
    store, _ = convert_to("own", write("csv", table), cameras=cameras)
    same_as(store, VIEW, table["joints3d_mm"], studio.px(VIEW)[:, studio.used])


def test_2d_alone_has_no_3d(write, table, convert_to):
    del table["joints3d_mm"]
    store, _ = convert_to("own", write("npz", table))
    assert store["labelled2d"].all()
    assert not store["labelled3d"].any()


def test_wrong_tables_are_refused(write, table, refuses, tmp_path):
    refuses("own", write("npz", table | {"joints": "h36m18"}), "unknown joint set 'h36m18'")
    refuses("own", write("npz", table | {"join3d": [1]}), "unknown columns join3d")
    refuses("own", write("json", table | {"camera": [[1, 2]] * 12}), r"camera is \(12, 2\), exp")
    short = {"joints2d_px": table["joints2d_px"][:, :16], "joints3d_mm": table["joints3d_mm"]}
    refuses("own", write("npz", table | short), r"joints2d_px is \(12, 16, 2\), expected")
    metres = table["joints3d_mm"] / 1000
    refuses("own", write("npz", table | {"joints3d_mm": metres}), "must be in mm.*like metres")
    path = write("csv", table)
    path.write_text(path.read_text().replace("pelvis_x_px", "hips_x_px"))
    refuses("own", path, "no joint set; nearest is h36m17.*not in it hips")
    path = write("csv", table)
    path.write_text(path.read_text().replace("walk 1", "walk 1,x,y", 1))
    refuses("own", path, "poses.csv: .*expected the table")
    path = write("npz", table)
    path.write_bytes(path.read_bytes()[:4000])
    refuses("own", path, "cut or damaged")
    refuses("own", tmp_path, "expected a file named")


def test_a_lens_of_four_numbers_has_no_distortion_and_opencvs_factor(write, table, convert_to):
    del table["joints3d_mm"]
    path = write("csv", table)
    lines = [line.split(",")[:-6] for line in path.read_text().splitlines()]
    path.write_text("\n".join(",".join(line) for line in lines))
    store, _ = convert_to("own", path)
    assert store["camera"][0].tolist() == [1145.0, 1143.8, 512.5, 515.5, 0, 0, 0, 0, 0, 2]


@pytest.mark.parametrize(("separator", "point"), [(";", "."), (";", ","), ("\t", "."), ("\t", ",")])
def test_a_spreadsheets_csv_is_read(write, table, studio, convert_to, same_as, separator, point):
    path = write("csv", table)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    rows = [[cell.replace(".", point) for cell in row] for row in rows]
    frame = rows[0].index("frame")
    for row in rows[1:]:
        row[frame] += f"{point}0"  # 100.0, as pandas writes a column with a gap
    capital = path.with_name("POSES.CSV")
    text = "\r\n".join(separator.join(row) for row in rows)
    capital.write_bytes(b"\xef\xbb\xbf" + f"sep={separator}\r\n{text}".encode())
    store, _ = convert_to("own", capital)
    same_as(store, VIEW, table["joints3d_mm"], table["joints2d_px"])
    assert store["frame"].tolist() == [*range(100, 112)]


def test_a_frame_between_two_and_a_heading_that_stands_twice_are_refused(write, table, refuses):
    table["frame"][3] = 103.5
    refuses("own", write("csv", table), "frame is 103.5, expected a whole number")
    path = write("csv", table)
    path.write_text(path.read_text().replace("action", "subject", 1))
    refuses("own", path, "two columns are called subject")


def test_a_key_that_stands_twice_in_a_json_is_refused(write, table, refuses):
    path = write("json", table)
    path.write_text(path.read_text()[:-1] + ', "subject": "ben"}')
    refuses("own", path, "the key subject stands twice")


def test_pictures_without_their_folder_are_named_in_the_report(write, table, convert_to):
    _, report = convert_to("own", write("json", table | {"image": ["a.jpg"] * 12}))
    assert any("its picture is named but not taken: give --images" in x for x in report.lines())


def test_pictures_of_a_table_stay_below_the_folder(write, table, refuses, tmp_path, save_picture):
    save_picture(tmp_path / "secret.jpg")
    outside = write("json", table | {"image": ["../secret.jpg"] * 12})
    refuses("own", outside, "leads out of the folder of --images", images=tmp_path / "images")


def test_one_person_is_split_by_time_with_a_gap_and_said_so(write, table, convert_to):
    store, report = convert_to("own", write("json", table))
    sides = {split: Store(path=store.path, split=split) for split in ("train", "val")}
    assert sides["train"].subjects == ("anna",)
    assert sides["val"].subjects == ("anna (last fifth)",)
    assert [len(side) for side in sides.values()] == [9, 2]  # of 12: one in the gap
    assert any("'anna (last fifth)' is held out, and says nothing" in x for x in report.lines())


def test_two_people_under_one_name_in_one_frame_are_refused(write, table, refuses):
    table["frame"] = [100, 100, *range(102, 112)]
    refuses("own", write("json", table), "frame 100 stands twice; people in one picture need a sub")


def test_a_cell_without_end_is_refused_in_one_short_line(write, table, refuses):
    path = write("csv", table)
    path.write_text(path.read_text().replace("anna", "a" * 200_000, 1))
    refuses("own", path, "field larger than field limit")


def flat(table, **more):
    """The table without 3D and without a lens."""
    lost = ("joints3d_mm", "camera")
    return {name: values for name, values in table.items() if name not in lost} | more


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_2d_alone_gets_an_assumed_lens_from_the_pictures_size(write, table, convert_to, ending):
    store, report = convert_to("own", write(ending, flat(table, size_px=[1000, 1002])))
    focal = np.hypot(1000, 1002)
    assert store["camera"][0, :4].tolist() == [focal, focal, 499.5, 500.5]
    assert not store["labelled3d"].any()
    assert "lens not known: focal length assumed to be the diagonal" in "".join(report.lines())


def test_in_a_csv_the_size_is_width_and_height(write, table, convert_to):
    path = write("csv", flat(table))
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},width,height", *(f"{row},640,480" for row in rows)]))
    store, _ = convert_to("own", path)
    assert store["camera"][0, :4].tolist() == [800, 800, 319.5, 239.5]


def test_the_picture_tells_its_size_where_the_table_does_not(
    write, table, convert_to, refuses, tmp_path, save_picture
):
    for frame in range(12):
        save_picture(tmp_path / "images" / f"{frame}.png", 1000, 1002)
    seen = flat(table, image=[f"{frame}.png" for frame in range(12)])
    store, _ = convert_to("own", write("json", seen), images=tmp_path / "images")
    assert store["camera"][0, 2:4].tolist() == [499.5, 500.5]
    assert store["size_px"][0].tolist() == [1000, 1002]
    refuses(
        "own", write("json", flat(table)), "give columns fx, .* or width and height, or --images"
    )
    sizes = [[640, 480]] * 6 + [[480, 640]] * 6
    refuses("own", write("json", flat(table, size_px=sizes)), "expected one size")


@pytest.mark.parametrize("with_2d", [True, False])
def test_axes_of_opengl_are_named(write, table, refuses, with_2d):
    gl = dict(table, joints3d_mm=table["joints3d_mm"] * [1, -1, -1])
    if with_2d:
        del gl["camera"]
    else:
        del gl["joints2d_px"]
    refuses("own", write("json", gl), "as in OpenGL and Blender.*multiply y and z by -1")


def test_y_up_alone_is_named_where_it_does_not_project_and_by_data_check(
    write, table, refuses, convert_to, tmp_path
):
    up = dict(table, joints3d_mm=table["joints3d_mm"] * [1, -1, 1])
    refuses("own", write("json", up), "people stand on their heads: y points up.*multiply y by -1")
    del up["joints2d_px"]
    convert_to("own", write("json", up))
    found = {each.fault: each for each in diagnose(tmp_path / "out" / "store.h5").findings}
    assert (found["y-up"].frames, found["y-up"].where) == (12, "anna walk 1 54138969")
    assert "multiply y by -1" in found["y-up"].cure


def test_upright_people_have_no_such_fault(write, table, convert_to, tmp_path):
    convert_to("own", write("json", table))
    found = [each.fault for each in diagnose(tmp_path / "out" / "store.h5").findings]
    assert "y-up" not in found
