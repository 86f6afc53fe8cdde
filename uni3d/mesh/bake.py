"""Texture coordinates and baked textures, on the CPU and without an OpenGL context.

The unwrapping (xatlas) runs in a child process, because it is native code that cannot be
interrupted and has been seen to take an hour on rough surfaces; the child is killed in time.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uni3d.mesh.rasterize import rasterize, vertex_normals

__all__ = ["bake", "unwrap"]

# Run as `python -c`: the child must not import the caller's __main__ (scripts without a guard,
# notebooks) nor torch, so multiprocessing is not used.
_CHILD = """
import sys
import numpy as np
import xatlas

with np.load(sys.argv[1]) as data:
    vertices, faces, resolution, padding = (data[k] for k in ("v", "f", "resolution", "padding"))
atlas = xatlas.Atlas()
atlas.add_mesh(vertices, faces)
options = xatlas.PackOptions()
options.resolution = int(resolution)
options.padding = int(padding)
options.bilinear = True
atlas.generate(xatlas.ChartOptions(), options)
if atlas.atlas_count != 1:
    sys.exit(f"xatlas made {atlas.atlas_count} atlases, 1 is needed")
source, corners, uv = atlas[0]
np.savez(sys.argv[2], source=source, faces=corners, uv=uv)
"""


def unwrap(
    vertices: NDArray, faces: NDArray, texture_size: int, time_limit_s: float, padding: int = 3
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]] | str:
    """Cut the surface into charts and pack them in the unit square.

    Returns, for each vertex of the unwrapped mesh, the vertex it came from `[n]`, the faces
    `[f, 3]` and uv `[n, 2]` - or, where it cannot be done in `time_limit_s` seconds of wall
    clock, a sentence why. `padding` is the free space around charts in texels.
    """
    if time_limit_s <= 0:
        return "the time limit for texture coordinates is 0"
    with tempfile.TemporaryDirectory(prefix="uni3d-uv-") as folder:
        given, made = pathlib.Path(folder, "given.npz"), pathlib.Path(folder, "made.npz")
        np.savez(
            given,
            v=np.ascontiguousarray(vertices, dtype=np.float32),
            f=np.ascontiguousarray(faces, dtype=np.uint32),
            resolution=texture_size,
            padding=padding,
        )
        path = os.pathsep.join(entry for entry in sys.path if entry)
        try:
            done = subprocess.run(
                [sys.executable, "-c", _CHILD, str(given), str(made)],
                timeout=time_limit_s,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": path},
                check=False,
            )
        except subprocess.TimeoutExpired:  # run() has killed the child by now
            return f"texture coordinates took longer than {time_limit_s:g} s"
        except OSError as error:
            return f"xatlas could not be started: {error}"
        if done.returncode != 0 or not made.exists():
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            return f"xatlas failed: {last}"
        with np.load(made) as data:
            source, corners, uv = data["source"], data["faces"], data["uv"]
    return source.astype(np.int64), corners.astype(np.int32), uv.astype(np.float32)


def bake(
    vertices: NDArray,
    faces: NDArray,
    uv: NDArray,
    size: int,
    color: Callable[[NDArray, NDArray], NDArray],
) -> NDArray[np.uint8]:
    """Texture `[size, size, 3]` of the mesh: `color` at the surface point of every texel centre.

    color: points `[n, 3]` and unit directions `[n, 3]` straight into the surface there -> colours
    `[n, 3]` in 0..1. Texels outside the charts take the colour of the nearest texel inside one,
    over the whole picture, so that neither bilinear look-ups nor smaller copies (mip levels) of
    the texture show the seams.
    """
    from scipy.ndimage import distance_transform_edt

    texels = np.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size, np.ones(len(uv))], axis=-1)
    face_index, weights, _ = rasterize(texels, faces, size, size)
    covered = face_index >= 0
    # Of every corner its place and its normal: [f, 3, 6].
    corners = np.concatenate([vertices, vertex_normals(vertices, faces)], axis=1)[faces]
    places = np.zeros((size, size, 6))
    places[covered] = np.einsum(
        "nkc,nk->nc", corners[face_index[covered]], weights[covered].astype(np.float64)
    )
    # A face too small to cover a texel centre still needs its own colour under its middle.
    missed = np.setdiff1d(np.arange(len(faces)), face_index[covered])
    middle = texels[faces[missed]].mean(axis=1)[:, :2].astype(np.int64).clip(0, size - 1)
    column, row = middle[:, 0], middle[:, 1]
    free = ~covered[row, column]
    places[row[free], column[free]] = corners[missed[free]].mean(axis=1)
    covered[row[free], column[free]] = True

    picture = np.zeros((size, size, 3), dtype=np.uint8)
    points, normals = np.split(places[covered], 2, axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)
    picture[covered] = np.rint(np.clip(color(points, -normals), 0, 1) * 255).astype(np.uint8)
    if not covered.any():
        return picture
    nearest: Any = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return picture[nearest[0], nearest[1]]
