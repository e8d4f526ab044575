import pytest

from posezoo.inference.sources import find_sources


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "clip.mp4", "notes.txt", ".hidden.jpg", "in/c.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def names(sources):
    return [source.name.rpartition("/")[2] for source in sources]


def test_a_folder_is_its_pictures_and_videos_in_order(folder):
    sources, problems = find_sources([str(folder)])
    assert names(sources) == ["a.PNG", "b.jpg", "clip.mp4"]
    assert [source.kind for source in sources] == ["picture", "picture", "video"]
    assert [source.stem for source in sources] == ["a", "b", "clip"]
    assert not problems


def test_a_glob_and_a_list_and_a_name_are_each_taken_once(folder):
    given = [f"{folder}/**/*.jpg", "-", str(folder / "b.jpg")]
    lines = [f"{folder}/clip.mp4\n", "\n", f"{folder}/b.jpg\n"]
    sources, problems = find_sources(given, lines)
    assert sorted(names(sources)) == [".hidden.jpg", "b.jpg", "c.jpg", "clip.mp4"]
    assert not problems


def test_a_number_is_a_camera_unless_a_file_is_called_so(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "7").write_bytes(b"")
    sources, _ = find_sources(["0", "7"])
    assert [(source.kind, source.stem) for source in sources] == [
        ("camera", "camera0"), ("picture", "7"),
    ]  # fmt: skip


def test_no_two_sources_write_to_one_name(tmp_path):
    given = ["a/photo.jpg", "a/photo.png", "b/photo.jpg", "c/b/photo.jpg", "d/Photo.bmp"]
    sources, _ = find_sources(given)
    stems = [source.stem for source in sources]
    assert stems == ["photo", "photo.png", "photo.jpg", "b_photo.jpg", "Photo.bmp"]


def test_what_names_nothing_is_a_line(folder):
    (folder / "empty").mkdir()
    given = [f"{folder}/*.gif", str(folder / "empty"), str(folder / "none.jpg")]
    sources, problems = find_sources(given)
    assert names(sources) == ["none.jpg"]  # reading it will say that it is not there
    assert problems == [
        f"{folder}/*.gif: no file fits it",
        f"{folder}/empty: holds no pictures and no videos",
    ]
