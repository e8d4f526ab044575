"""Commands in two processes: by torchrun, by `--devices`, and as their ranks by themselves."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE

import pytest
import torch

from posezoo import registry
from posezoo.cli.train import train
from posezoo.evaluation.detections import detect
from posezoo.registry import catalog

ROOT = Path(__file__).parents[2]
PLUGIN = str(Path(__file__).with_name("dying.py"))
PAINTED = ROOT / "tests" / "inference" / "painted.py"
STEPS = 6
SETS = ("eval_every=2", "eval_samples=8", "log_every=1", "normalisation_samples=32")
WORDS = ["--steps", str(STEPS), "--batch-size", "4", "--device", "cpu", "--workers", "0"]
WORDS += [word for item in (*SETS, "data.items=24") for word in ("--set", item)]
DYING = ["train", "dying", "--plugin", PLUGIN, *WORDS]
IMAGES = "resnet18:cut=layer1-hm:block_b=false,kernel=3,strides=1"
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}  # as /proc/net/tcp writes them
ROUNDING = 1e-4  # of losses of some 300, of six steps


def go(folder):
    os.chdir(folder)


def die(text):
    os.environ["DIE"] = text


def detections(run):
    """What `errors` fits to, as numbers."""
    _, found = detect(Path(run), device=torch.device("cpu"))
    return [each.double().flatten().tolist() for each in (found.predicted, found.confidence)]


def losses(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


def assert_as_unbroken(run, unbroken):
    """Each step once, with the losses of one process to rounding."""
    found, expected = losses(run), losses(unbroken)
    assert [step for step, _ in found] == [step for step, _ in expected]
    for (_, one), (_, other) in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=ROUNDING)


@pytest.fixture(scope="module")
def call(invoke):
    """A command in this process, which forgets the plugins that it was given."""

    def run(*words, code=0):
        before = catalog.entries()
        result = invoke(*words)
        _forget(before)
        assert result.exit_code == code, result.output
        return result.output

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory, call):
    """Runs of one process, and photographs."""
    root = tmp_path_factory.mktemp("devices")
    call(*DYING, "--out", root / "lifter")
    call("train", IMAGES, *WORDS, "--image-size", 32, "--out", root / "images")
    before = catalog.entries()
    painted = sys.modules[registry.load_plugin_file(PAINTED)[0].target.partition(":")[0]]
    painted.save_standing(root / "standing")
    (root / "photos").mkdir()
    for number in range(3):
        painted.save_photo(root / "photos" / f"{number}.png", [(100 * number, 0, 3000)])
    _forget(before)
    return root


def predicted(folder, out):
    words = ["--plugin", str(PAINTED), "--no-png", "--focal", "700", "--workers", "0"]
    words += ["--pipeline", str(folder / "standing"), "--detector", "marks"]
    return ["predict", *words, "--out", str(folder / out), str(folder / "photos")]


@pytest.fixture(scope="module")
def answers(folder, in_ranks):
    """What each of two ranks has answered to each of these."""
    run = str(folder / "lifter")
    sweep = ["sweep", "martinez:width=8", *WORDS, "--grid", "lr=1e-3,1e-4,1e-5", "--study"]
    calls = {
        "go": ("go", [str(folder)]),
        "list": ("cli", ["list"]),
        "usage": ("cli", ["train", "--nonsense"]),
        "no out": ("cli", DYING),
        "taken": ("cli", [*DYING, "--out", run]),
        "eval": ("cli", ["eval", run, "--json", "--plugin", PLUGIN]),
        "detections": ("detections", [str(folder / "images")]),
        "predict": ("cli", predicted(folder, "two")),
        "sweep": ("cli", [*sweep, str(folder / "study")]),
        "die": ("die", [f"1 {int(signal.SIGTERM)} 5"]),
        "stop": ("cli", [*DYING, "--out", str(folder / "stopped")]),
    }
    return dict(zip(calls, in_ranks(__file__, [*calls.values()]), strict=True))


def test_a_command_for_one_process_says_so_once(answers):
    (code, printed, said), other = answers["list"]
    assert (code, other[0]) == (2, 2)
    assert printed == ""
    assert said == (
        "error: posezoo list runs in one process, and 2 were started together; those that share "
        "work: train, eval, errors, predict, sweep"
    )


def test_a_mistake_of_the_command_line_is_shown_by_the_first(answers):
    assert [code for code, _, _ in answers["usage"]] == [2, 2]
    assert [text.count("No such option '--nonsense'") for _, text, _ in answers["usage"]] == [1, 0]


def test_two_processes_cannot_train_into_one_folder_or_into_two(answers, folder):
    """Each used to train alone: without --out in a folder of its own, with it one was refused."""
    assert [code for code, _, _ in answers["no out"]] == [0, 0]
    assert [path.name for path in (folder / "runs").iterdir()] == ["dying"]
    assert_as_unbroken(folder / "runs" / "dying", folder / "lifter")
    code, _, said = answers["taken"][0]
    assert (code, answers["taken"][1][0]) == (2, 2)
    assert "lifter already holds a run: add --resume" in said


def test_only_the_first_prints_what_all_would_print(answers):
    (_, first, _), (_, second, _) = answers["no out"]
    assert "2 processes on cpu (gloo) share each batch of 4" in first
    assert second == ""


def test_eval_says_the_same_to_the_last_digit(answers, folder, call):
    alone = call("eval", folder / "lifter", "--json", "--plugin", PLUGIN)
    assert answers["eval"][0][1] == alone
    assert answers["eval"][1][1] == ""


def test_errors_are_fitted_to_the_same_detections(answers, folder):
    alone = detections(folder / "images")
    assert len(alone[0]) == 2 * 17 * len(alone[1]) / 17
    assert answers["detections"] == [alone, alone]


def test_predict_shares_out_the_pictures(answers, folder, call):
    call(*predicted(folder, "one"))
    one, two = (
        {p.name: p.read_bytes() for p in (folder / n).glob("*.json")} for n in ("one", "two")
    )
    assert len(one) == 3
    assert one == two
    printed = [text for _, text, _ in answers["predict"]]
    assert [text.count("1 person") for text in printed] == [2, 1]  # two pictures, and one
    assert "3 done, 3 people" in printed[0] and "done" not in printed[1]


def test_sweep_shares_out_the_points(answers, folder):
    lines = [[*text.splitlines()] for _, text, _ in answers["sweep"]]
    trials = [sorted(line[:9] for line in each if line.startswith("trial ")) for each in lines]
    assert sorted(trials[0] + trials[1]) == ["trial 1/3", "trial 2/3", "trial 3/3"]
    tables = ["runs in trials/" in "".join(each) for each in lines]
    assert tables == [True, False]
    assert len((folder / "study" / "table.csv").read_text().splitlines()) == 1 + 3


def test_a_signal_to_one_stops_all_at_one_step_which_is_saved_once(answers, folder, call):
    """SIGTERM to the second rank in its fifth step; one process goes on with the same batches."""
    stopped = folder / "stopped"
    assert [code for code, _, _ in answers["stop"]] == [143, 143]
    assert answers["stop"][0][2] == (
        f"stopped by SIGTERM: {stopped}/last is of step 5; go on with --resume"
    )
    assert losses(stopped)[-1][0] == 5
    call(*DYING, "--out", stopped, "--resume")
    assert_as_unbroken(stopped, folder / "lifter")


def test_devices_ends_with_one_line_if_a_rank_is_killed_and_goes_on(folder, call, run_bounded):
    """SIGKILL in the fifth step, after a checkpoint at the fourth. Till then nobody listens.

    Nobody outside: gloo's own connections are of the loopback interface.
    """
    killed, heard = folder / "killed", folder / "listeners.json"
    words = [*DYING, "--out", str(killed), "--devices", "2"]
    env = _environment(f"1 {int(signal.SIGKILL)} 5", LISTENERS=str(heard))
    done = run_bounded([sys.executable, "-m", "posezoo", *words], env=env)
    if sys.platform == "linux":
        addresses = json.loads(heard.read_text())
        assert addresses and {*addresses} <= LOOPBACK
    assert done.returncode == 137
    assert done.stderr == (
        "error: rank 1 of 2 was killed by SIGKILL; another of the 2 processes ended; "
        f"{killed}/last is of step 4; go on with --resume\n"
    )
    call(*DYING, "--out", killed, "--resume")
    assert_as_unbroken(killed, folder / "lifter")


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_ranks_stop_and_save_if_what_started_them_is_killed(folder, run_bounded):
    """SIGKILL to `--devices`, in the fifth of very many steps."""
    orphaned = folder / "orphaned"
    words = [*DYING, "--out", str(orphaned), "--devices", "2", "--steps", "1000000"]
    words += ["--set", "eval_every=1000000"]
    env = _environment(f"0 {-int(signal.SIGKILL)} 5")
    done = run_bounded([sys.executable, "-m", "posezoo", *words], env=env)
    assert done.returncode == -signal.SIGKILL
    end = time.monotonic() + 60
    while (left := _processes(str(orphaned))) and time.monotonic() < end:
        time.sleep(0.1)
    for process in left:
        os.kill(process, signal.SIGKILL)
    assert not left
    state = json.loads((orphaned / "last" / "state.json").read_text())
    assert 5 <= state["step"] < 1_000_000


def test_torchrun_starts_again_from_the_last_checkpoint(folder, tmp_path, run_bounded):
    """Without --out too: the second attempt goes on in the folder that the first one began."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", "2", "--max-restarts", "1", "-m", "posezoo"]
    env = _environment(f"0 {int(signal.SIGKILL)} 5")
    done = run_bounded([*torchrun, *DYING], env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["dying"]
    assert "resuming runs/dying" in done.stdout
    assert_as_unbroken(tmp_path / "runs" / "dying", folder / "lifter")


def test_two_machines_meet_and_both_start_again_when_a_rank_of_one_is_killed(folder, tmp_path):
    """As the files for clusters start them, a torchrun each; here over the loopback interface."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
    torchrun += ["--nproc-per-node", "1", "--max-restarts", "1", "--rdzv-id", "two-machines"]
    torchrun += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}"]
    torchrun += ["--local-addr", "127.0.0.1", "-m", "posezoo", *DYING, "--out", "run"]
    env = _environment(f"1 {int(signal.SIGKILL)} 5", GLOO_SOCKET_IFNAME="lo")
    agents = [
        subprocess.Popen(torchrun, env=env, cwd=tmp_path, stdout=PIPE, stderr=PIPE, text=True)
        for _ in range(2)
    ]
    try:
        ended = [(*agent.communicate(timeout=120), agent.returncode) for agent in agents]
    finally:
        for agent in agents:
            agent.kill()
    assert [code for _, _, code in ended] == [0, 0], ended
    printed = [text for text, _, _ in ended if text]
    assert len(printed) == 1 and "resuming run" in printed[0]
    assert_as_unbroken(tmp_path / "run", folder / "lifter")


def test_the_files_for_clusters_name_options_that_there_are():
    options = {word for parameter in train.params for word in parameter.opts}
    for name in ("slurm.sbatch", "kubernetes.yaml"):
        text = (ROOT / "examples" / "cluster" / name).read_text()
        words = text.partition("-m posezoo train")[2].partition("\n")[0].split()
        named = [word for word in words if word.startswith("--")]
        assert {"--out", "--batch-size"} <= {*named} <= options
        assert "--rdzv-id" in text and "--resume" in text


def _processes(word):
    """Those whose command line has the word."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if word.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def _forget(before):
    catalog.discard([entry for entry in catalog.entries() if entry not in before])
    for name in [name for name in sys.modules if name.startswith("posezoo_plugin_")]:
        del sys.modules[name]


def _environment(die, **others):
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "DIE": die, **others}
