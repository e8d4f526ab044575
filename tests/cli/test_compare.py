import json


def test_a_run_and_its_evaluation_printed_again_are_equal(lifter_run, invoke, tmp_path):
    again = tmp_path / "again.json"
    again.write_text(invoke("eval", lifter_run, "--json").output)
    result = invoke("compare", lifter_run, again)
    assert result.exit_code == 0, result.output
    line = f"{again} is 0.00 mm worse (95 % 0.00 to 0.00, over the same sequences)"
    assert f"  {line}: not significant" in result.output.replace(
        f"{lifter_run} is",
        f"{again} is",  # of equal ones either may come first
    )
    error = json.loads(again.read_text())["mpjpe_mm"]
    assert result.output.count(f"  {error:.2f}  ") == 2


def test_other_protocols_end_with_1_and_the_command_that_helps(lifter_run, invoke, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(invoke("eval", lifter_run, "--protocol", "actions", "--json").output)
    result = invoke("compare", lifter_run, other)
    assert result.exit_code == 1
    assert "different protocols" in result.output
    assert "posezoo eval RUN --data synthetic" in result.output
    found = json.loads(invoke("compare", lifter_run, other, "--json").output)
    assert not found["ranked"]
    assert len(found["runs"]) == 2


def test_mistakes_are_one_clear_line(lifter_run, invoke, tmp_path):
    for args, expected in (
        ([lifter_run, tmp_path], "no evaluation there"),
        ([lifter_run], "at least two"),
    ):
        result = invoke("compare", *args)
        assert result.exit_code == 2
        assert expected in result.output
