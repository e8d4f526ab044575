"""Two processes that share each batch, against one that has it whole."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from posezoo import registry
from posezoo.normalisation import Normalisation
from posezoo.ranks import apart, here
from posezoo.registry import parse_node, parse_pipeline
from posezoo.skeleton import H36M17
from posezoo.testing import head
from posezoo.testing.examples import people
from posezoo.training import loop, runs
from posezoo.training.batch_norm import SyncedBatchNorm, average_statistics, sync

CPU = torch.device("cpu")
ITEMS = 5  # of a batch: two for the first rank, three for the second
ROUNDING = 1e-4  # of sums of some 10^5 float32 numbers; the smallest mistake planted was 0.007
SMALL = {
    "steps": "6",
    "batch_size": str(ITEMS),
    "image_size": "32",
    "eval_every": "3",
    "eval_samples": "8",
    "log_every": "1",
    "normalisation_samples": "64",
    "data.items": "24",
}
LIFTER = "mixste:frames=1,width=16,depth=1"  # no batch norm, no dropout
NORMED = "semgcn:width=8,blocks=1"
PICTURES = "resnet18:cut=layer1-hm:block_b=false,kernel=3,strides=1+martinez:width=16,dropout=0"


def losses_of_shares():
    """How far the losses and gradients of two shares are from the whole batch's."""
    own = here()
    batch = people(ITEMS, size=128, pictures=True)
    few = torch.rand(2, *batch.labelled2d.shape, generator=torch.Generator().manual_seed(0)) < 0.6
    few[:, :2, :, 4:] = False  # of the first rank's people hardly anything is known
    batch = replace(batch, labelled2d=few[0], labelled3d=few[1])
    mine = torch.arange(ITEMS)[own.share(ITEMS)]
    found = {}
    for entry in registry.entries("head"):
        if "model" in entry.parameters():
            continue  # a body model's file; its losses are `squared_error` and `absolute_error`
        subject = head.subject(entry, {})
        part = subject.part
        (features,) = subject.inputs.make(part, ITEMS)
        with torch.no_grad():
            maps = part(features)
        maps.requires_grad_()
        share = part.loss(maps[mine], batch.items(mine))
        with apart():
            whole = part.loss(maps, batch)
        found[entry.key] = _distance(share, whole, [maps])
        if hasattr(part, "loss_of_features"):
            own_features = tuple(each[mine] for each in features)
            share = part.loss_of_features(own_features, batch.items(mine))
            with apart():
                whole = part.loss_of_features(features, batch)
            found[f"{entry.key}, fused"] = _distance(share, whole, list(part.parameters()))
    for form in ("l1", "l2", "mpjpe"):
        norm = Normalisation(skeleton=H36M17, input="px", loss=form)
        predicted = nn.Parameter(batch.joints3d + 10)
        share = norm.loss(predicted[mine], batch.items(mine))
        with apart():
            whole = norm.loss(predicted, batch)
        found[form] = _distance(share, whole, [predicted])
    return found


def _distance(share, whole, parameters):
    """Relative: of the loss, and of all gradients together."""
    grads = [
        torch.cat([
            torch.zeros_like(p).flatten() if g is None else g.flatten()
            for p, g in zip(
                parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True
            )
        ])
        for loss in (share, whole)
    ]  # fmt: skip
    mean, whole = here().mean(share.detach()), whole.detach()
    return [
        float((mean - whole).abs() / whole.abs()),
        float((here().mean(grads[0]) - grads[1]).norm() / grads[1].norm()),
    ]


def norms():
    """How far two layers on shares are from one on the whole: outputs, gradients, statistics."""
    own, shape = here(), (ITEMS, 3, 4, 2)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 + 2
    x = x.float().requires_grad_()
    mine = own.share(ITEMS)
    whole, synced, local = (nn.Sequential(nn.BatchNorm2d(3)) for _ in range(3))
    names = [*synced.state_dict()]
    sync(synced, CPU)
    assert isinstance(synced[0], SyncedBatchNorm)
    assert [*synced.state_dict()] == names
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    expected, found = whole(x), synced(x[mine])
    (right,) = torch.autograd.grad((expected * weight).sum(), x)
    (share,) = torch.autograd.grad((found * weight[mine]).sum(), x)
    local(x[mine])
    average_statistics(local, own)
    means = [x[Part].mean((0, 2, 3)) * 0.1 for Part in (slice(0, 2), slice(2, 5))]
    return {
        "output": _largest(found - expected[mine]),
        "gradient": _largest(own.sum(share) - right),
        "mean": _largest(synced[0].running_mean - whole[0].running_mean),
        "var": _largest(synced[0].running_var - whole[0].running_var),
        "evaluated": _largest(synced.eval()(x) - whole.eval()(x)),
        "local": _largest(local[0].running_mean - (means[0] + means[1]) / 2),
    }


def _largest(difference):
    return float(difference.detach().abs().max())


def train(out, pipeline, strategy="separate", changes=None, resume=False):
    """A run of some steps; what it said."""
    said = []

    class Listener:
        def note(self, text):
            said.append(text)

        def step(self, record, timing):
            pass

        def evaluation(self, step, evaluation):
            pass

        def close(self):
            pass

    folder, settings, _ = runs.plan(
        pipeline=parse_pipeline(pipeline),
        strategy=parse_node(strategy),
        preset="laptop" if "-" in pipeline else "none",
        changes={} if resume else SMALL | (changes or {}),
        out=Path(out),
        resume=resume,
        device="cpu",
    )
    try:
        runs.start(
            folder, settings, device="cpu", workers=0, resume=resume, loggers=[Listener()],
            draw=False,
        )  # fmt: skip
    except ValueError as error:
        return str(error)
    return said


def spoiled(out):
    """Train where a number of the second rank's items is NaN in the fifth batch; what was said."""
    whole = loop.training_batches

    def batches(*args, **kwargs):
        for number, batch in enumerate(whole(*args, **kwargs)):
            if number == 4 and not here().is_first:
                batch.joints3d[0, 0, 3, 1] = float("nan")
            yield batch

    loop.training_batches = batches
    said = train(out, LIFTER)
    loop.training_batches = whole
    return said


# Adam makes whole steps of gradients that are but rounding, such as those of a bias before a norm.
PLAIN = {"batch_norm": "sync", "optimizer": "sgd"}
RUNS = {
    "lifter": (LIFTER, "separate", {"lifter.loss": "mpjpe"}),
    "ema": (LIFTER, "separate", {"ema": "0.9", "grad_clip": "1", "augment": "mirror"}),
    "synced": (NORMED, "separate", PLAIN),
    "local": (NORMED, "separate", {}),
    "pictures": (PICTURES, "finetune:first_share=0.5", PLAIN | {"bf16": "off", "lr": "1e-5"}),
}


@pytest.fixture(scope="module")
def answers(in_ranks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    calls = [("losses_of_shares", []), ("norms", [])]
    calls += [("train", [str(folder / name), *args]) for name, args in RUNS.items()]
    calls += [("train", [str(folder / "few"), LIFTER, "separate", {"batch_size": "3"}])]
    calls += [("spoiled", [str(folder / "nan")])]
    found = in_ranks(__file__, calls)
    names = ["losses", "norms", *RUNS, "few", "nan"]
    return folder, dict(zip(names, found, strict=True))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The same runs in this process alone, each when it is first asked for."""
    folder = tmp_path_factory.mktemp("one")

    def run(name):
        if not (folder / name).exists():
            train(folder / name, *RUNS[name])
        return folder / name

    return run


def logged(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(folder):
    return torch.tensor([line["loss"] for line in logged(folder) if "loss" in line])


def errors(folder):
    return [line["val"]["mpjpe_mm"] for line in logged(folder) if "val" in line]


def test_every_loss_of_two_shares_is_the_whole_batch_s_whatever_is_labelled(answers):
    """Five people, of the first two hardly a joint is labelled."""
    for found in answers[1]["losses"]:
        assert len(found) > 12
        wrong = {name: far for name, far in found.items() if max(far) > ROUNDING}
        assert not wrong


def test_synced_batch_norm_is_that_of_the_whole_batch(answers):
    """Values of size 10: a rounding is 1e-6, and sums have 40 of them."""
    for found in answers[1]["norms"]:
        assert max(found.values()) < 4e-5, found


@pytest.mark.parametrize("name", ["lifter", "ema", "synced", "pictures"])
def test_two_processes_have_the_losses_of_one(answers, alone, name):
    """Uneven shares, 2 and 3 of 5 people; two stages, EMA and clipping, and synced batch norm."""
    one, two = losses(alone(name)), losses(answers[0] / name)
    assert len(one) == 6
    torch.testing.assert_close(two, one, rtol=ROUNDING, atol=0)
    assert errors(answers[0] / name) == pytest.approx(errors(alone(name)), rel=ROUNDING)


def test_local_batch_norm_is_another_training_and_says_so(answers, alone):
    one, two = losses(alone("local")), losses(answers[0] / "local")
    assert not torch.allclose(two, one, rtol=ROUNDING, atol=0)
    assert answers[1]["local"][0][0] == (
        "2 processes on cpu (gloo) share each batch of 5; batch norm local, each by its own items"
    )
    assert "batch norm sync, by the whole batch" in answers[1]["synced"][0][0]
    assert answers[1]["lifter"][0][0].endswith("share each batch of 5")


def test_one_process_writes_and_speaks(answers):
    folder, found = answers
    assert found["lifter"][1] == []  # the second rank's loggers heard nothing
    steps = [line["step"] for line in logged(folder / "lifter") if "loss" in line]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_batch_that_is_too_small_for_all_is_refused_before_there_is_a_folder(answers):
    folder, found = answers
    assert found["few"][0].startswith("batch_size=3 for 2 processes: expected at least 2 items")
    assert found["few"][0] == found["few"][1]
    assert not (folder / "few").exists()


def test_nan_in_one_share_stops_both_at_its_step_and_names_its_item(answers):
    folder, found = answers
    first, second = found["nan"]
    assert first == second
    assert "nan at step 5" in first
    assert f"{folder / 'nan'}/last is of step 3. The data has NaN: joints3d of " in first


def test_a_batch_norm_of_its_own_kind_cannot_be_synced():
    class Own(nn.BatchNorm1d):
        def forward(self, x):
            return x

    with pytest.raises(ValueError, match=r"batch_norm=sync: Own is .* --set batch_norm=local"):
        sync(nn.Sequential(Own(2)), CPU)


def test_on_a_gpu_torch_s_own_layer_takes_its_place():
    layers = nn.Sequential(nn.BatchNorm2d(2))
    sync(layers, torch.device("cuda"))
    assert isinstance(layers[0], nn.SyncBatchNorm)
