"""Market data: packs read and checked, the Delta store, imports, exports. Callers use `exo_registry.market_store`."""
