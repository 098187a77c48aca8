"""Text that every room reads and writes: strict JSON, CSV that no spreadsheet runs, counts with their nouns."""
