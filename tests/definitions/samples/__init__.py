"""Strategies that only the tests allow."""
