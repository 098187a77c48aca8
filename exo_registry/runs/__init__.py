"""Runs: what is computed, when, by which worker, and what became of it.

plan (what a run will compute) -> worker (what a task does) -> compute (one series, stored); lease guards every write of
a worker; control is what an operator and the reconciler do; online starts runs for new sessions by the same plan.
The database is the source of truth, the task queue only starts workers.
"""
