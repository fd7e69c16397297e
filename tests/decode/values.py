"""Values out of the decoders, for comparison."""

from __future__ import annotations

from meta_audit.decode import decode_json, decode_yaml
from meta_audit.model import Scalar


def json_value(content: bytes) -> object:
    """Decode JSON that may have duplicate keys."""
    return decode_json(content).value


def yaml_value(content: bytes) -> object:
    """Decode YAML that may have duplicate keys."""
    return decode_yaml(content).value


def plainly(value: object) -> object:
    """The value with each Scalar replaced by what it stands for."""
    if isinstance(value, Scalar):
        return value.value
    if isinstance(value, list):
        return [plainly(item) for item in value]
    if isinstance(value, dict):
        return {key: plainly(item) for key, item in value.items()}
    return value
