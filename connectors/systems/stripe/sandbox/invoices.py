"""Invoices of the double.

Documents carry business dates (``effective_at``, service periods), taken from the dates it is given; ``created`` and
``status_transitions`` are real time, as event order needs them. One rounding per line and one per tax line, half up.
"""

import time
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from connectors.systems.stripe.sandbox.arithmetic import half_up, second_of
from connectors.systems.stripe.sandbox.ledger import Ledger
from connectors.systems.stripe.sandbox.seeds import TAX_RATE_OF_ENTITY
from connectors.systems.stripe.sandbox.shapes import Json, bad_request

DAYS_UNTIL_DUE = 30


class Invoices:
    """Issues invoices into the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def one_off_invoice(self, given: Json) -> Json:
        """A sale without a contract: {"customer", "date", "currency", "metadata", "lines": [{"product", …}]}."""
        customer = self.ledger.need("customer", str(given.get("customer", "")), status=400)
        metadata, day = given.get("metadata") or {}, date.fromisoformat(given["date"])
        rates = self.tax_rates(given.get("tax_rates"), customer, customer["metadata"] | metadata)
        lines = [self._free_line(line, day, given["currency"], rates) for line in given["lines"]]
        header = {"customer": customer["id"], "currency": given["currency"], "default_tax_rates": rates}
        return self.issue(lines, day, header | {"metadata": metadata})

    def void(self, invoice: Json) -> Json:
        """Void an open invoice."""
        if invoice["status"] not in ("open", "uncollectible"):
            raise bad_request(f"an invoice that is {invoice['status']} cannot be voided")
        now = int(time.time())
        transitions = invoice["status_transitions"] | {"voided_at": now}
        void = invoice | {"status": "void", "status_transitions": transitions, "amount_remaining": 0}
        self.ledger.announce("invoice.voided", self.ledger.save(void))
        return void

    def issue(self, lines: list[Json], day: date, header: Json) -> Json:
        """Make a draft, number it, finalise it. The header says at least customer, currency and default_tax_rates."""
        net = sum(line["amount"] for line in lines)
        taxes = [tax for line in lines for tax in line["tax_amounts"]]
        tax, now = sum(part["amount"] for part in taxes), int(time.time())
        draft = self.ledger.create(
            "invoice",
            "in",
            {
                "object": "invoice",
                "amount_due": net + tax,
                "amount_paid": 0,
                "amount_remaining": net + tax,
                "attempt_count": 0,
                "billing_reason": "manual",
                "charge": None,
                "collection_method": "send_invoice",
                "due_date": second_of(day + timedelta(days=DAYS_UNTIL_DUE)),
                "effective_at": None,
                "lines": {"object": "list", "data": lines, "has_more": False, "total_count": len(lines)},
                "metadata": {},
                "number": None,
                "paid_out_of_band": False,
                "payment_intent": None,
                "starting_balance": 0,
                "status": "draft",
                "status_transitions": dict.fromkeys(
                    ("finalized_at", "paid_at", "voided_at", "marked_uncollectible_at")
                ),
                "subscription": None,
                "subtotal": net,
                "tax": tax,
                "total": net + tax,
                "total_excluding_tax": net,
                "total_tax_amounts": _sums_by_rate(taxes),
                **header,
            },
        )
        self.ledger.announce("invoice.created", draft)
        entity = self.ledger.labels(draft).get("entity", "")
        final = {
            "number": f"INV-{self.ledger.store.next(f'invoice {entity}'):04d}",
            "effective_at": second_of(day),
            "status": "open",
            "status_transitions": draft["status_transitions"] | {"finalized_at": now},
        }
        invoice = self.ledger.save(draft | final)
        self.ledger.announce("invoice.finalized", invoice)
        return invoice

    def _free_line(self, given: Json, day: date, currency: str, rates: list[Json]) -> Json:
        quantity, unit_amount = int(given.get("quantity", 1)), int(given["unit_amount"])
        product = given.get("product")
        end = date.fromisoformat(given["service_end"]) if "service_end" in given else day
        start = date.fromisoformat(given["service_start"]) if "service_start" in given else day
        price = {"id": None, "object": "price", "product": product, "unit_amount": unit_amount, "currency": currency}
        return self.taxed(
            {
                "amount": quantity * unit_amount,
                "currency": currency,
                "description": given.get("description", product or ""),
                "metadata": {},
                "period": {"start": second_of(start), "end": second_of(end)},
                "price": price if product else None,
                "proration": False,
                "quantity": quantity,
                "subscription": None,
                "type": "invoiceitem",
            },
            rates,
        )

    def taxed(self, line: Json, rates: list[Json]) -> Json:
        """A line with its id and the tax of each rate."""
        amounts = [
            {
                "amount": half_up(line["amount"] * Fraction(str(rate["percentage"])) / 100),
                "inclusive": False,
                "tax_rate": rate["id"],
                "taxability_reason": "standard_rated",
                "taxable_amount": line["amount"],
            }
            for rate in rates
        ]
        fixed = {"id": self.ledger.new_id("il"), "object": "line_item", "discount_amounts": [], "tax_rates": []}
        return fixed | line | {"tax_amounts": amounts}

    def tax_rates(self, given: Any, customer: Json, metadata: Json) -> list[Json]:
        """The rates asked for; else what a story set for the customer; else the rate of the entity."""
        override = self.ledger.store.get("tax_override", str(customer["metadata"].get("account_id") or customer["id"]))
        by_entity = TAX_RATE_OF_ENTITY.get(metadata.get("entity", ""))
        ids = (override or {}).get("tax_rates") or given or ([by_entity] if by_entity else [])
        return [self.ledger.need("tax_rate", rate_id, status=400) for rate_id in ids]


def _sums_by_rate(taxes: list[Json]) -> list[Json]:
    sums: dict[str, Json] = {}
    for tax in taxes:
        old = sums.get(tax["tax_rate"], tax | {"amount": 0, "taxable_amount": 0})
        more = {name: old[name] + tax[name] for name in ("amount", "taxable_amount")}
        sums[tax["tax_rate"]] = old | more
    return list(sums.values())
