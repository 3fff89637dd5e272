"""The closed taxonomy of exceptions: every way a number can go wrong has one name, one desk and one next step.

A failure without a code here cannot be raised. Codes are stable identifiers, titles and sentences are for people.
Source of the rule: the exception taxonomy of the domain specification, plus the codes posting and mapping need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Owner(StrEnum):
    """The queue a case lands in."""

    INT = "INT"
    BO = "BO"
    AR = "AR"
    TR = "TR"
    REV = "REV"
    TAX = "TAX"
    GL = "GL"
    MDM = "MDM"
    RO = "RO"
    SEC = "SEC"

    @property
    def desk(self) -> str:
        """The name of the desk in plain words."""
        return _OWNER_TITLES[self]


_OWNER_TITLES: Mapping[Owner, str] = MappingProxyType(
    {
        Owner.INT: "Integration",
        Owner.BO: "Billing operations",
        Owner.AR: "Accounts receivable",
        Owner.TR: "Treasury and payments",
        Owner.REV: "Revenue accounting",
        Owner.TAX: "Tax",
        Owner.GL: "General ledger",
        Owner.MDM: "Master data",
        Owner.RO: "Revenue operations",
        Owner.SEC: "Security",
    }
)


@dataclass(frozen=True)
class Reason:
    """One kind of failure.

    ``base`` is its severity before amount, close and age are added (1 to 4). ``remedy`` is what the system does by
    itself, ``blocks`` what cannot go on meanwhile; ``sentence`` says what it means and what a person does next.
    """

    code: str
    title: str
    owner: Owner
    base: int
    remedy: str
    blocks: str
    sentence: str


_INT, _BO, _AR, _TR, _REV = Owner.INT, Owner.BO, Owner.AR, Owner.TR, Owner.REV
_TAX, _GL, _MDM, _RO, _SEC = Owner.TAX, Owner.GL, Owner.MDM, Owner.RO, Owner.SEC

# One row reads as a row: the long sentence keeps its own line.
# fmt: off
# ruff: noqa: E501
_TABLE: tuple[Reason, ...] = (
    # Intake
    Reason("ING_SIGNATURE_INVALID", "Message not authentic", _SEC, 3, "Rejected; alert on rate", "Nothing",
           "A message arrived whose signature does not fit its sender. Check whether a signing secret was changed, or someone is probing the endpoint."),
    Reason("ING_DUPLICATE_EVENT", "Same event again", _INT, 1, "Dropped and counted", "Nothing",
           "The source delivered an event we already have. Nothing was posted twice and nothing needs doing."),
    Reason("ING_SCHEMA_UNKNOWN", "Unknown message format", _INT, 3, "Parked; replayed after a mapping release", "All events of the object",
           "The source sent a version, field or value we do not know, so we did not guess. Extend the connector, then replay the message."),
    Reason("ING_UNREADABLE", "Message cannot be read", _INT, 3, "Kept as received; replay after a fix", "All events of the object",
           "The bytes we received are not a readable message. They are kept exactly as they came; ask the source to send it again or fix the reader and replay."),
    Reason("ING_TRUNCATED_PAYLOAD", "Message carries only part of its lines", _INT, 2, "Remaining pages fetched and the document rebuilt", "Posting of the document",
           "The source cut the list of lines or refunds short. The rest is fetched; nothing is posted until the document is whole."),
    Reason("ING_GAP_DETECTED", "Events are missing", _INT, 3, "Backfilled from the last known position", "Reconciliation sign-off of the source",
           "There is a hole in what the source sent, or it has been silent too long. Check the connection and backfill the window named here."),
    Reason("ING_OUT_OF_ORDER_STALE", "Older version after a newer one", _INT, 1, "Kept, not applied; object fetched again", "Nothing",
           "An older state arrived after a newer one. The newer one stands and nothing needs doing."),
    Reason("ING_VERSION_CONFLICT", "Two contents for one version", _INT, 3, "Object fetched again; both contents kept", "Later changes of the same object",
           "The source claims one version but sent two different contents. Decide with the source which one is true, then replay it."),
    Reason("ING_DLQ", "Retries exhausted", _INT, 3, "Transient failures are retried every hour", "Whatever depends on it",
           "Processing failed repeatedly and stopped. Read the last error, fix its cause, then replay."),
    Reason("ING_RATE_LIMITED", "Source or target is throttling", _INT, 2, "Slowed down; close-critical work first", "Latency promise",
           "The other system limits how fast we may call it and work is queueing. Ask for a higher limit if the backlog keeps growing."),
    Reason("ING_AUTH_FAILED", "Source refuses our credentials", _INT, 3, "Connection paused; probed at intervals", "All events of the connection",
           "The source no longer accepts our key. Renew it on the connection page; what was missed is fetched afterwards."),
    # Master data
    Reason("MDM_ACCOUNT_UNMAPPED", "Customer unknown in the target", _MDM, 3, "Created from the golden record if that is complete", "All receivables documents of the customer",
           "A document names a customer that the target system does not have. Complete or map the customer; its documents follow by themselves."),
    Reason("MDM_DUPLICATE_ACCOUNT", "Two candidates for one customer", _MDM, 2, "A match by tax id is suggested", "Cash application",
           "Two customer records could be the same company. Decide which one survives before cash is applied."),
    Reason("MDM_MERGE_CONFLICT", "Merge or split does not add up", _MDM, 3, "A reclassification is proposed", "Receivables of both customers",
           "After a merge or split the open balances no longer sum to what they were. Review the proposed reclassification."),
    Reason("MDM_ITEM_UNMAPPED", "Product without account or revenue rule", _REV, 3, "None; a mapping needs two people", "Posting of the invoice and its schedule",
           "A product or charge has no account or revenue treatment. Propose the mapping and have it approved."),
    Reason("MDM_ENTITY_UNMAPPED", "Selling entity unknown", _GL, 3, "None", "Posting",
           "The document names a legal entity that is not set up. Set up the entity and its target ledger."),
    # Contract
    Reason("CTR_VERSION_MISMATCH", "Systems hold different contract versions", _RO, 3, "Latest version sent again; object fetched again", "Invoice and schedule of the contract",
           "One system works from an older contract version than another. Bring the late system to the version named here."),
    Reason("CTR_AMENDMENT_NOT_PROPAGATED", "Amendment did not reach billing", _RO, 3, "Order sent again", "Billing and schedule of the contract",
           "The CRM has an approved amendment that billing does not know. Resend the order before the next invoice is cut."),
    Reason("CTR_EFFECTIVE_DATE_CONFLICT", "Different effective dates", _RO, 2, "A known offset of one day is converted", "Proration",
           "Systems disagree on the day a change takes effect. Agree on the date; the proration depends on it."),
    Reason("CTR_RENEWAL_OVERLAP", "Terms overlap or leave a gap", _RO, 2, "None", "Renewal invoice",
           "Old and new term overlap or do not meet. Correct the dates before the renewal is invoiced."),
    # Billing
    Reason("BIL_INVOICE_MISSING", "Expected invoice not found", _BO, 3, "Billing is asked; a bill run is requested", "Revenue billed check",
           "The contract says an invoice must exist, but billing has none. Find out why the bill run skipped it."),
    Reason("BIL_UNEXPECTED_DOC", "Document without commercial cause", _BO, 3, "None", "Posting is held",
           "Billing issued a document no contract event explains. Find its cause or have it voided."),
    Reason("BIL_AMOUNT_VARIANCE", "Amount differs from the contract", _BO, 2, "None", "Posting, above tolerance",
           "Price times quantity on the invoice is not what the contract says. Correct the price or the contract."),
    Reason("BIL_PRORATION_VARIANCE", "Proration outside its method", _BO, 2, "The method that would fit is named", "Nothing up to 1.00",
           "The prorated amount is not what the contract's own method gives. Compare with the method named here."),
    Reason("BIL_SERVICE_PERIOD_OVERLAP", "Same period billed twice", _BO, 3, "None", "Posting",
           "Two lines bill the same service for the same days. Have one of them credited."),
    Reason("BIL_CREDIT_MISSING", "Downgrade without credit memo", _BO, 3, "None", "Refund",
           "A downgrade or cancellation should have produced a credit memo and did not. Issue it in billing."),
    Reason("BIL_VOID_AFTER_POST", "Voided at source, open in the ledger", _AR, 3, "Reversal posted in the open period", "Receivables tie-out",
           "Billing voided an invoice that is already posted. The reversal goes into the open period; check that it arrived."),
    Reason("BIL_USAGE_LATE", "Usage arrived late", _BO, 2, "Difference booked in the open period", "Usage accrual",
           "Usage came in after its window or after close. The difference is booked now, with its original period noted."),
    # Tax
    Reason("TAX_VARIANCE", "Invoice tax differs from the tax engine", _TAX, 2, "Recalculated; tax-only credit memo drafted", "Posting above 1.00",
           "The tax on the invoice is not what the tax engine calculates. Decide which is right and correct the other."),
    Reason("TAX_JURISDICTION_MISSING", "No tax jurisdiction", _TAX, 3, "None", "Posting",
           "Address, registration or exemption is missing, so the tax cannot be determined. Complete the customer's tax data."),
    Reason("TAX_UNCOMMITTED", "Tax document not committed", _TAX, 2, "Commit is called", "Tax close",
           "The invoice is final but its tax document is only saved. Commit it before the return is prepared."),
    Reason("TAX_LOCKED", "Filed tax document would change", _TAX, 3, "Adjustment created in the open period", "The correction",
           "A correction touches a tax document that is already filed. It must go through an adjustment in the open period."),
    # Revenue
    Reason("REV_SCHEDULE_MISSING", "No revenue schedule", _REV, 4, "Requested from the contract version", "Deferred revenue tie-out and close",
           "An invoice or contract has no revenue schedule, so its revenue will never be recognised. Create the schedule in the revenue engine."),
    Reason("REV_SCHEDULE_STALE", "Revenue schedule behind its contract", _REV, 4, "Amendment sent again; shadow schedule shows the difference", "Deferred revenue tie-out and close",
           "The invoice of an amendment is posted but the revenue engine still works from the older contract version. Receivables tie, deferred revenue does not. Replay the amendment to the engine."),
    Reason("REV_AMENDMENT_REFUSED", "Revenue engine refuses an amendment", _REV, 4, "Classified; sent again once its cause is fixed", "Schedule of the contract, deferred revenue tie-out and close",
           "The revenue engine does not accept a contract version. Read its answer, correct the contract or the engine, then replay the amendment."),
    Reason("REV_SERVICE_PERIOD_MISSING", "Line without service period", _REV, 3, "Derived from the subscription and proposed", "Schedule",
           "Without a service period the whole amount would be recognised at once. Confirm the proposed dates."),
    Reason("REV_ORPHAN_AFTER_CANCEL", "Revenue goes on after the service ended", _REV, 4, "Schedule put on hold", "Close",
           "The contract was cancelled or paused but its schedule keeps recognising revenue. End or hold the schedule."),
    Reason("REV_OVER_RECOGNISED", "More revenue recognised than allocated", _REV, 4, "Schedule put on hold", "Close",
           "Recognised revenue is above what was allocated, or deferred revenue is negative. Correct the schedule before close."),
    Reason("REV_UNEXPECTED_REALLOCATION", "Allocation changed without a cause", _REV, 3, "None", "Close",
           "The split of a contract's price moved although nothing commercial happened. Find who or what changed it."),
    Reason("SSP_MISSING", "No stand-alone selling price", _REV, 3, "None", "Allocation",
           "A product has no valid stand-alone selling price on the contract date. Add it to the price study."),
    Reason("SSP_RESIDUAL_OUT_OF_RANGE", "Residual price implausible", _REV, 3, "None", "Allocation",
           "The residual method leaves an implausible price for a product. Review the other prices of the bundle."),
    Reason("REV_DR_ROLLFORWARD_BREAK", "Deferred revenue does not roll forward", _REV, 4, "A drill-down list is prepared", "Close",
           "Opening plus billed minus recognised is not the ledger's deferred revenue. Work through the listed differences."),
    Reason("REC_UNBILLED_BREAK", "Unbilled receivable does not tie", _REV, 3, "Accrued again", "Close",
           "The accrual differs from rated usage that is not billed yet. Check late usage and the accrual run."),
    # Payments
    Reason("PAY_UNAPPLIED_CASH", "Cash without an invoice", _AR, 2, "Matching rules are tried", "Receivables ageing",
           "Money arrived that no invoice explains for more than two business days. Find the invoice or ask the customer."),
    Reason("PAY_SHORT_PAY", "Customer paid too little", _AR, 2, "Written off by rule within tolerance", "Dunning of the rest",
           "The payment is below the open amount. Decide between write-off, dispute and reminder."),
    Reason("PAY_OVERPAYMENT", "Customer paid too much", _AR, 2, "Excess kept as customer credit; refund proposed", "Nothing",
           "The payment is above the open amount. The excess is owed to the customer; refund or keep it as credit."),
    Reason("PAY_DUPLICATE", "Same payment twice", _AR, 4, "Second one blocked; refund proposed", "Payout match",
           "One payment was captured or posted twice. Confirm the refund of the second."),
    Reason("PAY_FAILED_NOT_IN_ERP", "Failed payment not known to collections", _AR, 2, "Status sent", "Dunning",
           "A payment failed but the ledger does not know. Dunning waits until the status is there."),
    Reason("PAY_REFUND_UNMATCHED", "Refund and credit memo do not pair", _AR, 3, "Paired by amount and charge", "Gateway clearing",
           "There is a refund without a credit memo, or the reverse. Create or link the missing half."),
    Reason("DSP_UNBOOKED", "Dispute not in the ledger", _TR, 3, "Standard entry posted", "Gateway clearing",
           "The gateway took disputed money that the ledger does not show. Check the standard entry."),
    Reason("DSP_LOST_UNBOOKED", "Lost dispute not in the ledger", _TR, 3, "Standard entry posted", "Gateway clearing",
           "A dispute was lost and its loss is not booked. Check the standard entry and stop the service if policy says so."),
    Reason("DSP_DEADLINE_RISK", "Dispute evidence due soon", _TR, 3, "Owner notified", "Nothing",
           "Evidence is due within 48 hours. Submit it in the gateway or accept the loss."),
    Reason("SET_PAYOUT_UNMATCHED", "Payout without bank entry", _TR, 3, "Searched by trace id, amount and date", "Cash tie-out",
           "A payout and the bank statement do not meet after two business days. Ask the bank or the gateway."),
    Reason("SET_PAYOUT_FAILED", "Bank returned a payout", _TR, 4, "Reversing entry drafted", "Treasury",
           "The bank refused a payout. Correct the bank details and post the reversal."),
    Reason("SET_CLEARING_NONZERO", "Gateway clearing does not clear", _TR, 3, "Broken down by gateway transaction", "Close",
           "What is left in clearing is not explained by open gateway transactions. Work through the listed ones."),
    Reason("SET_FEE_VARIANCE", "Fee differs from the contract rate", _TR, 1, "None", "Nothing",
           "The gateway charged more than one per cent off its agreed rate. Raise it with the gateway."),
    Reason("BNK_STATEMENT_MISSING", "Bank statement missing", _TR, 3, "Fetched again", "Cash",
           "There is a hole in the statement sequence. Ask the bank for the missing statement."),
    Reason("BNK_STATEMENT_OUT_OF_BALANCE", "Bank statement does not add up", _TR, 3, "File rejected", "Cash",
           "Opening balance plus entries is not the closing balance. Ask the bank for a correct file."),
    # Posting
    Reason("ERP_POST_REJECTED", "ERP refuses a document", _GL, 3, "Classified; sent again once reference data is fixed", "Whatever depends on it",
           "The ERP checked the document and said no. Read its answer, fix the cause, then retry."),
    Reason("ERP_POST_UNKNOWN", "ERP did not answer", _INT, 3, "Looked up by our reference before anything is sent again", "The same document",
           "We sent a document and cannot tell whether the ERP took it. It is being looked up; nothing is sent twice."),
    Reason("ERP_DUPLICATE_POST", "Two ERP documents for one cause", _GL, 4, "Reversal proposed for approval", "Receivables and ledger tie-out",
           "The ERP holds two documents under one of our references. Approve the reversal of one."),
    Reason("ERP_CONTENT_MISMATCH", "ERP document differs from what we sent", _GL, 4, "Frozen; difference shown", "The same document",
           "A document with our reference exists, but with another amount, currency or customer. Find out who made it before linking it."),
    Reason("ERP_PARTIAL_POST", "ERP document is incomplete", _GL, 4, "Completed or reversed", "Period",
           "The ERP holds a header without its lines or only half of a journal. Complete or reverse it."),
    Reason("ERP_PERIOD_CLOSED", "Accounting period is closed", _GL, 2, "Dated to the first open period, original period kept", "Nothing",
           "The document belongs to a closed period. It goes into the first open one unless the controller reopens."),
    Reason("ERP_MANUAL_EDIT", "Integrated document changed by hand", _GL, 3, "Difference shown; document frozen", "Tie-out",
           "Someone changed a document in the ERP that finsync posted. Undo the change or correct it at the source."),
    Reason("ERP_UNBALANCED_JE", "Debits do not equal credits", _INT, 4, "Blocked before it is sent", "The document",
           "The rules produced an entry that does not balance, so it was not sent. Correct the posting rule."),
    Reason("ERP_AUTH_FAILED", "ERP refuses our credentials", _INT, 3, "Route paused; probed at intervals", "All postings of the connection",
           "The ERP no longer accepts our login. Renew it on the connection page; postings wait and then go by themselves."),
    Reason("ERP_ROUTE_PAUSED", "Route paused after repeated failures", _INT, 3, "Probed at intervals; resumes by itself", "All postings of the connection",
           "Too many calls to this target failed in a row. Postings wait until a probe succeeds; check the target."),
    Reason("ERP_ATTEMPTS_EXHAUSTED", "Target could not be reached", _INT, 3, "None; a person retries", "Whatever depends on it",
           "Every attempt failed before the target took the document. Check the target, then retry."),
    Reason("ERP_CONFIRMATION_OVERDUE", "Accepted but never confirmed", _INT, 3, "Looked up by our reference", "The same document",
           "The target took the document and has not confirmed it in time. Ask the target whether it was processed."),
    Reason("DEPENDENCY_OVERDUE", "Waits too long for something else", _INT, 3, "Released by itself when the other arrives", "Whatever depends on it",
           "A posting waits for the document named here, which did not come in time. Work on that one first."),
    # Mapping
    Reason("MAPPING_MISSING", "No account mapping", _GL, 3, "None; a mapping needs two people", "Documents with the same input",
           "No approved rule or mapping row covers this input, and there is no default account. Propose the row named here and have it approved."),
    Reason("MAPPING_AMBIGUOUS", "Two mappings hit at once", _GL, 3, "None; a mapping needs two people", "Documents with the same input",
           "More than one approved rule or row covers this input, so none was used. Narrow one of them and have it approved."),
    # Currency, controls, governance
    Reason("FX_RATE_MISSING", "No exchange rate", _TR, 2, "Fetched; postings held", "Posting in the currency",
           "There is no rate for the day. Load it; the postings go by themselves."),
    Reason("FX_VARIANCE", "Exchange rate off the official one", _TR, 2, "Postings held", "Posting in the currency",
           "The rate used is more than half a per cent off the official one. Confirm or correct it."),
    # A reconciliation control names its own owner for these three; the ledger's desk is the fallback.
    Reason("REC_COUNT_BREAK", "Counts differ", _GL, 2, "Missing keys listed and received again", "Sign-off of the control",
           "One system has more documents than the other. Open the list of what is missing."),
    Reason("REC_TOTAL_BREAK", "Totals differ", _GL, 2, "Differing documents listed and received again", "Sign-off of the control",
           "Both systems have the documents but not the same amounts. Open the list of differences."),
    Reason("REC_STATE_MISMATCH", "States differ", _GL, 2, "State received again", "Sign-off of the control",
           "A document is, for example, paid in one system and open in the other. Open it and see which is late."),
    Reason("MRR_INCONSISTENT", "Recurring revenue differs between systems", _RO, 1, "Differences listed", "Board pack",
           "CRM, billing and revenue engine do not report the same recurring revenue. Work through the list by contract."),
    Reason("GOV_MAPPING_UNAPPROVED", "Rule changed without approval", _SEC, 4, "Rolled back to the last approved version", "Posting with the rule",
           "A posting rule is not the version that was signed. Find out how it changed."),
    Reason("GOV_SOD_VIOLATION", "Same person proposed and approved", _SEC, 4, "Rolled back to the last approved version", "Posting with the rule",
           "One person tried to be both author and approver. Have somebody else decide."),
)
# fmt: on

REASONS: Mapping[str, Reason] = MappingProxyType({reason.code: reason for reason in _TABLE})
