"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from posezoo.cli.devices import devices_option
from posezoo.cores import keep_freed_memory

MOST_WORKERS = 256  # processes; far more than any machine feeds a network with


def _computes(context: click.Context, option: click.Parameter, device: str) -> str:
    """A command that asks for a device will need memory again and again."""
    keep_freed_memory()
    return device


device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="Where to compute.",
    callback=_computes,
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(0, MOST_WORKERS),
    help="Processes that load data.  [default: half of the cores for pictures beside a CPU, all "
    "but one beside a GPU, none without pictures]",
)
evaluation_workers_option = click.option(
    "--workers",
    type=click.IntRange(0, MOST_WORKERS),
    default=0,
    show_default=True,
    help="Processes that load data; 0 loads it between the steps.",
)
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A Python file that registers entries.",
)


def _dataset(ctx: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Refuse the name of a file where a dataset is to be named, and say how it becomes one."""
    file = Path((text or "").partition(":")[0])
    if how := _BECOMES_DATA.get(file.suffix.lower()):
        raise click.BadParameter(f"'{file}' is a file, not a dataset: {how.format(file)}")
    return text


_PICTURE = "find people in it with posezoo predict {} --out results"
_CONVERT = "posezoo data convert --from FORMAT {} poses.h5, then --data store:path=poses.h5"
_BECOMES_DATA = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".mp4", ".mov", ".avi"), _PICTURE),
    **dict.fromkeys((".npz", ".npy", ".pkl", ".mat", ".csv", ".bvh", ".amc"), _CONVERT),
    ".json": _CONVERT.replace("FORMAT", "coco"),
    ".h5": "--data store:path={0}, or mocap:path={0} for motion without pictures",
}


def data_option(default: str) -> Callable[..., Any]:
    """`--data NODE`, which answers the name of a file with what to do with it."""
    help_ = f"Dataset.  [default: {default}]"
    return click.option("--data", metavar="NODE", callback=_dataset, help=help_)


def _run(ctx: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a picture or a data file where a run is to be named, and say what takes it."""
    if path and path.is_file() and (how := _BECOMES_DATA.get(path.suffix.lower())):
        raise click.BadParameter(f"'{path}' is a file, not a run: {how.format(path)}")
    return path


run_argument = partial(
    click.argument, "run", type=click.Path(path_type=Path), callback=_run, metavar="DIR"
)
# Several words are one pipeline, written with other signs: what is to be typed is said of them.
pipeline_argument = click.argument(
    "pipeline",
    metavar="[PIPELINE]",
    nargs=-1,
    callback=lambda ctx, argument, words: " ".join(words) or None,
)

_TRAINING = (
    click.option(
        "--strategy", metavar="NODE", help="How it learns.  [default: multitask or separate]"
    ),
    data_option("synthetic"),
    click.option(
        "--preset", metavar="NAME", help="Named settings.  [default: laptop, gpu or lifter]"
    ),
    click.option("--steps", type=int, help="Number of steps."),
    click.option("--epochs", type=float, help="The same, in passes over the data."),
    click.option("--limit", type=int, help="Train on the first N items only."),
    click.option("--batch-size", type=int, help="Items a step."),
    click.option("--image-size", type=int, help="Pixels of the square picture."),
    click.option("--lr", type=float, help="Learning rate at its highest."),
    click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any other setting."),
    device_option,
    devices_option,
    workers_option,
    plugin_option,
)


class TrainingCommand(click.Command):
    """A command whose help ends in the presets, and in the settings that --set takes."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them below the options."""
        super().format_options(ctx, formatter)
        from posezoo.settings import presets, settable

        with formatter.section("Presets"):
            formatter.write_dl([(name, each["summary"]) for name, each in presets().items()])
        with formatter.section("Settings of --set"):
            formatter.write_dl(
                [
                    *settable().items(),
                    ("PART.NAME", "of a part, as lifter.dropout; posezoo info KEY lists them"),
                    ("PART", "backbone, head, lifter, strategy, data"),
                ]
            )


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What and how to train: the options of train that sweep has too."""
    for option in reversed(_TRAINING):
        command = option(command)
    return command


def split_setting(item: str) -> tuple[str, str]:
    """The name and the value of a `--set` item."""
    name, equals, value = item.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--set {item}: expected KEY=VALUE, as in --set lifter.dropout=0.25")
    return name, value
