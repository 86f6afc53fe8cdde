"""From a density field to a textured triangle mesh and the files people open."""
