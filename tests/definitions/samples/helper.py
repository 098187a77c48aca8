def used():
    """Nothing happens here."""
