"""Nets and solvers in the formats of older Caffes, turned into today's, a pass a file."""
