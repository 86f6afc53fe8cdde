"""Every mesh format in a second program: three.js in headless Chromium, against our own pictures.

Needs Debian's `chromium`, the Python package `playwright`, npm, and the network once: npm puts
three.js and Khronos' gltf-validator in a folder of the user's cache.
"""

import base64
import functools
import http.server
import io
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uni3d.cameras import Cameras
from uni3d.mesh.bake import bake
from uni3d.mesh.files import write_glb, write_obj, write_ply
from uni3d.mesh.pictures import as_uint8, write_sheet
from uni3d.mesh.rasterize import shade
from uni3d.mesh.solid import write_3mf, write_stl
from uni3d.mesh.types import Mesh
from uni3d.mesh.unwrap import unwrap
from uni3d.mesh.usd import write_usdz
from uni3d.toybox.distances import nearest_color
from uni3d.toybox.mesh import toy_mesh
from uni3d.toybox.world import Description, build_toy

PACKAGES = ("three@0.187.0", "gltf-validator@2.0.0-dev.3.10")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (apt-get install chromium)"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="no npm here (apt-get install npm)"),
]
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright (pip install it)")
pytest.importorskip("lib3mf", reason="pip install -e '.[print]'")
pytest.importorskip("pxr", reason="pip install -e '.[usd]'")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
VIEWS = [(20.0, 15.0), (110.0, 15.0), (200.0, 30.0)]  # azimuth, elevation
SIZE = 160
UP = {"glb": "y", "obj": "y", "usdz": "y", "ply": "z", "stl": "plate", "3mf": "plate"}


@pytest.fixture(scope="module")
def modules():
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "uni3d-npm")
    cache.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(cache), *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        pytest.skip(f"npm: {done.stderr.strip()[-200:]}")
    return cache / "node_modules"


@pytest.fixture(scope="module")
def mesh():
    """A toy of many colours, that is lopsided enough to tell left from right, textured."""
    toy = build_toy(Description(kind="sushi"), np.random.default_rng(3))
    whole = toy_mesh(toy, 72)
    source, faces, uv = unwrap(whole.vertices, whole.faces, 1024, 120.0)
    vertices = whole.vertices[source]
    texture = bake(vertices, faces, uv, 1024, lambda points, _: nearest_color(toy, points))
    return Mesh(vertices, faces, uv=uv, texture=texture)


@pytest.fixture(scope="module")
def folder(mesh, tmp_path_factory):
    made = tmp_path_factory.mktemp("formats")
    write_glb(mesh, made / "lit.glb")
    write_glb(mesh, made / "unlit.glb", unlit=True)
    plain = Mesh(
        mesh.vertices, mesh.faces, vertex_colors=np.full_like(mesh.vertices, 128, np.uint8)
    )
    write_glb(plain, made / "plain.glb")
    write_glb(plain, made / "plain-unlit.glb", unlit=True)
    write_obj(mesh, made / "mesh.obj")
    write_ply(mesh, made / "mesh.ply")
    write_stl(mesh, made / "mesh.stl")
    write_3mf(mesh, made / "mesh.3mf")
    write_usdz(mesh, made / "mesh.usdz")
    return made


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """/three from npm, / the viewer, the rest from the folder of mesh files."""

    roots: dict[str, Path]

    def translate_path(self, path: str) -> str:
        path = path.split("?")[0]
        if path == "/":
            return str(self.roots["viewer"] / "index.html")
        root = self.roots["modules"] if path.startswith("/three/") else self.roots["files"]
        return str(root / path.lstrip("/"))

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def page(folder, modules):
    roots = {"viewer": Path(__file__).parent / "viewer", "modules": modules, "files": folder}
    handler = type("Handler", (_Quiet,), {"roots": roots})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        tab = browser.new_page()
        tab.set_default_timeout(120_000)
        tab.goto(f"http://127.0.0.1:{server.server_port}/")
        tab.wait_for_function("window.ready === true")
        yield tab
        browser.close()
    server.shutdown()
    server.server_close()


def shown(page, mesh, name: str) -> tuple[np.ndarray, dict]:
    """Pictures `[views, h, w, 3]` of a file in three.js, and what it said of the file."""
    low, high = (f(mesh.vertices[:, [1, 2, 0]]) for f in (lambda v: v.min(0), lambda v: v.max(0)))
    box = {"center": ((low + high) / 2).tolist(), "longest": float((high - low).max())}
    asked = {"url": f"/{name}", "up": UP[name.rsplit(".", 1)[1]], "box": box}
    told = page.evaluate("window.show", asked | {"views": VIEWS, "size": SIZE})
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB"))
        for url in told["pictures"]
    ]
    return np.stack(pictures), told


def ours(mesh) -> np.ndarray:
    azimuth, elevation = zip(*VIEWS, strict=True)
    return as_uint8(shade(mesh, Cameras.orbit(azimuth, elevation), SIZE, SIZE, supersample=4))


@pytest.fixture(scope="module")
def sheet(mesh):
    """Collects what was compared; UNI3D_SHEET=FILE keeps it as a picture for docs/formats.md."""
    rows = {"uni3d": ours(mesh)}
    yield rows
    if where := os.environ.get("UNI3D_SHEET"):
        write_sheet(rows, where)


# name, the largest mean difference inside the outlines (of 255), material in three.js
FILES = [
    ("unlit.glb", 10.0, "MeshBasicMaterial"),
    ("lit.glb", 10.0, "MeshStandardMaterial"),
    ("mesh.obj", 10.0, "MeshPhongMaterial"),
    ("mesh.ply", 10.0, "MeshStandardMaterial"),
    ("mesh.3mf", 10.0, "MeshPhongMaterial"),
    ("mesh.usdz", 10.0, "MeshPhysicalMaterial"),
    ("mesh.stl", None, "MeshStandardMaterial"),
]


@pytest.mark.parametrize(("name", "most", "material"), FILES)
def test_three_js_shows_what_we_show(page, mesh, sheet, record_property, name, most, material):
    theirs, told = shown(page, mesh, name)
    wanted = sheet["uni3d"]
    sheet[name] = theirs
    mask_theirs, mask_ours = ((p < 250).any(axis=-1) for p in (theirs, wanted))
    overlap = (mask_theirs & mask_ours).sum() / (mask_theirs | mask_ours).sum()
    inside = np.abs(theirs.astype(float) - wanted)[mask_theirs & mask_ours].mean()
    summary = f"outlines {overlap:.4f}, colours {inside:.2f} of 255 apart"
    record_property(name, summary)
    assert overlap > 0.985, summary
    assert most is None or inside < most, summary
    assert set(told["materials"]) == {material}
    if name.endswith(("stl", "3mf")):
        assert max(told["sides"]) == pytest.approx(80.0, abs=0.1)


def test_the_viewer_would_notice_a_mirrored_file(page, mesh, folder):
    """The guard itself: left and right exchanged changes what is compared."""
    flipped = Mesh(
        mesh.vertices * np.float32((1, -1, 1)),
        mesh.faces[:, ::-1],
        uv=mesh.uv,
        texture=mesh.texture,
    )
    write_glb(flipped, folder / "flipped.glb", unlit=True)
    theirs, _ = shown(page, flipped, "flipped.glb")
    wanted = ours(mesh)
    inside = ((theirs < 250).any(-1)) & ((wanted < 250).any(-1))
    assert np.abs(theirs.astype(float) - wanted)[inside].mean() > 20


@pytest.mark.parametrize("name", ["lit.glb", "unlit.glb", "plain.glb", "plain-unlit.glb"])
def test_gltf_validator_has_nothing_to_say(folder, modules, name):
    script = (
        "const v = require(process.argv[1]); const fs = require('fs');"
        "v.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])))"
        ".then(r => console.log(JSON.stringify(r.issues)))"
    )
    command = ["node", "-e", script, str(modules / "gltf-validator"), str(folder / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    issues = json.loads(done.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
