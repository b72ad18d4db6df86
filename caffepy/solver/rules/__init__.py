"""The update rules, a solver type a file."""
