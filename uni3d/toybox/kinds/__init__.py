"""The kinds of toys, one file a family."""
