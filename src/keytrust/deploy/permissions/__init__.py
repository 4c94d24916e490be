"""Giving the connector account its one right, and proving that it has that and nothing else."""
