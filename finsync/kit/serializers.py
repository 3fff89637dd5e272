"""Values as the API says them: money with its currency, evidence without its secrets, bodies read strictly."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from finsync.core.money import Money
from finsync.kit.masking import masked


class MoneySerializer(serializers.Serializer):
    """An exact amount: ``minor`` counts cents of USD or yen of JPY; ``major`` is a decimal, never a float."""

    minor = serializers.IntegerField(help_text="Whole minor units of the currency, signed.")
    currency = serializers.CharField(help_text="ISO 4217 code.")
    major = serializers.CharField(help_text='The same amount in major units with all its decimals, as text: "5712.04".')

    class Meta:
        ref_name = "Money"


def money(value: Money | None) -> dict[str, Any] | None:
    """Return an amount as the API says it."""
    return None if value is None else {"minor": value.minor, "currency": value.currency, "major": f"{value.major:f}"}


@extend_schema_field(MoneySerializer)
class MoneyField(serializers.Field):
    """An amount stored as minor units in one attribute of a row and its currency in another.

    ``currency`` may lead over relations the query has read already (``invoice.currency``). Null where the row has none.
    """

    def __init__(self, minor: str, currency: str = "currency", **kwargs: Any) -> None:
        self.minor, self.currency_path = minor, currency.split(".")
        super().__init__(source="*", read_only=True, allow_null=True, **kwargs)

    def to_representation(self, row: Any) -> dict[str, Any] | None:
        """Return minor units, currency and major units."""
        minor = getattr(row, self.minor)
        currency = row
        for name in self.currency_path:
            currency = getattr(currency, name)
        return None if minor is None or not currency else money(Money(minor, str(currency)))


@extend_schema_field(MoneySerializer)
class MoneyValue(serializers.Field):
    """An attribute that is a Money, or null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: Money) -> dict[str, Any] | None:
        """Return minor units, currency and major units."""
        return money(value)


@extend_schema_field(OpenApiTypes.ANY)
class Masked(serializers.Field):
    """Stored JSON as it was, with secrets and card numbers replaced by ``(masked)``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> Any:
        """Return the masked values."""
        return masked(value)


class Asked(serializers.Serializer):
    """The body of an action. A name it does not know is an error: what was misspelt is not silently left out."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the values. Raises ValidationError for unknown names too."""
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError({str(name): f"Not known here. Known are: {known}." for name in unknown})
        return super().to_internal_value(data)


class Versioned(Asked):
    """A body that may name the version of the row it was decided on."""

    version = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        help_text="The version you looked at; 409 if somebody changed the row meanwhile. If-Match says the same.",
    )
