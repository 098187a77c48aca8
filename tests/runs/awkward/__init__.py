"""Algorithms that fail in awkward ways."""
