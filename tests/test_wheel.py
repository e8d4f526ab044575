"""What the wheel holds: the code, the manifest, and of the benchmarks what commands use."""

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
WHEEL = WHEEL["build"]["targets"]["wheel"]
# What posezoo info shows.
SHIPPED_RESULTS = {f"benchmarks/results/{name}.json" for name in ("cards", "heads", "lifters")}
MOST_BYTES = 50_000  # of results


def imported_by(module: str, seen: set[str]) -> set[str]:
    """The module of benchmarks, and those that it imports."""
    if module not in seen:
        seen.add(module)
        tree = ast.parse((ROOT / "benchmarks" / f"{module}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("benchmarks"):
                whole = node.module.removeprefix("benchmarks").removeprefix(".")
                for name in [whole] if whole else [alias.name for alias in node.names]:
                    imported_by(name, seen)
    return seen


def test_of_the_benchmarks_it_has_what_bench_runs_and_info_shows_and_no_more() -> None:
    modules = {f"benchmarks/{name}.py" for name in imported_by("report", set())}
    included = {source for source in WHEEL["force-include"] if source.startswith("benchmarks")}
    assert included == modules | SHIPPED_RESULTS
    assert sum((ROOT / source).stat().st_size for source in SHIPPED_RESULTS) < MOST_BYTES


def test_what_is_laid_elsewhere_keeps_its_name_and_exists() -> None:
    for source, target in WHEEL["force-include"].items():
        assert target == f"posezoo/{source}"
        assert (ROOT / source).is_file()


def test_packages_are_the_library_and_its_kernels() -> None:
    assert WHEEL["packages"] == ["posezoo", "kernels/posezoo_kernels"]


def expected() -> set[str]:
    """Every file that the wheel should have, but for its own dist-info."""
    names = {
        str(file.relative_to(base))
        for package, base in ((ROOT / "posezoo", ROOT), (ROOT / "kernels", ROOT / "kernels"))
        for file in package.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    return names | set(WHEEL["force-include"].values())


if __name__ == "__main__":  # .ci/run lists a wheel that it has built: names on standard input
    found = {line.strip() for line in sys.stdin if ".dist-info/" not in line}
    if found != expected():
        sys.exit(f"in the wheel or in the tree only: {sorted(found ^ expected())}")
