"""What the API says of itself: its index, its OpenAPI document, and that answers are what the document says."""

import json
import re

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver
from pydantic import TypeAdapter

from exo_registry.api import openapi, urls
from exo_registry.api.endpoint import Operation
from exo_registry.market.schema import PACK
from exo_registry.models import Run, Step
from exo_registry.runs import plan
from tests.fuzz.site import addresses

from .test_position import cover  # noqa: F401

DOCUMENT = "/api/v1/openapi.json"


@pytest.fixture
def document() -> dict:
    return openapi.document(urls.urlpatterns)


def test_the_index_has_the_version_and_every_link_leads_somewhere(viewer):
    body = viewer.get("/api/v1/").json()
    assert body["version"] == settings.VERSION
    assert {name: viewer.get(address).status_code for name, address in body["links"].items()} == {
        "series": 200,
        "runs": 200,
        "openapi": 200,
        "market-bars": 405,
        "market-rates": 405,
        "api-docs": 200,
    }


def test_the_document_is_for_those_who_may_read(viewer, document):
    assert Client().get(DOCUMENT).status_code == 401
    assert viewer.get(DOCUMENT).json() == document
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == settings.VERSION


def test_every_view_of_the_api_is_described_once_and_under_its_own_name(document):
    views = {match.func for match in matches()}
    described = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(described) == sum(len(view.operations) for view in views)
    assert len({operation["operationId"] for operation in described}) == len(described)
    assert all(operation["summary"] and operation["tags"] for operation in described)


def matches():
    """The views of the API's addresses, as the URL map finds them."""
    samples = {"name": "ES_Cover", "form": "csv", "pk": 1}
    paths = [address.path(samples) for address in addresses() if address.is_api]
    assert len(paths) > 10
    found = [get_resolver().resolve(path) for path in paths]
    return [match for match in found if match.namespace == "api"]


def test_paths_of_the_document_are_addresses(document):
    server = document["servers"][0]["url"]
    for path, operations in document["paths"].items():
        names = set(re.findall(r"{(\w+)}", path))
        view = get_resolver().resolve(server + path.format(name="ES_Cover", form="csv", pk=1)).func
        assert {method.upper() for method in operations} == set(view.operations)
        for operation in operations.values():
            assert {part["name"] for part in operation["parameters"] if part["in"] == "path"} == names


def test_every_reference_of_the_document_leads_to_a_schema(document):
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) == set(schemas)
    assert set(re.findall(r'"\$ref": "([^"]*)"', text)) == {f"#/components/schemas/{name}" for name in schemas}


def test_parameters_are_those_that_requests_are_parsed_by(document):
    parameters = {part["name"]: part for part in document["paths"]["/series/{name}.{form}"]["get"]["parameters"]}
    assert list(parameters) == ["name", "form", "from", "to", "columns"]
    assert parameters["form"]["schema"]["enum"] == ["json", "csv", "parquet"]
    assert parameters["from"]["schema"]["format"] == "date"
    assert not parameters["from"].get("required")
    limit = next(part for part in document["paths"]["/series/"]["get"]["parameters"] if part["name"] == "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}


def test_a_bar_has_the_columns_of_a_market_pack(document):
    bar = document["components"]["schemas"]["Bar"]
    assert list(bar["properties"]) == list(PACK["contracts_bars"])
    assert bar["required"] == [name for name, column in PACK["contracts_bars"].items() if column.required]


def test_who_may_is_said_of_each_operation(document):
    reading = document["paths"]["/series/"]["get"]
    writing = document["paths"]["/runs/"]["post"]
    assert reading["security"] == [{"token": []}, {"basic": []}]
    assert writing["security"] == [{"token": []}]
    assert "scope `runs`" in writing["description"]


def test_answers_have_the_fields_of_their_types_and_no_others(viewer, cover, root):  # noqa: F811
    run = plan.start(plan.make_plan(mode="reset", start=cover.first_date), source=Run.Source.SHELL, user=root)
    assert Step.objects.filter(run=run).exists()
    arguments = {"name": cover.name, "form": "json", "pk": run.pk}
    for path, operations in openapi.document(urls.urlpatterns)["paths"].items():
        if "get" in operations:
            address = f"/api/v1{path.format(**arguments)}"
            operation: Operation = get_resolver().resolve(address).func.operations["GET"]
            text = viewer.get(address).text
            adapter = TypeAdapter(operation.answers[200].model)
            again = adapter.dump_json(adapter.validate_json(text), by_alias=True)
            assert keys(json.loads(again)) == keys(json.loads(text)), path


def keys(value: object) -> object:
    """The names in a JSON value, without its values."""
    if isinstance(value, dict):
        return {name: keys(part) for name, part in value.items()}
    return [keys(part) for part in value] if isinstance(value, list) else None
