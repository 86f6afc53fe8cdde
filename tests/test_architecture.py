"""Who may import whom, read from the source, and what importing the package costs."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "uni3d"

# A module may import, at its top, what stands before it. Packages stand for all they hold, and
# inside one any order without a cycle will do.
ORDER = """
errors instruct config cameras kernels hashgrid_kernels hashgrid mlp field occupancy marching
compositing backends render regularizers sampling rasterize simplify texture mesh export toybox
checkpoint prompts codecs hub texts teacher cache memory fake_score scene settings planner
doctor pipeline finish evaluate web __main__
""".split()

# In packages that must stay light, all that may come from outside.
OUTSIDE = {"instruct": {"torch"}, "errors": set(), "config": {"yaml"}, "settings": set()}

HEAVY = {
    "accelerate",
    "diffusers",
    "fast_simplification",
    "gradio",
    "imageio",
    "imageio_ffmpeg",
    "peft",
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


def violations(package: Path) -> list[str]:
    """One line for every import at a module's top that breaks the stack."""
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        own = place.parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        if own not in ORDER:
            found.append(f"{place}: has no place in the order")
            continue
        for line, name in _top_imports(ast.parse(path.read_text())):
            first, *rest = name.split(".")
            if first != "uni3d":
                allowed = OUTSIDE.get(own)
                foreign = first not in sys.stdlib_module_names
                if first in HEAVY:
                    found.append(f"{place}:{line}: heavy {first} at the top")
                elif foreign and allowed is not None and first not in allowed:
                    found.append(f"{place}:{line}: {own} may not import {first}")
                continue
            target = rest[0] if rest else own
            if target in ORDER and ORDER.index(target) > ORDER.index(own):
                found.append(f"{place}:{line}: imports {target}, which is above it")
    return list(dict.fromkeys(found))


def test_the_package_obeys_the_stack():
    assert violations(PACKAGE) == []


def test_no_name_of_the_order_is_stale():
    names = {p.name.removesuffix(".py") for p in PACKAGE.iterdir() if not p.name.startswith("__p")}
    assert set(ORDER) - names == set()


@pytest.mark.parametrize(
    ("place", "source", "expected"),
    [
        ("cameras.py", "from uni3d.scene.render import x", "cameras.py:1: imports render, which"),
        ("cameras.py", "from uni3d import render", "cameras.py:1: imports render, which"),
        ("cameras.py", "import uni3d.scene.render as r", "cameras.py:1: imports render, which"),
        (
            "toybox/a.py",
            "try:\n    import uni3d.teacher.model\nexcept ImportError: pass",
            "toybox/a.py:2: imports teacher",
        ),
        ("instruct/a.py", "import numpy", "instruct/a.py:1: instruct may not import numpy"),
        ("instruct/a.py", "from uni3d.config_io import load", "imports config, which is above"),
        ("config.py", "import torch", "config.py:1: config may not import torch"),
        ("export.py", "class A:\n    import trimesh.exchange", "export.py:2: heavy trimesh"),
        ("stray.py", "", "stray.py: has no place"),
    ],
)
def test_a_planted_violation_is_reported(tmp_path, place, source, expected):
    path = tmp_path / "uni3d" / place
    path.parent.mkdir(parents=True)
    path.write_text(source)
    (found,) = violations(tmp_path / "uni3d")
    assert expected in found


SHARED = {"instruct", "config", "errors"}  # all that image_distill may have of uni3d


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
    assert borrowed("def f():\n    from uni3d import scene, config") == {"scene"}
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
