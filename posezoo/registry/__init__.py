"""The zoo as data: entries, the manifest, plugins, and the grammar. Standard library only."""

from __future__ import annotations

from posezoo.registry.catalog import (
    Choice,
    entries,
    find,
    parse_pipeline,
    problems,
    refresh,
    resolve,
    resolve_pipeline,
)
from posezoo.registry.entry import GIVEN, KINDS, Entry, Parameter
from posezoo.registry.errors import ManifestError, PluginError, SpecError
from posezoo.registry.plugins import Problem
from posezoo.registry.scripts import load_plugin_file, register
from posezoo.registry.spec import NodeSpec, PipelineSpec, parse_node, split_nodes

__all__ = [
    "GIVEN",
    "KINDS",
    "Choice",
    "Entry",
    "ManifestError",
    "NodeSpec",
    "Parameter",
    "PipelineSpec",
    "PluginError",
    "Problem",
    "SpecError",
    "entries",
    "find",
    "load_plugin_file",
    "parse_node",
    "parse_pipeline",
    "problems",
    "refresh",
    "register",
    "resolve",
    "resolve_pipeline",
    "split_nodes",
]
