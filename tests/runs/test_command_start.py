"""What processes import: a command no more than it uses, a cluster all that its workers share."""

import json
import subprocess
import sys

import pytest
from django.core.management import call_command

from exo_registry.models import Product

from .conftest import START

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SLOW_PACKAGES = {"pandas", "scipy.optimize", "scipy.special"}
PAGES = ("exo_registry.views", "exo_registry.api", "exo_registry.admin", "exoweb.urls")
MODULES = "import json, sys; sys.stderr.write(json.dumps(sorted(sys.modules)))"
RUN_COMMAND = f"import atexit, manage; atexit.register(lambda: exec({MODULES!r})); manage.main()"
SET_UP = f"import django; django.setup(); {MODULES}"


@pytest.fixture
def modules(child_env):
    """`modules(code, *arguments)`: what a process that runs the code as manage.py with these arguments has imported."""

    def run(code: str, *arguments: str) -> tuple[set[str], str]:
        code = f"import sys; sys.argv[0] = 'manage.py'; {code}"
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, env=child_env(), check=True, capture_output=True, text=True, timeout=120)
        return set(json.loads(done.stderr)), done.stdout

    return run


def test_a_plan_imports_no_pages_and_no_slow_packages(es, contfut, modules):
    Product.objects.update(data_kind="synthetic")  # whether a feed is late takes the exchange's calendar
    call_command("runexo", "ES", "-B", str(START))
    imported, out = modules(RUN_COMMAND, "runexo", "--dry-run")
    assert "ES_ContFut" in out
    assert "0 series to compute" in out
    assert "exo_registry.market.store" in imported
    assert not imported & (SLOW_PACKAGES | {"pyarrow.dataset", "pandas_market_calendars", "import_export.admin"})
    assert not [name for name in imported if name.startswith(PAGES)]


def test_a_cluster_imports_what_its_workers_share(modules):
    assert modules(SET_UP, "qcluster")[0] >= SLOW_PACKAGES
    assert not modules(SET_UP, "runexo")[0] & SLOW_PACKAGES
