"""One network that makes the 3D object of a sentence in one pass, and how it is trained."""
