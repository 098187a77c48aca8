"""Requests made from the OpenAPI document, sensible ones and wrong ones: each answer is one that the document names, in
its form, and none is a server error.

schemathesis makes the requests: for each operation those that try every bound of a parameter, other methods and missing
tokens, and some at random, the same in every run.
"""

import datetime as dt
import logging

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi import checks

from exo_registry import market
from exo_registry.api import openapi, urls
from exo_registry.models import Run, Scope, Token
from exo_registry.runs import plan, worker
from tests.market.packs import small_pack, write_pack

LEGS = [{"right": "F", "qty": 1}, {"right": "C", "qty": -1, "offset": 1}]
# A document cannot say that one date is not after another, or which columns a series has: such requests are refused.
LEFT_OUT = [checks.positive_data_acceptance]


@pytest.fixture
def desk(tmp_path, make_definition, root):
    """A series with a position and its run; the arguments of addresses that lead to them."""
    market.import_pack(write_pack(tmp_path / "pack", small_pack()), activate=True)
    make_definition("Cover", "algorithms.fixed_legs.FixedLegs", parameters={"legs": LEGS})
    run = plan.start(plan.make_plan(start=dt.date(2020, 3, 2)), source=Run.Source.SHELL, user=root)
    worker.work(run.pk, run.steps.get().product_id)
    return {"name": "ES_Cover", "pk": run.pk}


@pytest.fixture
def headers(root):
    token = Token(name="schemathesis", user=root, scopes=list(Scope.values))
    key = token.new_key()
    token.save()
    return {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}  # it does not unpack


@pytest.fixture
def _connection_stays(db):
    """A request leaves the test's database connection open, as with Django's own test client."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


REFUSED = [400, 401, 403, 404, 405, 406, 413, 422]
CONFIGURATION = {"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}}
schema = schemathesis.openapi.from_dict(
    openapi.document(urls.urlpatterns), config=schemathesis.Config.from_dict(CONFIGURATION)
)
schema.app = get_wsgi_application()


@pytest.mark.slow
@pytest.mark.usefixtures("_connection_stays")
@schema.parametrize()
@settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_those_of_the_document(case, desk, headers):
    ask(case, headers)
    known = {name: value for name, value in desk.items() if name in case.path_parameters}
    if known:  # once more where there is something; what was wrong may have been the argument
        case.path_parameters.update(known)
        ask(case, headers, checks.negative_data_rejection)


def ask(case, headers, *left_out) -> None:
    logging.disable(logging.CRITICAL)
    try:
        with transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
    finally:
        logging.disable(logging.NOTSET)
    case.validate_response(response, excluded_checks=[*LEFT_OUT, *left_out], headers=headers)
