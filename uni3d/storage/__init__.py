"""What outlives a process: checkpoints of tensors and the cache on disk."""
