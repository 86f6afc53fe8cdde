"""Methods measured against the exact distribution of the toybox world."""
