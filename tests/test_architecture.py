"""Who may import whom, read from the source, and what importing the package costs."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "uni3d"

# A module may import, at its top, what stands before it: rooms in this order, and inside a room its
# files in theirs. `__init__` of a room may import the room.
ORDER = {
    "errors": "",
    "config_io": "",
    "storage": "below whole checkpoint cache lock",
    "instruct": "names divergences noise denoiser density_ratio loss",
    "cameras": "",
    "scene": (
        "kernels hashgrid_kernels hashgrid mlp field occupancy march composite backends render "
        "regularizers scene"
    ),
    "mesh": "formats types rasterize simplify level unwrap bake surface solid files usd pictures",
    "teacher": "sampler prompts codecs hub texts model own fake_score memory abilities",
    "instant": (
        "files generator objects diversity settings sentences sheet training weights start commands"
    ),
    "run": (
        "presets arguments interrupts settings prompt folder real_samples step saved run finish "
        "variations"
    ),
    "toybox": (
        "shapes distances kinds roles garments held things actions materials stands world grammar "
        "known letters phrase frames lexicon languages wording names clauses reading read_command "
        "looks raytrace mesh dataset model state training shipping recogniser recogniser_training "
        "judge variety bars instant_bars commands"
    ),
    "bench": "statistics features plan cost work truth scores report commands",
    "doctor": "planner doctor",
    "batch": "rows plan record make processes cluster drive best page command",
    "web": "requests runs server style worker words guard site api result variations gallery page",
    "api": "",
    "cli": "",
    "__main__": "",
}

# In packages that must stay light, all that may come from outside.
OUTSIDE = {"instruct": {"torch"}, "errors": set(), "config_io": {"yaml"}}

HEAVY = {
    "accelerate",
    "diffusers",
    "fast_simplification",
    "gradio",
    "imageio",
    "imageio_ffmpeg",
    "lib3mf",
    "peft",
    "pxr",
    "ray",
    "skimage",
    "transformers",
    "trimesh",
    "xatlas",
}


def _top_imports(tree: ast.Module):
    """(line, dotted name) of imports that run on import: not in functions, nor TYPE_CHECKING."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield node.lineno, node.module
            # `from uni3d import export` names a module only in its list.
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting += [
                c
                for c in ast.iter_child_nodes(node)
                if isinstance(c, (ast.stmt, ast.excepthandler))
            ]


def place_of(parts: list[str]) -> tuple[int, int] | None:
    """Where (room, file) stands in the order; None for what has no place. -1: the room itself."""
    rooms = list(ORDER)
    if not parts or parts[0] not in ORDER:
        return None
    files = ORDER[parts[0]].split()
    if len(parts) == 1 or not files:
        return rooms.index(parts[0]), -1
    return (rooms.index(parts[0]), files.index(parts[1])) if parts[1] in files else None


def violations(package: Path) -> list[str]:
    """One line for every import at a module's top that breaks the stack."""
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        own = list(place.with_suffix("").parts)
        if own[-1] == "__init__":
            continue
        here = place_of(own)
        if here is None:
            found.append(f"{place}: has no place in the order")
            continue
        above: dict[int, str] = {}
        for line, name in _top_imports(ast.parse(path.read_text())):
            first, *rest = name.split(".")
            if first != "uni3d":
                allowed = OUTSIDE.get(own[0])
                foreign = first not in sys.stdlib_module_names
                if first in HEAVY:
                    found.append(f"{place}:{line}: heavy {first} at the top")
                elif foreign and allowed is not None and first not in allowed:
                    found.append(f"{place}:{line}: {own[0]} may not import {first}")
                continue
            there = place_of(rest) or place_of(rest[:1])
            if there is None or (there[1] == -1 and there[0] == here[0]):
                continue  # a name of a module, or the room itself
            if there > here:
                above[line] = ".".join(rest[:2])  # the longer name of a line comes last
        found += [f"{place}:{n}: imports {what}, which is above it" for n, what in above.items()]
    return list(dict.fromkeys(found))


def test_the_package_obeys_the_stack():
    assert violations(PACKAGE) == []


def test_no_name_of_the_order_is_stale():
    for room, files in ORDER.items():
        path = PACKAGE / room
        assert path.is_dir() or path.with_suffix(".py").is_file(), room
        for name in files.split():
            assert (path / name).is_dir() or (path / f"{name}.py").is_file(), f"{room}/{name}"


def test_the_folder_list_is_short():
    files = [p.name for p in PACKAGE.iterdir() if p.is_file()]
    assert len(files) <= 8, files


def test_no_file_is_long():
    folders = ("uni3d", "image_distill", "tests", "benchmarks", "docs")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 200
    long = {str(p.relative_to(ROOT)): n for p in paths if (n := _count_lines(p)) > 400}
    assert long == {}


def _count_lines(path: Path) -> int:
    return len(path.read_text().splitlines())


RUN = 6  # equal lines in a row


def repeats(sources: dict[str, str]) -> list[str]:
    """Where six or more equal lines stand twice: blank lines, comments, imports and lone
    brackets do not count, and white space does not matter."""
    places: dict[tuple[str, ...], list[str]] = {}
    for name, source in sources.items():
        lines = [
            (number, line.strip())
            for number, line in enumerate(source.splitlines(), 1)
            if any(c.isalnum() for c in line)
            and not line.strip().startswith(("#", "import ", "from "))
        ]
        for k in range(len(lines) - RUN + 1):
            words = tuple(line for _, line in lines[k : k + RUN])
            places.setdefault(words, []).append(f"{name}:{lines[k][0]}")
    return [" = ".join(where) for where in places.values() if len(where) > 1]


def test_no_six_lines_stand_twice():
    folders = (PACKAGE, ROOT / "image_distill")
    paths = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    assert repeats({str(p.relative_to(ROOT)): p.read_text() for p in paths}) == []
    six = "".join(f"x{k} = {k}\n" for k in range(6))
    assert repeats({"a.py": six, "b.py": f"# other\nif True:\n    {six}"}) == ["a.py:1 = b.py:3"]
    assert repeats({"a.py": six, "b.py": six.replace("x3", "y3")}) == []


@pytest.mark.parametrize(
    ("place", "source", "expected"),
    [
        ("cameras.py", "from uni3d.scene.render import x", "imports scene.render, which"),
        ("cameras.py", "from uni3d.scene import render", "imports scene.render, which"),
        ("cameras.py", "import uni3d.scene.render as r", "imports scene.render, which"),
        (
            "toybox/world.py",
            "try:\n    import uni3d.web.page\nexcept ImportError: pass",
            "toybox/world.py:2: imports web.page",
        ),
        ("storage/checkpoint.py", "from uni3d.storage.cache import x", "imports storage.cache"),
        ("instruct/noise.py", "from uni3d.instruct.loss import x", "imports instruct.loss"),
        ("scene/hashgrid.py", "from uni3d.scene.field import x", "imports scene.field"),
        ("mesh/types.py", "from uni3d.mesh.surface import x", "imports mesh.surface"),
        ("teacher/hub.py", "from uni3d.teacher.model import x", "imports teacher.model"),
        ("run/step.py", "from uni3d.run.run import x", "imports run.run"),
        ("toybox/world.py", "from uni3d.toybox.grammar import x", "imports toybox.grammar"),
        ("doctor/planner.py", "from uni3d.doctor.doctor import x", "imports doctor.doctor"),
        (
            "instant/generator.py",
            "from uni3d.instant.training import x",
            "imports instant.training",
        ),
        ("batch/rows.py", "from uni3d.batch.drive import x", "imports batch.drive"),
        ("bench/plan.py", "from uni3d.bench.report import x", "imports bench.report"),
        ("web/requests.py", "from uni3d.web.page import x", "imports web.page"),
        ("instruct/noise.py", "import numpy", "noise.py:1: instruct may not import numpy"),
        ("errors.py", "from uni3d.config_io import load", "imports config_io.load, which is above"),
        ("config_io.py", "import torch", "config_io.py:1: config_io may not import torch"),
        ("mesh/files.py", "class A:\n    import trimesh.exchange", "files.py:2: heavy trimesh"),
        ("stray.py", "", "stray.py: has no place"),
        ("run/stray.py", "", "stray.py: has no place"),
    ],
)
def test_a_planted_violation_is_reported(tmp_path, place, source, expected):
    path = tmp_path / "uni3d" / place
    path.parent.mkdir(parents=True)
    path.write_text(source)
    (found,) = violations(tmp_path / "uni3d")
    assert expected in found


SHARED = {"instruct", "config_io", "errors", "storage"}  # all that image_distill may have of uni3d


def borrowed(source: str) -> set[str]:
    """Parts of uni3d that a source imports anywhere, beyond the shared ones."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {n.split(".")[1] for n in names if n.startswith("uni3d.")} - SHARED


def test_image_distill_has_the_loss_core_and_little_else():
    sources = sorted((ROOT / "image_distill").glob("*.py"))
    assert len(sources) > 10
    assert {p.name: b for p in sources if (b := borrowed(p.read_text()))} == {}
    assert borrowed("def f():\n    from uni3d import scene, config_io") == {"scene"}
    assert borrowed("import uni3d.toybox.world as w, uni3d.instruct.loss") == {"toybox"}


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    import trimesh\n    from uni3d import pipeline",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import trimesh",
        "import numpy\nfrom uni3d.errors import ConfigError",
    ],
)
def test_what_is_allowed_is_not_reported(tmp_path, source):
    (tmp_path / "cameras.py").write_text(source)
    assert violations(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "light"),
    [
        ("uni3d", HEAVY | {"torch", "numba", "yaml"}),
        ("uni3d.instruct", HEAVY | {"numba", "yaml"}),
        ("uni3d.instruct.names, uni3d.run.presets", HEAVY | {"torch", "numba", "numpy", "yaml"}),
        ("uni3d.config_io", HEAVY | {"torch", "numba", "numpy"}),
        ("uni3d.run.run, uni3d.run.finish, uni3d.cli", HEAVY),
        # The page is up before torch is: these may not bring it.
        (
            "uni3d.web.server, uni3d.web.page, uni3d.web.guard, uni3d.web.style",
            HEAVY | {"torch", "numba", "numpy"},
        ),
    ],
)
def test_import_stays_light(name, light):
    code = f"import sys, {name}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) & light == set()


MODULES = [
    ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for p in sorted(PACKAGE.rglob("*.py"))
]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_exists_once(module):
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", [])
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(loaded, name)] == []


def test_no_kernel_lets_its_sums_be_reordered():
    """LLVM may add in another order in the process that compiles than in those that load."""
    found = []
    for file in sorted((ROOT / "uni3d").rglob("*.py")):
        if "@kernel(" in file.read_text(encoding="utf-8"):
            module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
            found += [v for v in vars(module).values() if hasattr(v, "targetoptions")]
    assert len(found) > 12
    for one in found:
        allowed = one.targetoptions["fastmath"] or set()
        assert allowed <= {"contract", "arcp"}, (one, allowed)
