"""A package with modules that cannot be imported."""
