"""Textures baked from what a field shows at the surface, without an OpenGL context."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uni3d.mesh.rasterize import rasterize, vertex_normals

__all__ = ["bake"]


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
