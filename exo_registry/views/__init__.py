"""Pages and the fragments that they load."""
