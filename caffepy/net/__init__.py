"""Nets: the graph of messages as torch modules, their parameters and their weights."""
