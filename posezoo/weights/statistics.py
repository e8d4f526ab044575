"""Means and standard deviations that a file of weights lacks, taken from data."""

from __future__ import annotations

from posezoo.assembly import dataset_for
from posezoo.data.loading import ordered_batches
from posezoo.pipeline import Pipeline

_SAMPLES = 4000  # of the train split, evenly spread


def fit_statistics(pipeline: Pipeline, data: str) -> None:
    """Take the statistics of a dataset's poses, as a training would at its start.

    Args:
        pipeline: with a lifter whose numbers are z-scores.
        data: a dataset, such as "mocap:path=poses17.h5" or "synthetic".

    Raises:
        ValueError: no such dataset, or one that the pipeline cannot see.
    """
    people = dataset_for(pipeline, data, image_size=0, split="train", pictures=False, seed=0)
    step = max(1, len(people) // _SAMPLES)
    indices = range(0, len(people), step)
    (batch,) = ordered_batches(people, indices=indices, batch_size=len(indices))
    pipeline.fit_normalisation(batch)
