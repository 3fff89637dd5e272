"""The gateway half of the double: an invoice is paid or a payment fails, on request of a story."""

import time
from datetime import UTC, date, datetime
from fractions import Fraction

from connectors.systems.stripe.sandbox.arithmetic import half_up
from connectors.systems.stripe.sandbox.ledger import Ledger
from connectors.systems.stripe.sandbox.shapes import Json, bad_request

FEE_RATE = Fraction(29, 1000)  # 2.9 %
FEE_FIXED_MINOR = 30
COPIED = ("account_id", "entity", "contract_id", "correlation_id")


class Gateway:
    """What the gateway half does with the ledger it writes to."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def pay(self, invoice: Json, day: date | None = None, *, labelled: bool = True) -> Json:
        """Take the whole amount due by card, on a business day. ``labelled`` copies metadata to the charge."""
        self._need_open(invoice)
        intent, charge = self._attempt(invoice, "succeeded", day, labelled=labelled)
        fee = half_up(charge["amount"] * FEE_RATE) + FEE_FIXED_MINOR
        settled = self.ledger.create("balance_transaction", "txn", _balance_transaction(charge, fee))
        charge = self.ledger.save(charge | {"balance_transaction": settled["id"], "paid": True})
        self.ledger.announce("charge.succeeded", charge)
        self.ledger.announce("payment_intent.succeeded", intent)
        paid = self.ledger.save(
            invoice
            | {
                "amount_paid": invoice["amount_due"],
                "amount_remaining": 0,
                "charge": charge["id"],
                "metadata": invoice["metadata"] | ({"paid_on": day.isoformat()} if day else {}),
                "paid": True,
                "payment_intent": intent["id"],
                "status": "paid",
                "status_transitions": invoice["status_transitions"] | {"paid_at": int(time.time())},
            }
        )
        self.ledger.announce("invoice.paid", paid)
        self.ledger.announce("invoice.payment_succeeded", paid)
        return paid

    def fail(self, invoice: Json, code: str = "card_declined", day: date | None = None) -> Json:
        """Try to take the amount due, in vain."""
        self._need_open(invoice)
        intent, charge = self._attempt(invoice, "failed", day, failure_code=code)
        self.ledger.announce("charge.failed", charge)
        self.ledger.announce("payment_intent.payment_failed", intent)
        tried = self.ledger.save(invoice | {"attempt_count": invoice["attempt_count"] + 1})
        self.ledger.announce("invoice.payment_failed", tried)
        return tried

    def _need_open(self, invoice: Json) -> None:
        if invoice["status"] != "open":
            raise bad_request(f"an invoice that is {invoice['status']} cannot be paid", code="invoice_not_open")

    def _attempt(
        self, invoice: Json, status: str, day: date | None, *, failure_code: str | None = None, labelled: bool = True
    ) -> tuple[Json, Json]:
        """A payment intent and its charge."""
        labels = self.ledger.labels(invoice) if labelled else {}
        kept = {name: labels[name] for name in COPIED if name in labels}
        metadata = kept | ({"effective_date": day.isoformat()} if day else {})
        shared = {
            "amount": invoice["amount_due"],
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "invoice": invoice["id"],
            "metadata": metadata,
        }
        succeeded = status == "succeeded"
        intent = self.ledger.create(
            "payment_intent",
            "pi",
            {"object": "payment_intent", "status": status if succeeded else "requires_payment_method", **shared},
        )
        charge = self.ledger.create(
            "charge",
            "ch",
            {
                "object": "charge",
                "amount_captured": invoice["amount_due"] if succeeded else 0,
                "amount_refunded": 0,
                "balance_transaction": None,
                "captured": succeeded,
                "failure_code": failure_code,
                "failure_message": f"The payment failed: {failure_code}" if failure_code else None,
                "paid": False,
                "payment_intent": intent["id"],
                "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242"}},
                "refunded": False,
                "status": status,
                **shared,
            },
        )
        return self.ledger.save(intent | {"latest_charge": charge["id"]}), charge


def _balance_transaction(charge: Json, fee: int) -> Json:
    return {
        "object": "balance_transaction",
        "amount": charge["amount"],
        "available_on": int(datetime.now(UTC).timestamp()) + 2 * 86_400,
        "currency": charge["currency"],
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [{"type": "stripe_fee", "amount": fee, "currency": charge["currency"]}],
        "net": charge["amount"] - fee,
        "reporting_category": "charge",
        "source": charge["id"],
        "status": "pending",
        "type": "charge",
    }
