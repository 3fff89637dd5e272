"""What the double sells and taxes from the first day. Percentages are JSON numbers, as in Stripe's API."""

from typing import Any

PRODUCTS: list[dict[str, Any]] = [
    {"id": "SEAT-PRO", "object": "product", "name": "Pro seat, annual", "active": True, "metadata": {}},
    {"id": "ONBOARD", "object": "product", "name": "Onboarding", "active": True, "metadata": {}},
]


def _price(product: str, currency: str, unit_amount: int, interval: str | None) -> dict[str, Any]:
    return {
        "id": f"price_{product.lower().replace('-', '_')}_{currency}",
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "currency": currency,
        "metadata": {},
        "product": product,
        "recurring": {"interval": interval, "interval_count": 1, "usage_type": "licensed"} if interval else None,
        "type": "recurring" if interval else "one_time",
        "unit_amount": unit_amount,
        "unit_amount_decimal": str(unit_amount),
    }


PRICES = [
    _price(product, currency, unit_amount, interval)
    for currency in ("usd", "gbp")
    for product, unit_amount, interval in (("SEAT-PRO", 120_000, "year"), ("ONBOARD", 50_000, None))
]


def _tax_rate(rate_id: str, name: str, percentage: float, jurisdiction: str, code: str) -> dict[str, Any]:
    country, _, state = jurisdiction.partition("-")
    return {
        "id": rate_id,
        "object": "tax_rate",
        "active": True,
        "country": country,
        "display_name": name,
        "inclusive": False,
        "jurisdiction": jurisdiction,
        "metadata": {"tax_code": code},
        "percentage": percentage,
        "state": state or None,
    }


TAX_RATES = [
    _tax_rate("txr_us_tx", "Sales tax", 8.25, "US-TX", "US-TX-SALES"),
    _tax_rate("txr_gb_vat", "VAT", 20.0, "GB", "GB-VAT-20"),
    _tax_rate("txr_gb_vat_5", "VAT, reduced rate", 5.0, "GB", "GB-VAT-5"),  # nobody mapped it: for a story
    _tax_rate("txr_us_ca", "Sales tax", 7.25, "US-CA", "US-CA-SALES"),  # nobody mapped it: for a story
]
TAX_RATE_OF_ENTITY = {"US01": "txr_us_tx", "UK01": "txr_gb_vat"}
