"""Which systems must tell the same story, and about what: one row per control, in the order of domain.md 8.1.

A control is declared here and nowhere else: the engine reads both sides, compares them and raises what does not tie
from this table alone. A side is what connections of a role show (``Shown``) or what finsync itself holds (``Held``,
a named query of book.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from finsync.core.matching.variance import VarianceClass

# How long a leg may take before what is missing at its end is called missing (domain.md 8.2).
ERP_LEG = timedelta(hours=4)
WEBHOOK_LEG = timedelta(minutes=15)
READ_BACK_LEG = timedelta(minutes=5)  # until a search in the ERP shows what it has acknowledged
ROUNDING_CAP = Decimal("1.00")  # major units: what all tolerated differences of one control and currency may sum to


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A side read from every connection of ``role`` through ``observe(object)``.

    ``states`` turns the system's states into those the control compares. Rows whose fact ``leave_out[0]`` reads
    ``leave_out[1]`` are other measures of the same object. ``record_type`` is what a row is received again as.
    """

    name: str
    role: str
    object: str
    states: Mapping[str, str] = field(default_factory=dict)
    leave_out: tuple[str, str] = ("", "")
    record_type: str = ""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A side finsync holds itself: a query of book.SIDES."""

    name: str
    query: str


class Measure(StrEnum):
    """What is compared besides count, amount and period, which always are."""

    NET = "net"
    TAX = "tax"
    STATE = "state"
    VERSION = "version"


class Span(StrEnum):
    """Which part of time a control looks at."""

    DOCUMENTS = "documents"  # documents dated in the window; a pair may straddle its edge
    STANDING = "standing"  # what stands on the window's last day, whatever its date
    ENDED_MONTHS = "ended months"  # balances at the end of months that are over


class ByHand(StrEnum):
    """What side B has that can only have been made or changed by hand."""

    NOTHING = "nothing"
    EVERYTHING_ELSE = "everything else"  # whatever finsync's own record of what it sent does not explain
    UNATTRIBUTED = "unattributed"  # ledger lines that belong to no contract


_BY_CLASS: Mapping[VarianceClass, str] = MappingProxyType({
    VarianceClass.MISSING_A: "REC_COUNT_BREAK",
    VarianceClass.MISSING_B: "REC_COUNT_BREAK",
    VarianceClass.DUPLICATE: "REC_COUNT_BREAK",
    VarianceClass.AMOUNT: "REC_TOTAL_BREAK",
    VarianceClass.MANUAL: "REC_TOTAL_BREAK",
    VarianceClass.STATE: "REC_STATE_MISMATCH",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Control:
    """One pair of sides that must agree.

    ``must_be_absent`` are states of A that assert nothing in B, ``may_be_absent`` those that allow either; documents
    in them count on neither side. ``tolerance`` is in major units per document, zero for ledger control accounts, and
    hides no count. ``transit`` is how long the leg may take, measured from ``on_its_way`` (a query of
    book.ON_ITS_WAY: nothing there, nothing in transit), else from the sides' own time stamps, else from the first run
    that missed it. ``amount_may_lag`` marks totals that move with documents still under way, ``absent_is_zero``
    balances a system does not show when they are nothing. ``about_contract`` controls are traced to the contract
    version that was not executed before they are called a break of totals.
    """

    code: str
    title: str
    question: str
    a: Shown | Held
    b: Shown | Held
    compares: frozenset[Measure] = frozenset()
    span: Span = Span.DOCUMENTS
    transit: timedelta = ERP_LEG
    on_its_way: str = ""
    must_be_absent: frozenset[str] = frozenset()
    may_be_absent: frozenset[str] = frozenset()
    tolerance: Decimal = Decimal(0)
    tolerance_cap: Decimal = ROUNDING_CAP
    by_hand: ByHand = ByHand.NOTHING
    amount_may_lag: bool = False
    absent_is_zero: bool = False
    about_contract: bool = False
    reasons: Mapping[VarianceClass, str] = field(default_factory=dict)

    def reason(self, kind: VarianceClass) -> str:
        """Return the reason code a class of break raises here."""
        return self.reasons.get(kind) or _BY_CLASS[kind]

    @property
    def sides(self) -> tuple[Shown | Held, Shown | Held]:
        """Both sides, upstream first."""
        return self.a, self.b


def _ledger(object: str, **values: object) -> Shown:
    return Shown(name="ERP", role="erp", object=object, **values)  # type: ignore[arg-type]


_TABLE = (
    Control(
        code="R1",
        title="Contracts",
        question="Does finsync hold every contract at the version and value the CRM has?",
        a=Shown(name="CRM", role="crm", object="contract", record_type="contract_version"),
        b=Held(name="finsync", query="contracts"),
        compares=frozenset({Measure.VERSION}),
        span=Span.STANDING,
        transit=WEBHOOK_LEG,
        tolerance=Decimal("0.01"),
        amount_may_lag=True,
    ),
    Control(
        code="R4",
        title="Receivables",
        question="Is every issued invoice in the ERP, with the same net, tax, total and state?",
        a=Shown(name="Billing", role="billing", object="invoice", record_type="invoice"),
        b=_ledger("invoice"),
        compares=frozenset({Measure.NET, Measure.TAX, Measure.STATE, Measure.VERSION}),
        must_be_absent=frozenset({"draft"}),
        may_be_absent=frozenset({"void"}),
    ),
    Control(
        code="R6",
        title="Contract and schedule versions",
        question="Does the revenue engine execute the newest version of every contract, at its full price?",
        a=Held(name="Contract", query="contracts"),
        b=Shown(name="Revenue engine", role="revenue", object="schedule", record_type="revenue_schedule"),
        compares=frozenset({Measure.VERSION}),
        span=Span.STANDING,
        on_its_way="contract postings",
        amount_may_lag=True,
        about_contract=True,
        reasons={VarianceClass.MISSING_A: "CTR_VERSION_MISMATCH"},
    ),
    Control(
        code="R7",
        title="Recognised revenue",
        question="Is the revenue of every ended month booked in the ledger as the engine recognises it?",
        a=Shown(name="Revenue engine", role="revenue", object="revenue", record_type="revenue_schedule"),
        b=_ledger("revenue"),
        span=Span.ENDED_MONTHS,
        on_its_way="contract postings",
        by_hand=ByHand.UNATTRIBUTED,
        amount_may_lag=True,
        absent_is_zero=True,
        about_contract=True,
    ),
    Control(
        code="R7D",
        title="Deferred revenue",
        question="Is the deferred revenue of every contract the same in engine and ledger at each month's end?",
        a=Shown(name="Revenue engine", role="revenue", object="deferred", record_type="revenue_schedule"),
        b=_ledger("deferred", leave_out=("scope", "entity")),
        span=Span.ENDED_MONTHS,
        on_its_way="contract postings",
        by_hand=ByHand.UNATTRIBUTED,
        amount_may_lag=True,
        absent_is_zero=True,
        about_contract=True,
    ),
    Control(
        code="R9",
        title="Payments",
        question="Is every payment the gateway took in the ERP, with the same amount?",
        a=Shown(
            name="Gateway", role="gateway", object="payment", states={"succeeded": "posted"}, record_type="payment"
        ),
        b=_ledger("payment"),
        compares=frozenset({Measure.STATE}),
        must_be_absent=frozenset({"pending", "failed"}),
    ),
    Control(
        code="R14",
        title="What finsync sent",
        question="Is every document finsync posted in the ERP once and unchanged, and nothing else under our name?",
        a=Held(name="finsync", query="outbox"),
        b=_ledger("document", states={"open": "posted", "paid": "posted"}),
        compares=frozenset({Measure.STATE}),
        transit=READ_BACK_LEG,
        must_be_absent=frozenset({"not sent", "cancelled"}),
        may_be_absent=frozenset({"in doubt"}),
        by_hand=ByHand.EVERYTHING_ELSE,
        reasons={VarianceClass.DUPLICATE: "ERP_DUPLICATE_POST", VarianceClass.MANUAL: "ERP_MANUAL_EDIT"},
    ),
)

CONTROLS: Mapping[str, Control] = MappingProxyType({control.code: control for control in _TABLE})


def titles() -> dict[str, tuple[str, str]]:
    """Return, per control in order, its name and its two sides in words ("Billing to ERP")."""
    return {code: (control.title, f"{control.a.name} to {control.b.name}") for code, control in CONTROLS.items()}
