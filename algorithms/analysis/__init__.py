"""What is made of a series afterwards: statistics, and what a position is worth and pays. Pure functions on rows."""
