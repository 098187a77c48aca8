"""Runs: what is computed, when, by whom, and what became of it (DESIGN: runs).

order -> plan (what a run will compute) -> tasks (what a worker picks up) -> compute (one series, stored);
lease guards every write of a worker; control is what an operator and the reconciler do; online and freshness read
the same plan rules and lineage. The database owns the truth, the task queue only rings.
"""
