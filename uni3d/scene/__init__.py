"""The 3D object: a hash-grid field, how it is rendered, its priors and its optimiser."""
