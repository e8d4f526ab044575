"""What a folder of results already holds."""

from posezoo.inference.ledger import FILE, Ledger


def test_a_line_that_a_kill_has_cut_costs_that_source_and_not_the_next(tmp_path):
    Ledger(tmp_path, {}).add("a", ["a.jpg"], 1)
    with (tmp_path / FILE).open("a") as file:
        file.write('{"stem": "b", "peo')
    again = Ledger(tmp_path, {})
    assert again.people("b", ["b.jpg"], []) is None
    again.add("b", ["b.jpg"], 2)
    again.add("c", ["c.jpg"], 3)
    found = Ledger(tmp_path, {})
    assert [found.people(each, [f"{each}.jpg"], []) for each in "abc"] == [1, 2, 3]
