"""What all canonical records share, and the codec between records and JSON."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, cast

import cattrs

from finsync.core.keys import content_hash
from finsync.core.money import Money
from finsync.core.records.lineage import Lineage


@dataclass(frozen=True, slots=True)
class Requirement:
    """Another aggregate that must have been applied first, at least up to ``ordinal`` (0: at any version)."""

    aggregate_key: str
    ordinal: int = 0


class Record:
    """A frozen statement of one system about one entity. Subclasses are frozen dataclasses with a ``lineage``.

    ``aggregate_key`` orders: facts with one aggregate key are applied one after another, by ordinal.
    ``business_key`` identifies the entity version the record describes.
    ``requires`` names what must have been applied before: the customer before its invoice, contract version 2
    before the invoice that bills it.
    """

    record_type: ClassVar[str]
    lineage: Lineage

    @property
    def aggregate_key(self) -> str:
        raise NotImplementedError

    @property
    def business_key(self) -> str:
        return self.aggregate_key

    @property
    def requires(self) -> tuple[Requirement, ...]:
        return ()


RECORD_TYPES: dict[str, type[Record]] = {}


def record(cls: type[Record]) -> type[Record]:
    """Register a record class under its ``record_type`` so that stored JSON can be read back."""
    if cls.record_type in RECORD_TYPES:
        raise ValueError(f"record type {cls.record_type!r} is registered twice")
    RECORD_TYPES[cls.record_type] = cls
    return cls


_codec = cattrs.Converter(forbid_extra_keys=True)
_codec.register_unstructure_hook(Money, lambda money: {"minor": money.minor, "currency": money.currency})
_codec.register_structure_hook(Money, lambda value, _: Money(value["minor"], value["currency"]))
_codec.register_unstructure_hook(Decimal, str)
_codec.register_structure_hook(Decimal, lambda value, _: Decimal(value))
_codec.register_unstructure_hook(datetime, lambda value: value.isoformat())
_codec.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
_codec.register_unstructure_hook(date, lambda value: value.isoformat())
_codec.register_structure_hook(date, lambda value, _: date.fromisoformat(value))


def to_json(value: Any) -> dict[str, Any]:
    """Return a record (or any frozen dataclass of the core) as plain JSON values; money as minor units."""
    return cast(dict[str, Any], _codec.unstructure(value))


def from_json(record_type: str, value: dict[str, Any]) -> Record:
    """Return the record stored as JSON under ``record_type``. Raises KeyError for an unknown type."""
    return _codec.structure(value, RECORD_TYPES[record_type])


def structure(value: Any, cls: Any) -> Any:
    """Return JSON values as an instance of a frozen dataclass of the core."""
    return _codec.structure(value, cls)


def fact_hash(item: Record) -> str:
    """Return the hash of what a record says, lineage left out: equal facts by webhook and poll hash equal."""
    body = to_json(item)
    effective = body.pop("lineage").get("effective_date")
    return content_hash({"type": item.record_type, "effective_date": effective, "body": body})
