"""The description is valid, complete and says what the API says."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.db import models
from django.test import Client
from rest_framework import serializers

import finsync.api
from finsync.kit.problems import CONTENT_TYPE


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The description; making it fails on any warning."""
    path = tmp_path_factory.mktemp("schema") / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(path))
    described: dict[str, Any] = yaml.safe_load(path.read_text())
    return described


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_operation_says_what_it_does_and_how_it_fails(schema: dict[str, Any]) -> None:
    for method, path, operation in _operations(schema):
        assert operation["summary"], path
        assert operation["description"], path
        problems = {code: body for code, body in operation["responses"].items() if not code.startswith("2")}
        if path == "/healthz":
            continue
        assert {"400", "401", "403"} <= set(problems), path
        if method == "post":
            assert {"409", "413", "415"} <= set(problems), path
            assert "scope `act`" in operation["description"], path
        for body in problems.values():
            assert body["description"]
            assert list(body["content"]) == [CONTENT_TYPE]


def test_the_token_scheme_is_declared_and_every_operation_asks_for_it(schema: dict[str, Any]) -> None:
    scheme = schema["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Authorization")
    for _, path, operation in _operations(schema):
        assert operation["security"] == [{}] if path == "/healthz" else {"token": []} in operation["security"], path


def test_money_is_described_as_minor_units_with_currency(schema: dict[str, Any]) -> None:
    money = schema["components"]["schemas"]["Money"]
    assert {name: field["type"] for name, field in money["properties"].items()} == {
        "minor": "integer", "currency": "string", "major": "string"
    }  # fmt: skip
    assert "Money" in str(schema["components"]["schemas"]["Invoice"]["properties"]["total"])


def test_a_list_is_described_as_an_object_with_results(schema: dict[str, Any]) -> None:
    for method, path, operation in _operations(schema):
        if method == "get" and operation["operationId"].endswith("_list"):
            told = operation["responses"]["200"]["content"]["application/json"]["schema"]
            name = told["$ref"].rsplit("/", 1)[1]
            assert "results" in schema["components"]["schemas"][name]["properties"], path


def test_the_description_is_served_to_everybody(client: Client) -> None:
    answer = client.get("/api/schema/")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/vnd.oai.openapi")
    assert "/api/v1/postings/{id}/retry/" in yaml.safe_load(answer.content)["paths"]


def _serializers() -> Iterator[type[serializers.Serializer]]:
    def below(kind: type) -> Iterator[type]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    assert finsync.api.urlpatterns  # everything is imported
    ours = ("finsync.", "connectors.", "exceptions_queue.", "reconciliation.")
    yield from {each for each in below(serializers.Serializer) if each.__module__.startswith(ours)}


def test_every_serializer_names_its_fields_and_none_of_a_row_can_be_written() -> None:
    found = 0
    for kind in _serializers():
        if not issubclass(kind, serializers.ModelSerializer):
            continue
        found += 1
        assert isinstance(kind.Meta.fields, tuple), kind
        assert not hasattr(kind.Meta, "exclude"), kind
        writable = [name for name, field in kind().fields.items() if not field.read_only]
        assert not writable, f"{kind.__name__}: {writable}"
    assert found > 20


def test_no_serializer_shows_sealed_bytes_or_hashes_of_secrets() -> None:
    for kind in _serializers():
        model = getattr(getattr(kind, "Meta", None), "model", None)
        if model is None:
            continue
        shown = {field.source for field in kind().fields.values()}
        binary = {field.name for field in model._meta.get_fields() if isinstance(field, models.BinaryField)}
        assert not shown & binary - {"hash"}, kind
        assert not {name for name in shown if "secret" in name or "digest" in name or "password" in name}, kind


def test_no_filter_takes_a_pattern() -> None:
    for viewset in (entry[1] for entry in finsync.api.router.registry):
        filters = getattr(viewset, "filterset_class", None)
        for name, found in (filters.base_filters if filters else {}).items():
            assert "regex" not in found.lookup_expr, f"{viewset.__name__}.{name}"
            assert filters._meta.fields == [], "filters are named one by one"
