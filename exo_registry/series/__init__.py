"""Series: whether each is up to date, what it was computed from, its rows as columns, its position and performance."""
