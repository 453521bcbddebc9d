"""Attributes of what is sent, and the resource: what names this process."""

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from steno import __version__

Value = str | bool | int | float | list[str]

SCOPE: Final = InstrumentationScope(name="steno", version=__version__)


def key_values(pairs: Iterable[tuple[str, Value]]) -> list[KeyValue]:
    """Return attributes in the form of OTLP."""
    return [KeyValue(key=name, value=_any_value(value)) for name, value in pairs]


def _any_value(value: Value) -> AnyValue:
    match value:
        case bool():  # before int, which it is as well
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=map(_any_value, value)))


def resource(instance: str, further: Mapping[str, str]) -> Resource:
    """Return what names this process: `instance` from one start to the next; `further` is the operator's and wins."""
    named = {"service.name": "steno", "service.version": __version__, "service.instance.id": instance}
    return Resource(attributes=key_values((named | dict(further)).items()))
