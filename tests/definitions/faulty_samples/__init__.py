"""Strategies that load and validate, and still cannot be trusted: for the tests of checkexo."""
