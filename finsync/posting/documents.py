"""Which documents an applied change must make, for which kind of system, and what each waits for. Pure.

This is the expected effect of each commercial event on the thread (domain.md section 2): a change that makes no
document says so, because "none" is an effect too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from finsync.core.keys import business_key, content_hash
from finsync.core.mapping.evaluate import Item
from finsync.core.mapping.vocabulary import Per, Scalar
from finsync.core.money import Money
from finsync.core.pricing import added_net
from finsync.core.records import (
    ChangeType,
    ContractVersionRecord,
    CustomerRecord,
    InvoiceRecord,
    InvoiceStatus,
    PaymentApplicationRecord,
    PaymentRecord,
    PaymentStatus,
    Record,
    RevenueScheduleRecord,
    customer_key,
    invoice_key,
    payment_key,
    to_json,
)
from finsync.core.records.document import DocType


@dataclass(frozen=True, kw_only=True)
class NeedOf:
    """A document that must be posted in the same system before: its role in ours, its type and business key."""

    role: str
    doc_type: DocType
    business_key: str


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One document to be planned, before it is known which connection takes it and which accounts it uses.

    ``role`` is the kind of system (erp, billing, revenue); ``event`` the accounting event whose rule set makes the
    journal, "" where there is none. ``amount`` is the control amount. ``not_before`` holds it until a business date.
    """

    role: str
    doc_type: DocType
    business_key: str
    entity: str
    currency: str
    amount: Money | None
    record: Record
    narrative: str
    document_date: date
    accounting_date: date
    customer_key: str
    contract_number: str = ""
    contract_version: int | None = None
    needs: tuple[NeedOf, ...] = ()
    event: str = ""
    facts: Mapping[str, Scalar | None] = field(default_factory=dict)
    amounts: Mapping[str, Money] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    not_before: date | None = None

    @property
    def content_hash(self) -> str:
        """Hash of what must never change under one business key; what moves on by itself (a status) is left out."""
        body = to_json(self.record)
        for name in ("lineage", "status", "amount_paid", "fee"):
            body.pop(name, None)
        amount = [self.amount.minor, self.amount.currency] if self.amount is not None else None
        return content_hash([self.doc_type, self.business_key, self.entity, self.currency, amount, body])


@dataclass(frozen=True)
class Plan:
    """The documents a change makes, and the sentence that explains them (also where there are none)."""

    drafts: tuple[Draft, ...]
    explanation: str
    alarm: str = ""  # a reason code where something happened that this version of finsync does not post by itself


def plan_documents(record: Record) -> Plan:
    """Return the documents one applied record must make. Raises KeyError for a record type nobody planned for."""
    return _PLANNERS[record.record_type](record)


def _customer(record: CustomerRecord) -> Plan:
    first = Draft(
        role="erp",
        doc_type=DocType.CUSTOMER,
        business_key=record.aggregate_key,
        entity=record.entity,
        currency=record.currency,
        amount=None,
        record=record,
        narrative=record.name,
        document_date=record.lineage.source_ts.date(),
        accounting_date=record.lineage.source_ts.date(),
        customer_key=record.aggregate_key,
    )
    return Plan((first, replace(first, role="billing")), "a customer is created in billing and in the ERP")


def _contract_version(record: ContractVersionRecord) -> Plan:
    if record.change_type is ChangeType.CANCEL:
        return Plan(
            (), "a cancellation is kept; ending the subscription is not posted yet", alarm="REV_ORPHAN_AFTER_CANCEL"
        )
    party = customer_key(record.account_id)
    previous = business_key("contract", record.entity, record.contract_number, f"v{record.version - 1}")
    words = f"{record.contract_number} v{record.version} from {record.effective_date.isoformat()}"

    def draft(role: str, doc_type: DocType, amount: Money | None, *needs: NeedOf) -> Draft:
        before = (NeedOf(role="previous", doc_type=doc_type, business_key=previous),) if record.version > 1 else ()
        return Draft(
            role=role,
            doc_type=doc_type,
            business_key=record.business_key,
            entity=record.entity,
            currency=record.currency,
            amount=amount,
            record=record,
            narrative=words,
            document_date=record.effective_date,
            accounting_date=record.effective_date,
            customer_key=party,
            contract_number=record.contract_number,
            contract_version=record.version,
            needs=(*needs, *before),
        )

    customer = NeedOf(role="customer", doc_type=DocType.CUSTOMER, business_key=party)
    return Plan(
        (
            draft("billing", DocType.SUBSCRIPTION, None, customer),
            draft("revenue", DocType.REVENUE_CONTRACT, added_net(record)),
        ),
        f"version {record.version} goes to billing and to the revenue engine with its effective date",
    )


def _invoice(record: InvoiceRecord) -> Plan:
    if record.status is InvoiceStatus.DRAFT:
        return Plan((), "a draft invoice must be absent from the ERP")
    if record.status in (InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE):
        return Plan(
            (), f"the invoice is {record.status}; its reversal is decided by a person", alarm="BIL_VOID_AFTER_POST"
        )
    party = customer_key(record.account_id)
    return Plan(
        (
            Draft(
                role="erp",
                doc_type=DocType.INVOICE,
                business_key=f"{record.aggregate_key}:v1",
                entity=record.entity,
                currency=record.currency,
                amount=record.total,
                record=record,
                narrative=f"Invoice {record.number}, contract {record.contract_number} v{record.contract_version}",
                document_date=record.invoice_date,
                accounting_date=record.invoice_date,
                customer_key=party,
                contract_number=record.contract_number,
                contract_version=record.contract_version,
                needs=(NeedOf(role="customer", doc_type=DocType.CUSTOMER, business_key=party),),
                event="invoice.issued",
                facts=_invoice_facts(record),
                amounts={"gross": record.total, "net": record.net, "tax": record.tax},
                items=_invoice_items(record),
            ),
        ),
        "an issued invoice is posted to receivables with its lines and tax",
    )


def _invoice_facts(record: InvoiceRecord) -> dict[str, Scalar | None]:
    treatments = {str(line.revenue_treatment) for line in record.lines}
    return {
        "entity": record.entity,
        "currency": record.currency,
        "account_id": record.account_id,
        "contract_number": record.contract_number,
        "contract_version": record.contract_version,
        "billing_system": record.lineage.system,
        "revenue_treatment": treatments.pop() if len(treatments) == 1 else "mixed",
        "document_date": record.invoice_date.isoformat(),
        "taxed": bool(record.tax),
    }


def _invoice_items(record: InvoiceRecord) -> tuple[Item, ...]:
    items: list[Item] = []
    for line in record.lines:
        facts: dict[str, Scalar | None] = {
            "product": line.product,
            "revenue_treatment": str(line.revenue_treatment),
            "proration": line.proration,
            "service_start": line.service_start.isoformat() if line.service_start else None,
            "service_end": line.service_end.isoformat() if line.service_end else None,
        }
        tax = Money.zero(record.currency)
        for entry in line.taxes:
            tax += entry.amount
            items.append(
                Item(
                    Per.TAX,
                    f"{line.line_id}:{entry.tax_code}",
                    {**facts, "tax_code": entry.tax_code, "jurisdiction": entry.jurisdiction, "rate": str(entry.rate)},
                    {"tax": entry.amount, "base": entry.base},
                )
            )
        items.append(Item(Per.LINE, line.line_id, facts, {"gross": line.net + tax, "net": line.net, "tax": tax}))
    return tuple(items)


def _payment(record: PaymentRecord) -> Plan:
    if record.status is not PaymentStatus.SUCCEEDED:
        return Plan((), f"a payment that is {record.status} makes no ledger entry")
    party = customer_key(record.account_id)
    return Plan(
        (
            Draft(
                role="erp",
                doc_type=DocType.PAYMENT,
                business_key=record.aggregate_key,
                entity=record.entity,
                currency=record.amount.currency,
                amount=record.amount,
                record=record,
                narrative=f"Payment {record.payment_id}",
                document_date=record.captured_on,
                accounting_date=record.captured_on,
                customer_key=party,
                needs=(NeedOf(role="customer", doc_type=DocType.CUSTOMER, business_key=party),),
                event="payment.captured",
                facts={
                    "entity": record.entity,
                    "currency": record.amount.currency,
                    "account_id": record.account_id,
                    "gateway": record.lineage.system,
                    "method": record.method,
                    "document_date": record.captured_on.isoformat(),
                },
                amounts={"gross": record.amount},
            ),
        ),
        "a captured payment is posted against receivables, gross; the gateway owes it until the payout",
    )


def _payment_application(record: PaymentApplicationRecord) -> Plan:
    paid = payment_key(record.lineage.system, record.payment_id)
    billed = invoice_key(record.entity, record.invoice_system, record.invoice_number)
    return Plan(
        (
            Draft(
                role="erp",
                doc_type=DocType.PAYMENT_APPLICATION,
                business_key=record.aggregate_key,
                entity=record.entity,
                currency=record.amount.currency,
                amount=record.amount,
                record=record,
                narrative=f"Payment {record.payment_id} settles {record.invoice_number}",
                document_date=record.applied_on,
                accounting_date=record.applied_on,
                customer_key=customer_key(record.account_id),
                needs=(
                    NeedOf(role="payment", doc_type=DocType.PAYMENT, business_key=paid),
                    NeedOf(role="invoice", doc_type=DocType.INVOICE, business_key=f"{billed}:v1"),
                ),
            ),
        ),
        "the payment is applied to its invoice once both are posted",
    )


def _subscription(record: Record) -> Plan:
    return Plan((), "a subscription is compared with its contract; it makes no document")


def _revenue_schedule(record: RevenueScheduleRecord) -> Plan:
    return Plan((), f"schedule version {record.schedule_version} is recognised month by month as its periods end")


_PLANNERS: dict[str, Callable[[Any], Plan]] = {
    "customer": _customer,
    "contract_version": _contract_version,
    "invoice": _invoice,
    "payment": _payment,
    "payment_application": _payment_application,
    "subscription": _subscription,
    "revenue_schedule": _revenue_schedule,
}


def recognition_draft(
    record: RevenueScheduleRecord, period: str, *, ends_on: date, last_day: date, amount: Money, account_id: str
) -> Draft:
    """Return the journal that recognises ``amount`` (negative: takes back) of one contract for one ended month."""
    return Draft(
        role="erp",
        doc_type=DocType.JOURNAL,
        business_key=business_key(
            "revenue", record.entity, record.contract_number, period, f"v{record.schedule_version}"
        ),
        entity=record.entity,
        currency=record.currency,
        amount=abs(amount),
        record=record,
        narrative=f"Revenue {period}, contract {record.contract_number} v{record.contract_version}",
        document_date=last_day,
        accounting_date=last_day,
        customer_key=customer_key(account_id) if account_id else "",
        contract_number=record.contract_number,
        contract_version=record.contract_version,
        event="revenue.recognised",
        facts={
            "entity": record.entity,
            "currency": record.currency,
            "account_id": account_id,
            "contract_number": record.contract_number,
            "contract_version": record.contract_version,
            "period": period,
            "measure": "ratable",
        },
        amounts={"recognised": amount},
        not_before=ends_on,
    )
