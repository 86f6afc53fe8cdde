"""A run: its settings, the algorithm step by step, and what it leaves behind."""
