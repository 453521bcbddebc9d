"""`GET /v1/openapi.json`: the HTTP face as an OpenAPI 3.1 document, made of the routes that answer.

Bodies are described by the Structs that they are decoded to and encoded from, so the document cannot say otherwise.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from steno import __version__
from steno.admin.answers import JSON, answer
from steno.admin.operations import DescribedRoute, Operation, Parameter
from steno.attachments import ErrorAnswer

PATH: Final = "/v1/openapi.json"
REFERENCE: Final = "#/components/schemas/{name}"
REFUSALS: Final = {
    "probe": (),
    "open": (403,),
    "read": (401, 403, 429),
    "act": (401, 403, 429),
}
"""By who may ask: what the guard may answer."""
SCHEMES: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "The token of `http.token`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "steno",
        "description": "The cookie of `POST /v1/session`; its name has the port, as `steno_9464`.",
    },
    "certificate": {"type": "mutualTLS", "description": "A certificate that `http.web_config` allows."},
}
DESCRIBE: Final = Operation(summary="This document.", answers={200: dict[str, Any]})

_CONVERTOR: Final = re.compile(r":[a-z]+\}")


def document_route(routes: Sequence[BaseRoute]) -> DescribedRoute:
    """Return the route of the document of `routes` and of itself. The document is made when it is asked for."""

    async def describe(_request: Request) -> Response:
        return answer(HTTPStatus.OK, document([*routes, route]))

    route = DescribedRoute(PATH, describe, DESCRIBE)
    return route


def document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Return the document of those of `routes` that are described."""
    described = [route for route in routes if isinstance(route, DescribedRoute)]
    kinds = list(dict.fromkeys(kind for route in described for kind in _kinds(route.operation)))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    by_kind = {str(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in described:
        path = _CONVERTOR.sub("}", route.path)
        paths.setdefault(path, {})[route.operation.method.lower()] = _operation(route.operation, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "steno", "version": __version__},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SCHEMES},
    }


def _kinds(operation: Operation) -> Iterator[Any]:
    """Yield the types of JSON that an operation takes and answers."""
    if operation.body is not None:
        yield operation.body
    yield from (kind for kind in operation.answers.values() if kind is not None and not isinstance(kind, str))
    yield ErrorAnswer


def _operation(operation: Operation, schemas: Mapping[str, Any]) -> dict[str, Any]:
    refused = dict.fromkeys(REFUSALS[operation.access], ErrorAnswer)
    answers = sorted({**refused, **operation.answers}.items())
    shown: dict[str, Any] = {
        "summary": operation.summary,
        "security": _security(operation),
        "responses": {str(status): _answer(status, kind, schemas) for status, kind in answers},
    }
    if operation.parameters:
        shown["parameters"] = [_parameter(each) for each in operation.parameters]
    if operation.body is not None:
        shown["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas[str(operation.body)]}}}
    return shown


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    """Return what may be shown; the empty one says that nothing need be, as for reading on loopback."""
    if operation.access in {"probe", "open"}:
        return []
    shown: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
    return shown if operation.access == "act" else [{}, *shown]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.summary,
        "required": parameter.place == "path",
        "schema": dict(parameter.schema),
    }


def _answer(status: int, kind: Any, schemas: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(kind, str):
        shown["content"] = {kind: {"schema": {"type": "string"}}}
    elif kind is not None:
        shown["content"] = {JSON: {"schema": schemas[str(kind)]}}
    return shown
