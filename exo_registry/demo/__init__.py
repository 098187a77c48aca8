"""The demonstration: a synthetic market, and a starter registry on it. Nothing of it was ever quoted anywhere."""
