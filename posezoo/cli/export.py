"""`posezoo export`: a trained pipeline as a file for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from posezoo import registry
from posezoo.cli.options import plugin_option

if TYPE_CHECKING:
    from posezoo.export import Format, Trial

_EPILOG = """\b
Examples:
  posezoo export semgcn.cmu --out lifter.onnx  # needs posezoo[onnx]
  posezoo export runs/resnet50-hm+martinez --format pt2  # needs a run, half a minute
"""


@click.command(epilog=_EPILOG)
@click.argument("what", metavar="RUN|NAME")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["onnx", "pt2"]),
    default="onnx",
    show_default=True,
    help="For any runtime, or for torch.export and AOTInductor.",
)
@click.option("--out", type=click.Path(path_type=Path), help="File.  [default: the name of RUN]")
@click.option("--opset", type=click.IntRange(min=18), help="Of ONNX.  [default: torch's]")
@click.option("--int8", is_flag=True, help="Weights and activations of ONNX in 8 bits.")
@plugin_option
def export(
    what: str,
    format_: Format,
    out: Path | None,
    opset: int | None,
    int8: bool,
    plugins: tuple[Path, ...],
) -> None:
    """Write the network of a run, of weights or of a detector as one file.

    It goes from the picture to mm: decoding, camera and normalisation are inside, and a batch may
    be of any size. What runs it here is compared with torch, and timed. Exit code 1 if it differs.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    if format_ == "pt2" and (int8 or opset):
        raise click.UsageError("--int8 and --opset are of --format onnx")
    from posezoo.cli.tables import print_table
    from posezoo.export import graphs_of, items_for, quantise, too_far, try_out, write
    from posezoo.inference.loading import open_pipeline
    from posezoo.onnx_session import graph_path
    from posezoo.whole_files import written_beside

    loaded = open_pipeline(what)
    graphs = graphs_of(
        loaded.pipeline,
        crop_px=loaded.crop_px,
        margin=loaded.margin,
        licence=loaded.licence,
    )
    wrong = []
    for graph in graphs:
        path = graph_path(out or Path(f"{Path(what).name}.{format_}"), graph.name)
        inputs = items_for(graph, what)
        with written_beside(path) as part:
            program = write(graph, part, format=format_, opset=opset)
            if int8:
                quantise(part, inputs)
        trials = try_out(graph, path, format=format_, program=program, inputs=inputs)
        print_table(_rows(trials), headings=_headings(trials))
        size = path.stat().st_size / 1e6
        click.echo(
            f"{path}: {size:.1f} MB; {', '.join(graph.inputs)} -> {', '.join(graph.outputs)}"
        )
        if not int8 and (flaw := too_far(trials)):
            wrong.append(f"{path}: {flaw}")
    if wrong:
        click.echo(f"error: {'; '.join(wrong)}", err=True)
        click.get_current_context().exit(1)


def _headings(trials: list[Trial]) -> tuple[str, ...]:
    times = (f"ms of {size}" for size in trials[0].milliseconds)
    return ("runtime", *(f"{name} off by" for name in trials[0].largest_difference), *times)


def _rows(trials: list[Trial]) -> list[tuple[str, ...]]:
    return [
        (
            trial.runtime,
            *(f"{value:.2g}" for value in trial.largest_difference.values()),
            *(f"{value:.2f}" for value in trial.milliseconds.values()),
        )
        for trial in trials
    ]
