"""Reading postings: search by any id, pages of them, and what one of them went through."""

from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import CharField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Concat, JSONObject

from connectors.models import Connection
from finsync.canonical.models import (
    CanonicalChange,
    Contract,
    ContractVersion,
    Customer,
    Invoice,
    Payment,
    PaymentApplication,
    RevenueSchedule,
    SourceAlias,
    Subscription,
)
from finsync.posting.models import Attempt, Need, Posting, PostingLine, PostingMove

IDS_RESOLVED_MAX = 200
FOUND_MAX = 500  # of each kind of id
RELATED_MAX = 200
TEXT_CHARACTERS_MAX = 120
ATTEMPTS_SHOWN_MAX = 200
MOVES_SHOWN_MAX = 300
CUSTOMER_LETTERS_MIN = 3  # a shorter text is looked for among ids only
STEPS = ("Planned", "Released", "Sent", "Confirmed")

VIEWS = (
    ("all", "All"),
    ("waiting", "Waiting"),
    ("doubt", "In doubt"),
    ("stopped", "Exceptions"),
    ("posted", "Posted"),
)
_IN_VIEW = {
    "waiting": Q(status__in=("HELD", "READY", "SENDING", "ACCEPTED")),
    "doubt": Q(status="UNKNOWN"),
    "stopped": Q(status__in=("EXCEPTION", "REJECTED")),
    "posted": Q(status="POSTED"),
}


def in_view(view: str) -> Q:
    """Return the condition of a tab."""
    return _IN_VIEW.get(view, Q())


def postings(view: str = "all", entity: str = "") -> QuerySet[Posting]:
    """Return the postings of a tab and an entity ("" for all)."""
    rows = Posting.objects.filter(in_view(view))
    return rows.filter(entity=entity) if entity else rows


def listed(rows: QuerySet[Posting]) -> QuerySet[Posting]:
    """Add what a row of the list shows; stored documents stay behind."""
    return rows.select_related("connection").defer("document").annotate(customer_name=Subquery(_customer_name()))


def _customer_name() -> QuerySet[Any]:
    return Customer.objects.filter(aggregate_key=OuterRef("customer_key")).values("name")[:1]


def found_by(text: str) -> Q:
    """Return the condition 'carries this id, or belongs to something that does', resolved in two queries.

    Known ids: our reference, ERP number and id, business key, correlation id, invoice, contract, subscription and
    payment numbers, any source id, CRM account, customer name.
    """
    text = text.strip()[:TEXT_CHARACTERS_MAX]
    if not text:
        return Q()
    return Q(pk__in=_ids_of(text, _keys_of(text)))


def _ids_of(text: str, keys: list[str]) -> list[int]:
    """Return the postings that carry a text or stand for one of the aggregates; one index look-up per kind of id."""
    customers = [key for key in keys if key.startswith("customer:")]
    asked = [
        {"external_ref": text, "connection__in": Connection.objects.values("pk")},
        {"erp_document_id": text},
        {"erp_number": text},
        {"correlation_id": text},
        {"contract_number": text},
        {"business_key__in": [text, *keys]},
        {"change__in": CanonicalChange.objects.filter(aggregate__in=keys).values("pk")},
        {"customer_key__in": customers},
    ]
    # Unsorted on purpose: with an order the planner may walk the whole table backwards instead of using an index.
    parts = [Posting.objects.filter(**one).order_by().values_list("pk", flat=True)[:FOUND_MAX] for one in asked]
    return list(parts[0].union(*parts[1:]))


def _keys_of(text: str) -> list[str]:
    """Return the aggregate keys an id or a customer's name stands for."""
    named = Q(name__icontains=text) if len(text) >= CUSTOMER_LETTERS_MIN else Q(name__iexact=text)
    parts = [
        Customer.objects.filter(named | Q(account_id=text)),
        Invoice.objects.filter(Q(number=text) | Q(invoice_id=text)),
        Payment.objects.filter(payment_id=text),
        PaymentApplication.objects.filter(payment_id=text),
        Subscription.objects.filter(subscription_id=text),
        RevenueSchedule.objects.filter(schedule_id=text),
        ContractVersion.objects.filter(Q(source_id=text) | Q(amendment_ref=text)),
        SourceAlias.objects.filter(source_id=text),
    ]
    keys = [part.order_by().values_list(Cast("aggregate_key", CharField()), flat=True) for part in parts]
    # A schedule has no posting of its own until revenue is recognised: its contract's postings stand for it.
    of_contract = Concat(Value("contract:"), "entity", Value(":"), "contract_number", output_field=CharField())
    keys.append(RevenueSchedule.objects.filter(schedule_id=text).order_by().values_list(of_contract, flat=True))
    return [key for key in keys[0].union(*keys[1:])[:IDS_RESOLVED_MAX] if key]


def reached(row: Posting) -> tuple[int, str]:
    """Return how many of ``STEPS`` a posting has reached, and the tone of the last one."""
    match row.status:
        case "HELD":
            return 1, "wait"
        case "READY":
            return 2, "wait"
        case "SENDING" | "ACCEPTED" | "UNKNOWN":
            return 3, "wait"
        case "POSTED":
            return 4, "ok"
        case "CANCELLED":
            return 1, "wait"
    return (3 if row.sends else 1), "bad"


# ---- one posting -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PostingFile:
    """One posting with what it went through, oldest first."""

    posting: Posting
    attempts: list[Attempt]
    moves: list[PostingMove]
    lines: list[PostingLine]
    needs: list[dict[str, Any]]
    versions: list[dict[str, Any]]
    contract: dict[str, Any] | None


def posting_file(posting_id: int) -> PostingFile | None:
    """Read one posting, in four queries; None where there is none."""
    row = _with_context().filter(pk=posting_id).first()
    if row is None:
        return None
    return PostingFile(
        posting=row,
        attempts=list(row.attempt_log.order_by("started_at", "id")[:ATTEMPTS_SHOWN_MAX]),
        moves=list(row.moves.order_by("at", "id")[:MOVES_SHOWN_MAX]),
        lines=list(row.lines.select_related("set_version").order_by("line_no")),
        needs=row.needed,
        versions=sorted(row.contract_versions, key=lambda version: version["version"]),
        contract=row.contract_facts,
    )


def _with_context() -> QuerySet[Posting]:
    """A posting with its connection, change, mapping, customer, needs and contract, in one statement."""
    contract = Contract.objects.filter(number=OuterRef("contract_number"), entity=OuterRef("entity"))
    version = ContractVersion.objects.filter(
        contract__number=OuterRef("contract_number"), contract__entity=OuterRef("entity")
    )
    need = Need.objects.filter(posting=OuterRef("pk"))
    return Posting.objects.select_related(
        "connection",
        "change",
        "mapping_version",
        "mapping_version__author",
        "mapping_version__approver",
        "reverses",
        "reversed_by",
    ).annotate(
        customer_name=Subquery(_customer_name()),
        needed=ArraySubquery(
            need.order_by("id").values(
                json=JSONObject(role="role", type="doc_type", key="business_key", document="document_id", met="met_at")
            )
        ),
        contract_facts=Subquery(
            contract.values(
                json=JSONObject(number="number", version="current_version", price="price_minor", currency="currency")
            )[:1]
        ),
        contract_versions=ArraySubquery(
            version.values(
                json=JSONObject(
                    version="version",
                    added="added_price_minor",
                    change="change_type",
                    amendment="amendment_ref",
                    why="added_price_explanation",
                    change_id="change_id",
                )
            )
        ),
    )


def related(change_ids: list[int], contract_number: str, entity: str) -> list[Posting]:
    """Return the postings of these changes and of one contract, for the lineage; one query."""
    asked = Q(change_id__in=change_ids)
    if contract_number:
        asked |= Q(contract_number=contract_number, entity=entity)
    return list(
        Posting.objects.filter(asked).select_related("connection").defer("document").order_by("id")[:RELATED_MAX]
    )
