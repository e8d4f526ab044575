import json

import pytest

from posezoo.inference.boxes import Boxes, parse_box, read_boxes


def test_a_box_is_four_numbers():
    assert parse_box("10, 20.5,100,200").tolist() == [10, 20.5, 100, 200]
    for text in ("1,2,3", "a,b,c,d", "1,2,0,4", "1,2,3,nan", ""):
        with pytest.raises(ValueError, match=r"expected x,y,width,height"):
            parse_box(text)


def test_a_file_names_pictures_by_path_or_by_name(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({"a.jpg": [[1, 2, 3, 4], [5, 6, 7, 8]], "x/b.jpg": []}))
    boxes = Boxes.of_user([parse_box("9,9,9,9")], read_boxes(path))
    assert boxes.of("somewhere/a.jpg").tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert boxes.of("x/b.jpg").shape == (0, 4)
    assert boxes.of("c.jpg").tolist() == [[9, 9, 9, 9]]
    assert Boxes().of("c.jpg") is None


@pytest.mark.parametrize(
    "text", ["[", "[1]", '{"a": [[1, 2]]}', '{"a": [[1, 2, -3, 4]]}', '{"a": 1}']
)
def test_a_file_of_something_else_is_one_line(tmp_path, text):
    path = tmp_path / "boxes.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"boxes\.json") as error:
        read_boxes(path)
    assert "[[x, y, width, height], ...]" in str(error.value)
