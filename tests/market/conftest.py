import pytest

from exo_registry.market import import_pack

from .packs import small_pack, write_pack


@pytest.fixture
def load(db, tmp_path):
    """`load(tables, "csv", activate=True)`: write a pack and import it; gives the report."""
    count = 0

    def load_tables(tables=None, form="csv", **options):
        nonlocal count
        count += 1
        folder = write_pack(tmp_path / f"pack{count}", small_pack() if tables is None else tables, form)
        return import_pack(folder, **options)

    return load_tables
