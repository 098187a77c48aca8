"""Market data: packs read and checked, the Delta store, imports and exports. Callers use `exo_registry.market_store`."""
