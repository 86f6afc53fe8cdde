"""Coloured ground-truth meshes of toys, for people and for comparison."""

import numpy as np

from uni3d.mesh.simplify import signed_volume
from uni3d.mesh.types import Mesh
from uni3d.toybox.distances import distance, nearest_color
from uni3d.toybox.shapes import Toy

__all__ = ["toy_mesh"]


def toy_mesh(toy: Toy, resolution: int = 128) -> Mesh:
    """Marching cubes of the signed distance with vertex colours (unlit)."""
    from skimage.measure import marching_cubes

    axis = np.linspace(-1, 1, resolution)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = distance(toy, points).reshape((resolution,) * 3)
    vertices, faces, _, _ = marching_cubes(grid, 0.0, gradient_direction="ascent")
    if signed_volume(vertices, faces) < 0:  # faces counter-clockwise seen from outside
        faces = faces[:, ::-1]
    vertices = vertices * (2 / (resolution - 1)) - 1
    rgb = np.round(nearest_color(toy, vertices) * 255).astype(np.uint8)
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32), vertex_colors=rgb)
