"""Trained networks as files that run without posezoo: what `posezoo export` does."""

from posezoo.export.graphs import Graph, graphs_of
from posezoo.export.items import items_for
from posezoo.export.quantising import quantise
from posezoo.export.trial import Trial, too_far, try_out
from posezoo.export.writing import Format, write

__all__ = [
    "Format",
    "Graph",
    "Trial",
    "graphs_of",
    "items_for",
    "quantise",
    "too_far",
    "try_out",
    "write",
]
