"""The floor plan of the code as tests: who imports whom, how long a file is, what is banned.

A failure names the file, the line, the rule, and what to do.
"""

from __future__ import annotations

import ast
import functools
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from posezoo.registry.catalog import natural
from posezoo.registry.entry import KINDS
from posezoo.registry.manifest import builtin_manifest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "posezoo"
KERNELS = ROOT / "kernels" / "posezoo_kernels"
LONGEST = 400  # lines of a file; most should stay under 300

# A part of posezoo, and the parts that it imports: all of them and no others. A new edge is a line
# in the diff of this table.
PLAN: dict[str, str] = {
    "__main__": "cli",
    "camera": "",
    "cores": "",
    "geometry": "",
    "hints": "",
    "limits": "",
    "losses": "ranks",
    "npz_file": "hints",
    "ops": "",
    "ranks": "",
    "registry": "hints limits",
    "samples": "camera",
    "safetensors_file": "hints",
    "skeleton": "hints",
    "typed_files": "hints",
    "whole_files": "",
    "detector_errors": "geometry hints skeleton typed_files whole_files",
    "joint_maps": "skeleton",
    "trunk": "skeleton",
    "contracts": "camera samples skeleton",
    "metrics": "geometry skeleton",
    "normalisation": "camera contracts geometry losses skeleton",
    "settings": "hints limits registry",
    # The kinds: none knows another, and none knows the registry.
    "backbones": "contracts limits",
    "detectors": "contracts limits onnx_session skeleton",
    "heads": "camera contracts geometry joint_maps limits losses npz_file ops skeleton",
    "lifters": "camera contracts geometry limits losses normalisation skeleton trunk",
    "strategies": "contracts detector_errors limits npz_file skeleton",
    "data": (
        "camera contracts detector_errors drawing geometry hints joint_maps limits npz_file "
        "rehearsal skeleton trunk typed_files whole_files"
    ),
    # Parts put together, and what is done with the whole.
    "clips": "camera contracts geometry pipeline skeleton",
    "pipeline": "camera contracts registry skeleton",
    "assembly": "contracts data pipeline registry skeleton weights",
    "training": (
        "assembly contracts cores data evaluation hints limits pipeline posezoo ranks "
        "registry safetensors_file settings skeleton typed_files weights whole_files"
    ),
    "evaluation": (
        "assembly camera clips contracts data detector_errors drawing geometry hints metrics "
        "pipeline ranks registry settings skeleton training typed_files"
    ),
    "inference": (
        "assembly camera clips contracts data drawing hints joint_maps onnx_session pipeline "
        "posezoo ranks registry skeleton training typed_files weights whole_files"
    ),
    "drawing": "skeleton whole_files",
    "weights": (
        "assembly camera contracts data hints npz_file pipeline posezoo registry "
        "safetensors_file skeleton training typed_files whole_files"
    ),
    "sweep": "drawing evaluation hints registry settings training typed_files whole_files",
    "report": (
        "assembly contracts data drawing evaluation hints metrics pipeline registry settings "
        "training typed_files whole_files"
    ),
    "testing": "assembly camera contracts geometry pipeline registry settings skeleton training",
    # What a third party writes: as the kinds themselves, and the tests of it.
    "scaffold": (
        "camera contracts geometry limits normalisation ops registry skeleton testing whole_files"
    ),
    "cli": (
        "cores data evaluation export hints inference onnx_session ops posezoo ranks registry "
        "report sample scaffold settings skeleton sweep testing training typed_files weights "
        "whole_files"
    ),
    "sample": "contracts data inference skeleton whole_files",
    "export": (
        "assembly camera contracts data evaluation onnx_session ops pipeline posezoo whole_files"
    ),
    "onnx_session": "hints rehearsal",
    "rehearsal": "",
}
KIND_FOLDERS = ("backbones", "heads", "lifters", "strategies", "detectors")
ADVICE = {
    "registry": "a part is given what it needs; pipeline, assembly and above read the registry",
    "testing": "only cli and tests use the conformance checks",
    "cli": "the library knows nothing of its command line",
    **dict.fromkeys(
        KIND_FOLDERS,
        "no kind is imported by name; build it from the registry, or move the shared code to a "
        "module with a plain name",
    ),
}
READER = PACKAGE / "weights" / "reading.py"  # of other projects' pickles, and no other file
BANNED_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


@dataclass(frozen=True)
class Import:
    """One import statement's target, and where it stands."""

    file: Path
    line: int
    name: str  # dotted

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: imports {self.name}"

    @property
    def part(self) -> str:
        """The part of posezoo that is imported, or "posezoo" for the package itself."""
        return self.name.split(".")[1] if "." in self.name else "posezoo"


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@functools.cache
def nodes(file: Path) -> list[ast.AST]:
    return [*ast.walk(ast.parse(file.read_text(), file))]


def imports(file: Path, *, for_checkers: bool = False) -> Iterator[Import]:
    """Every import of a file, those inside functions too; on request also type checkers' own."""
    hidden = {
        id(node)
        for test in nodes(file)
        if isinstance(test, ast.If) and ast.unparse(test.test).endswith("TYPE_CHECKING")
        for statement in test.body
        for node in ast.walk(statement)
    }
    for node in nodes(file):
        if id(node) in hidden and not for_checkers:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}:{node.lineno}: write imports in full"
            # `from posezoo.data import crop` imports the module posezoo.data.crop
            package = (ROOT / node.module.replace(".", "/")).is_dir()
            names = [f"{node.module}.{a.name}" for a in node.names] if package else [node.module]
        else:
            continue
        yield from (Import(file, node.lineno, name) for name in names)


def part_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def used_edges() -> dict[tuple[str, str], list[Import]]:
    """Which part imports which other, if only for type checkers, and where."""
    edges: dict[tuple[str, str], list[Import]] = {}
    for file in sources(PACKAGE):
        for found in imports(file, for_checkers=True):
            here = part_of(file)
            if found.name.split(".")[0] == "posezoo" and found.part != here != "__init__":
                edges.setdefault((here, found.part), []).append(found)
    return edges


def test_every_part_has_a_row_in_the_plan() -> None:
    parts = {part_of(file) for file in sources(PACKAGE)} - {"__init__"}
    assert parts <= set(PLAN), f"add a row to PLAN for {sorted(parts - set(PLAN))}"


def test_a_part_imports_only_what_its_row_names() -> None:
    wrong = [
        f"{found[0]}; {here} imports {PLAN[here] or 'no other part'}. "
        + ADVICE.get(part, "move the code, or pass what it makes as an argument")
        for (here, part), found in used_edges().items()
        if part not in PLAN[here].split()
    ]
    assert not wrong, "\n".join(wrong)


def test_a_row_names_only_what_its_part_imports() -> None:
    allowed = {(here, part) for here, parts in PLAN.items() for part in parts.split()}
    idle = sorted(allowed - set(used_edges()))
    assert not idle, f"{idle}: nobody uses these; take them out of PLAN"


def test_entries_of_a_kind_share_only_private_modules() -> None:
    wrong = [
        f"{found}: put what two entries share into {folder}/_NAME.py"
        for folder in KIND_FOLDERS
        for file in sources(PACKAGE / folder)
        for found in imports(file)
        if found.name.startswith(f"posezoo.{folder}.")
        and not found.name.split(".")[2].startswith("_")
    ]
    assert not wrong, "\n".join(wrong)


def test_no_files_import_each_other_in_a_ring() -> None:
    graph = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): {
            found.name for found in imports(file) if found.name.startswith("posezoo.")
        }
        for file in sources(PACKAGE)
        if file.name != "__init__.py"
    }
    finished: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a ring of imports: {' -> '.join((*trail, name))}"
        if name in graph and name not in finished:
            for imported in graph[name]:
                visit(imported, (*trail, name))
            finished.add(name)

    for name in graph:
        visit(name, ())


def test_the_registry_uses_the_standard_library_only() -> None:
    wrong = [
        str(found)
        for file in sources(PACKAGE / "registry")
        for found in imports(file)
        if found.name.split(".")[0] not in sys.stdlib_module_names | {"posezoo"}
    ]
    assert not wrong, f"{wrong}: listing the zoo must cost nothing"


def test_kernels_know_only_triton_and_torch() -> None:
    allowed = sys.stdlib_module_names | {"triton", "torch", "posezoo_kernels"}
    wrong = [
        str(found)
        for file in sources(KERNELS)
        for found in imports(file)
        if found.name.split(".")[0] not in allowed
    ]
    assert not wrong, f"{wrong}: a kernel takes tensors; posezoo.ops calls it"


def test_only_ops_call_kernels() -> None:
    wrong = [
        str(found)
        for file in sources(PACKAGE)
        for found in imports(file)
        if found.name.split(".")[0] == "posezoo_kernels" and part_of(file) != "ops"
    ]
    assert not wrong, f"{wrong}: call posezoo.ops, which has a path for every machine"


def test_folders_that_must_not_be_packages_are_not() -> None:
    for folder in ("kernels", "tests", "benchmarks"):
        init = ROOT / folder / "__init__.py"
        assert not init.exists(), f"{init} would hide another package called '{folder}'; delete it"


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for file in [*sources(PACKAGE), *sources(KERNELS)]
    }
    long = {name: length for name, length in lengths.items() if length > LONGEST}
    assert not long, f"{long}: a file is one idea; split it where it is two"


def test_nothing_is_ever_pickled() -> None:
    wrong = []
    for file in sources(PACKAGE):
        if file == READER:
            continue
        wrong += [str(i) for i in imports(file) if i.name.split(".")[0] in BANNED_IMPORTS]
        for node in nodes(file):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in (
                "torch.load",
                "torch.save",
            ):
                wrong.append(f"{file.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                wrong.append(f"{file.relative_to(ROOT)}:{node.value.lineno}: allow_pickle")
    assert not wrong, f"{wrong}: a pickle runs code when it is read; use safetensors or JSON"


def test_the_one_reader_of_pickles_runs_no_code_unless_it_is_trusted() -> None:
    """By torch's weights_only reader; the other mode stands once, below `if trust`."""
    tree = ast.parse(READER.read_text())
    loads = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and "load" in ast.unparse(n.func)]
    modes = {
        keyword.value.value: call
        for call in loads
        for keyword in call.keywords
        if keyword.arg == "weights_only" and isinstance(keyword.value, ast.Constant)
    }
    assert len(loads) == len(modes) == 2 and modes.keys() == {True, False}
    below_trust = [
        inside
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "trust"
        for statement in node.body
        for inside in ast.walk(statement)
    ]
    assert modes[False] in below_trust and modes[True] not in below_trust
    from_pickle = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in BANNED_IMPORTS
        for alias in node.names
    ]
    assert from_pickle == ["UnpicklingError"], "the error's name is all that pickle is needed for"
    imported = {found.name.split(".")[0] for found in imports(READER)}
    assert imported & BANNED_IMPORTS == {"pickle"}


def test_no_error_is_swallowed_unseen() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in [*sources(PACKAGE), *sources(KERNELS)]
        for node in nodes(file)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    ]
    assert not wrong, f"{wrong}: name the errors that are expected"


def test_the_manifest_is_in_order() -> None:
    manifest = tomllib.loads(builtin_manifest().read_text())
    del manifest["schema"]
    assert [*manifest] == [kind for kind in KINDS if kind in manifest], "kinds: data's own order"
    for kind, stanzas in manifest.items():
        assert [*stanzas] == sorted(stanzas, key=natural), f"[{kind}.*]: sort the stanzas by key"
