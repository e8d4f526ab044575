"""What each package offers by name: a new public name is a line in the diff of this table."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(file.parent for file in (ROOT / "posezoo").rglob("__init__.py"))

PUBLIC = {
    "posezoo": (
        "Batch Camera Entry FeatureSpec Person Pipeline PoseResult Prediction Predictor Sample "
        "Skeleton Stage VideoPrediction __version__ build entries get_skeleton load predict "
        "register"
    ),
    "posezoo.cli": "Commands main",
    "posezoo.cli.data": "data",
    "posezoo.cli.weights": "weights",
    "posezoo.data.augment": "CHANGES Augmentation Augmented parse_augment",
    "posezoo.export": ("Format Graph Trial graphs_of items_for quantise too_far try_out write"),
    "posezoo.ops": (
        "BackendUnavailable Moments backend backend_in_use decode dsnt_loss gaussian_heatmaps "
        "head_mse heatmap_mse integral_head moments soft_argmax"
    ),
    "posezoo.registry": (
        "GIVEN KINDS Choice Entry ManifestError NodeSpec Parameter PipelineSpec PluginError "
        "Problem SpecError entries find load_plugin_file parse_node parse_pipeline problems "
        "refresh register resolve resolve_pipeline split_nodes"
    ),
    "posezoo.weights.families": "MODULES families",
    "posezoo.testing": (
        "Check NotApplicable Outcome Violation assert_equal_up_to_rounding checks_of conformance "
        "rounding run_checks"
    ),
}  # of all others one imports modules


def names(package: Path) -> set[str]:
    """`__all__` of a package, or else the public names that its `__init__.py` defines."""
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    defined = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        if isinstance(node, ast.Assign):
            targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if targets == ["__all__"]:
                return set(ast.literal_eval(node.value))
            defined |= set(targets)
    return {name for name in defined if not name.startswith("_")}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: ".".join(p.relative_to(ROOT).parts))
def test_a_package_offers_the_names_of_the_table_and_no_others(package: Path) -> None:
    key = ".".join(package.relative_to(ROOT).parts)
    assert names(package) == set(PUBLIC.get(key, "").split())


def test_every_package_of_the_table_exists() -> None:
    known = {".".join(package.relative_to(ROOT).parts) for package in PACKAGES}
    assert set(PUBLIC) <= known
