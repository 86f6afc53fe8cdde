"""What will run on this machine, how long, and why."""
