"""uni3d: a sentence to a textured 3D mesh, by Uni-Instruct f-divergence distillation."""

__version__ = "0.1.0"
__all__ = ["__version__"]
