"""Many objects, on many cores or machines; see docs/scale.md."""
