"""The lifecycle table: 46 kinds of commercial events, what each must cause and by when, and how a miss is named.

A column the table leaves open (a dash) has no cell here; "none" is an asserted absence and has one. Accounts are those
of the reference chart; the mapping decides the real ones. Source: the lifecycle events of the domain specification.
Recognition of every active schedule line each period is a schedule's own expectation and not listed per event.
"""

from __future__ import annotations

from finsync.core.effects.deadlines import DeadlineClass
from finsync.core.effects.model import Cell, EffectKind, FactValue, Row, System

D1, D2, D3, D4, D5 = (DeadlineClass.D1, DeadlineClass.D2, DeadlineClass.D3, DeadlineClass.D4, DeadlineClass.D5)
AT, DAY_AFTER, WD1 = DeadlineClass.AT, DeadlineClass.DAY_AFTER, DeadlineClass.WD1
_K = EffectKind
PAID = ("invoice_paid", True)


def _cell(
    system: System,
    kind: EffectKind,
    due: DeadlineClass,
    code: str,
    text: str,
    *,
    amount: str = "",
    anchor: str = "source_ts",
    only_if: tuple[str, FactValue] | None = None,
) -> Cell:
    return Cell(system, kind, due, code, text, amount, anchor, True, only_if)


def _billing(
    kind: EffectKind,
    due: DeadlineClass,
    code: str,
    text: str,
    amount: str = "",
    *,
    anchor: str = "source_ts",
    only_if: tuple[str, FactValue] | None = None,
) -> Cell:
    return _cell(System.BILLING, kind, due, code, text, amount=amount, anchor=anchor, only_if=only_if)


def _gateway(
    kind: EffectKind,
    due: DeadlineClass,
    code: str,
    text: str,
    amount: str = "",
    *,
    anchor: str = "source_ts",
    only_if: tuple[str, FactValue] | None = None,
) -> Cell:
    return _cell(System.GATEWAY, kind, due, code, text, amount=amount, anchor=anchor, only_if=only_if)


def _revenue(
    due: DeadlineClass,
    code: str,
    text: str,
    amount: str = "",
    *,
    kind: EffectKind = _K.SCHEDULE,
    anchor: str = "source_ts",
    only_if: tuple[str, FactValue] | None = None,
) -> Cell:
    return _cell(System.REVENUE, kind, due, code, text, amount=amount, anchor=anchor, only_if=only_if)


def _erp(
    due: DeadlineClass,
    text: str,
    amount: str = "",
    code: str = "ERP_POST_REJECTED",
    *,
    anchor: str = "source_ts",
    only_if: tuple[str, FactValue] | None = None,
) -> Cell:
    return _cell(System.ERP, _K.JOURNAL, due, code, text, amount=amount, anchor=anchor, only_if=only_if)


def _none(
    system: System,
    kind: EffectKind,
    code: str,
    text: str,
    due: DeadlineClass = D4,
    *,
    anchor: str = "source_ts",
    only_if: tuple[str, FactValue] | None = None,
) -> Cell:
    return Cell(system, kind, due, code, text, "", anchor, False, only_if)


def _no_journal(
    code: str = "BIL_UNEXPECTED_DOC",
    due: DeadlineClass = D4,
    *,
    anchor: str = "source_ts",
    only_if: tuple[str, FactValue] | None = None,
) -> Cell:
    return _none(System.ERP, _K.JOURNAL, code, "any journal", due, anchor=anchor, only_if=only_if)


def _no_schedule(code: str = "REV_UNEXPECTED_REALLOCATION", due: DeadlineClass = D4) -> Cell:
    return _none(System.REVENUE, _K.SCHEDULE, code, "a change of the schedule", due)


def _row(number: int, event: str, *cells: Cell, where: dict[str, FactValue] | None = None) -> Row:
    return Row(number, tuple(event.split(" | ")), cells, where)


_AR_DEFERRED = "Dr 1100 / Cr 2100, Cr 2200"
_CREDIT_DEFERRED = "Dr 2100, Dr 2200 / Cr 1100, or Cr 2300 if the invoice is paid"

# One expectation is one line where it fits, so that an event reads as in the table.
# fmt: off
ROWS: tuple[Row, ...] = (
    _row(1, "contract.new",
         _cell(System.ERP, _K.CUSTOMER, D1, "MDM_ACCOUNT_UNMAPPED", "the customer"),
         _billing(_K.SUBSCRIPTION, D3, "BIL_INVOICE_MISSING", "an active subscription"),
         _billing(_K.INVOICE, D3, "BIL_INVOICE_MISSING", "the invoice of the first period", "gross"),
         _gateway(_K.CUSTOMER, D1, "MDM_ACCOUNT_UNMAPPED", "the customer and its mandate"),
         _revenue(D4, "REV_SCHEDULE_MISSING", "a new revenue contract whose schedule sums to the net", "net"),
         _erp(D4, _AR_DEFERRED, "gross"),
         where={"billing_timing": "in_advance"}),
    _row(2, "contract.new",
         _billing(_K.SUBSCRIPTION, D4, "BIL_INVOICE_MISSING", "an active subscription"),
         _none(System.BILLING, _K.INVOICE, "BIL_UNEXPECTED_DOC", "an invoice yet"),
         _revenue(D4, "REV_SCHEDULE_MISSING", "a schedule with an accrual each month-end", "net"),
         _erp(D4, "Dr 1150 / Cr 4000; on invoice Dr 1100 / Cr 1150, 2200", code="REC_UNBILLED_BREAK",
              anchor="month_end"),
         where={"billing_timing": "in_arrears"}),
    _row(3, "amendment.upgrade",
         _billing(_K.INVOICE, D3, "CTR_AMENDMENT_NOT_PROPAGATED",
                  "unused credited and new charged from the effective date", "gross"),
         _gateway(_K.PAYMENT, D4, "PAY_SHORT_PAY", "the charge", "gross", only_if=("always_invoice", True)),
         _revenue(D4, "REV_SCHEDULE_STALE", "a segment split under the stored treatment decision", "net"),
         _erp(D4, "Dr 1100 / Cr 2100 for the net change, Cr 2200", "gross", "BIL_PRORATION_VARIANCE")),
    _row(4, "amendment.downgrade",
         _billing(_K.CREDIT_MEMO, D3, "BIL_CREDIT_MISSING", "a credit from the effective date to the end", "gross"),
         _gateway(_K.REFUND, D4, "PAY_REFUND_UNMATCHED", "the refund", "gross", only_if=("refund_by_policy", True)),
         _revenue(D4, "REV_OVER_RECOGNISED", "the remaining schedule reduced, recognised untouched", "net"),
         _erp(D4, _CREDIT_DEFERRED, "gross", "BIL_CREDIT_MISSING")),
    _row(5, "amendment.downgrade_eot",
         _none(System.BILLING, _K.DOCUMENT, "BIL_UNEXPECTED_DOC", "any document before the renewal"),
         _none(System.GATEWAY, _K.BALANCE_TRANSACTION, "BIL_UNEXPECTED_DOC", "any money moving"),
         _no_schedule(), _no_journal()),
    _row(6, "amendment.seat_expansion",
         _billing(_K.INVOICE, D3, "CTR_VERSION_MISMATCH", "the co-terminous invoice of the amendment", "gross"),
         _gateway(_K.PAYMENT, D4, "PAY_SHORT_PAY", "the charge", "gross", only_if=("always_invoice", True)),
         _revenue(D4, "REV_SCHEDULE_STALE", "the next schedule version, with a segment of the invoice net", "net"),
         _erp(D4, _AR_DEFERRED, "gross")),
    _row(7, "contract.renewal",
         _billing(_K.INVOICE, AT, "BIL_INVOICE_MISSING", "the invoice of the new term", "gross", anchor="term_start"),
         _gateway(_K.PAYMENT, D4, "PAY_SHORT_PAY", "the charge", "gross", anchor="term_start",
                  only_if=("always_invoice", True)),
         _revenue(D4, "CTR_RENEWAL_OVERLAP", "a new schedule from the renewal, without overlap", "net"),
         _erp(D4, f"{_AR_DEFERRED}, not before the right is unconditional", "gross", anchor="term_start")),
    _row(8, "contract.early_renewal",
         _billing(_K.INVOICE, D4, "CTR_RENEWAL_OVERLAP", "the remainder cancelled and the new term billed", "gross"),
         _revenue(D4, "REV_SCHEDULE_STALE", "the remaining and the new price over the new term", "net"),
         _erp(D4, "the difference only: Dr 1100 / Cr 2100, 2200", "gross"),
         _billing(_K.CREDIT_MEMO, D4, "BIL_CREDIT_MISSING", "the credit of the cancelled part", "credit",
                  only_if=("credit_issued", True))),
    _row(9, "subscription.pause",
         _none(System.BILLING, _K.INVOICE, "BIL_UNEXPECTED_DOC", "an invoice during the pause", D2),
         _none(System.GATEWAY, _K.PAYMENT, "BIL_UNEXPECTED_DOC", "a retry during the pause", D2),
         _revenue(D2, "REV_ORPHAN_AFTER_CANCEL", "a hold from the pause date", kind=_K.HOLD),
         _no_journal(due=D2, only_if=("pause_policy", "extend")),
         _erp(D4, _CREDIT_DEFERRED, "gross", "BIL_CREDIT_MISSING", only_if=("pause_policy", "credit"))),
    _row(10, "subscription.resume",
         _billing(_K.SUBSCRIPTION, D2, "REV_SCHEDULE_STALE", "the new end date or a new invoice"),
         _revenue(D4, "REV_SCHEDULE_STALE", "the hold released over the new period"),
         _no_journal(only_if=("new_invoice", False)),
         _erp(D4, _AR_DEFERRED, "gross", only_if=("new_invoice", True))),
    _row(11, "cancel.immediate",
         _billing(_K.CREDIT_MEMO, D3, "BIL_CREDIT_MISSING", "a credit of the unused part, nothing active", "gross"),
         _gateway(_K.REFUND, D3, "PAY_REFUND_UNMATCHED", "the refund", "gross", only_if=PAID),
         _revenue(D3, "REV_ORPHAN_AFTER_CANCEL", "the schedule closed with nothing deferred"),
         _erp(D3, "Dr 2100, Dr 2200 / Cr 1100", "gross", "PAY_REFUND_UNMATCHED"),
         where={"refunded": True}),
    _row(12, "cancel.immediate",
         _none(System.BILLING, _K.INVOICE, "BIL_UNEXPECTED_DOC", "a new invoice"),
         _revenue(D4, "REV_ORPHAN_AFTER_CANCEL", "the rest released, or kept amortising while access is kept"),
         _erp(D4, "Dr 2100 / Cr 4099", code="REV_ORPHAN_AFTER_CANCEL", only_if=("access_kept", False)),
         where={"refunded": False}),
    _row(13, "cancel.end_of_term",
         _none(System.BILLING, _K.INVOICE, "BIL_UNEXPECTED_DOC", "a renewal invoice", DAY_AFTER, anchor="term_end"),
         _none(System.GATEWAY, _K.PAYMENT, "BIL_UNEXPECTED_DOC", "a charge", DAY_AFTER, anchor="term_end"),
         _no_journal(due=DAY_AFTER, anchor="term_end")),
    _row(14, "credit.goodwill",
         _billing(_K.CREDIT_MEMO, D4, "BIL_CREDIT_MISSING", "the credit memo", "gross"),
         _revenue(D4, "REV_OVER_RECOGNISED", "the credit against past revenue at once", "net"),
         _erp(D4, "Dr 4090, Dr 2200 / Cr 1100 or 2300", "gross", "BIL_CREDIT_MISSING")),
    _row(15, "credit.future_discount",
         _billing(_K.CREDIT_MEMO, D4, "BIL_CREDIT_MISSING", "the credit memo or coupon", "gross"),
         _revenue(D4, "REV_SCHEDULE_STALE", "the credit over the period it is for", "net"),
         _erp(D4, "Dr 2100, Dr 2200 / Cr 1100 or 2300", "gross", "BIL_CREDIT_MISSING")),
    _row(16, "proration.recalculated",
         _billing(_K.INVOICE, D4, "CTR_EFFECTIVE_DATE_CONFLICT", "a reissue or the difference", "gross"),
         _revenue(D4, "CTR_EFFECTIVE_DATE_CONFLICT", "a catch-up for elapsed days in the open period", "net"),
         _erp(D4, "Dr 1100 / Cr 4000 elapsed, Cr 2100 future, Cr 2200", "gross", "CTR_EFFECTIVE_DATE_CONFLICT")),
    _row(17, "usage.overage",
         _billing(_K.INVOICE, D4, "BIL_USAGE_LATE", "the rated line, in arrears", "gross", anchor="usage_window_end"),
         _gateway(_K.PAYMENT, D4, "PAY_SHORT_PAY", "the charge", "gross", only_if=("always_invoice", True)),
         _revenue(D4, "REC_UNBILLED_BREAK", "the accrual at the month-end of the usage", "net", anchor="month_end"),
         _erp(D4, "Dr 1150 / Cr 4010; on invoice Dr 1100 / Cr 1150, 2200", "net", "REC_UNBILLED_BREAK",
              anchor="month_end")),
    _row(18, "usage.late | usage.corrected",
         _billing(_K.INVOICE, D4, "BIL_USAGE_LATE", "the difference as a line or credit", "gross"),
         _revenue(D4, "BIL_USAGE_LATE", "the difference in the open period, original period noted", "net"),
         _erp(D4, "Dr 1100 / Cr 4010, 2200, or the reverse", "gross", "BIL_USAGE_LATE")),
    _row(19, "price.change",
         _billing(_K.INVOICE, D4, "BIL_AMOUNT_VARIANCE", "the new price on the next invoice or a proration"),
         _revenue(D4, "REV_SCHEDULE_STALE", "the remaining price spread anew", only_if=("mid_term", True)),
         _erp(D4, _AR_DEFERRED, "gross", only_if=("mid_term", True)),
         _no_journal(only_if=("mid_term", False))),
    _row(20, "plan.swap",
         _billing(_K.INVOICE, D4, "BIL_AMOUNT_VARIANCE", "credit and charge that net to zero"),
         _none(System.GATEWAY, _K.BALANCE_TRANSACTION, "BIL_UNEXPECTED_DOC", "any money moving"),
         _revenue(D4, "REV_SCHEDULE_STALE", "the old obligation closed and a new one opened"),
         _erp(D4, "a reclassification within 2100 that nets to zero", code="REV_SCHEDULE_STALE")),
    _row(21, "contract.coterm",
         _billing(_K.INVOICE, D4, "CTR_EFFECTIVE_DATE_CONFLICT", "a proration to the common end", "gross"),
         _revenue(D4, "CTR_EFFECTIVE_DATE_CONFLICT", "ends aligned, combined if the tests say so", "net"),
         _erp(D4, _AR_DEFERRED, "gross")),
    _row(22, "account.merge",
         _billing(_K.STATUS, D4, "MDM_MERGE_CONFLICT", "open documents and balances moved"),
         _gateway(_K.CUSTOMER, D4, "MDM_MERGE_CONFLICT", "the customer linked anew"),
         _no_schedule(),
         _erp(D4, "receivables moved to the surviving customer, total unchanged", code="MDM_MERGE_CONFLICT")),
    _row(23, "account.split | account.owner_transfer",
         _billing(_K.SUBSCRIPTION, D4, "MDM_MERGE_CONFLICT", "the new subscription or owner with its lines"),
         _gateway(_K.CUSTOMER, D4, "MDM_MERGE_CONFLICT", "the new mandate"),
         _revenue(D4, "MDM_MERGE_CONFLICT", "the revenue contract split, amounts conserved"),
         _erp(D4, "1100 and 2100 moved by customer, sum zero", code="MDM_MERGE_CONFLICT")),
    _row(24, "payment.succeeded",
         _billing(_K.STATUS, D4, "PAY_UNAPPLIED_CASH", "the invoice paid"),
         _gateway(_K.BALANCE_TRANSACTION, D4, "ERP_POST_UNKNOWN", "the charge and its balance transaction", "gross"),
         _no_schedule(),
         _erp(D4, "Dr 1050 / Cr 1100, fee to 6100 if settled net", "gross", "PAY_UNAPPLIED_CASH")),
    _row(25, "payment.failed",
         _billing(_K.STATUS, D2, "PAY_FAILED_NOT_IN_ERP", "the invoice still open, or past due"),
         _none(System.GATEWAY, _K.BALANCE_TRANSACTION, "PAY_FAILED_NOT_IN_ERP", "a balance transaction", D2),
         _no_schedule(due=D2),
         _no_journal("PAY_FAILED_NOT_IN_ERP", D2, only_if=("was_booked", False)),
         _erp(D2, "Dr 1100 / Cr 1050", "gross", "PAY_FAILED_NOT_IN_ERP", only_if=("was_booked", True))),
    _row(26, "payment.partial",
         _billing(_K.STATUS, D4, "PAY_SHORT_PAY", "an amount remaining"),
         _gateway(_K.BALANCE_TRANSACTION, D4, "PAY_SHORT_PAY", "the partial balance transaction", "gross"),
         _no_schedule(),
         _erp(D4, "Dr 1000 or 1050 / Cr 1100 in part", "gross", "PAY_SHORT_PAY")),
    _row(27, "payment.overpayment",
         _billing(_K.STATUS, D4, "PAY_OVERPAYMENT", "a credit balance", "excess"),
         _no_schedule("REV_OVER_RECOGNISED"),
         _erp(D4, "Dr 1000 / Cr 1100, Cr 2300 for the excess", "gross", "PAY_OVERPAYMENT")),
    _row(28, "payment.applied",
         _billing(_K.STATUS, D5, "PAY_UNAPPLIED_CASH", "the link to the invoice"),
         _no_schedule(due=D5),
         _erp(D5, "Dr 2300 / Cr 1100", "gross", "PAY_UNAPPLIED_CASH")),
    _row(29, "refund.full",
         _billing(_K.CREDIT_MEMO, D3, "PAY_REFUND_UNMATCHED", "the credit memo in full", "gross"),
         _gateway(_K.REFUND, D4, "PAY_REFUND_UNMATCHED", "the refund", "gross"),
         _revenue(D4, "REV_ORPHAN_AFTER_CANCEL", "nothing deferred, recognised by policy"),
         _erp(D4, "Dr 2100, 4090, 2200 / Cr 1100; Dr 1100 / Cr 1050", "gross", "PAY_REFUND_UNMATCHED")),
    _row(30, "refund.partial",
         _billing(_K.CREDIT_MEMO, D4, "PAY_REFUND_UNMATCHED", "the credit memo lines", "gross"),
         _gateway(_K.REFUND, D4, "PAY_REFUND_UNMATCHED", "the refund", "gross"),
         _revenue(D4, "REV_SCHEDULE_STALE", "the reduction, prospective or proportional by reason"),
         _erp(D4, "Dr 2100, 4090, 2200 / Cr 1100; Dr 1100 / Cr 1050, in part", "gross", "PAY_REFUND_UNMATCHED")),
    _row(31, "refund.failed",
         _billing(_K.CREDIT_MEMO, D2, "PAY_REFUND_UNMATCHED", "the credit memo still there"),
         _gateway(_K.BALANCE_TRANSACTION, D2, "PAY_REFUND_UNMATCHED", "the reversal of the refund", "gross"),
         _no_schedule(due=D2),
         _erp(D2, "Dr 1050 / Cr 2150", "gross", "PAY_REFUND_UNMATCHED")),
    _row(32, "dispute.opened",
         _billing(_K.STATUS, D2, "DSP_UNBOOKED", "the invoice flagged"),
         _gateway(_K.BALANCE_TRANSACTION, D2, "DSP_UNBOOKED", "the amount and fee taken", "gross"),
         _gateway(_K.STATUS, DeadlineClass.BEFORE_48H, "DSP_DEADLINE_RISK", "the evidence", anchor="evidence_due_by"),
         _erp(D2, "Dr 1250, Dr 6110 / Cr 1050", "gross", "DSP_UNBOOKED")),
    _row(33, "dispute.won",
         _billing(_K.STATUS, D4, "DSP_UNBOOKED", "the flag removed"),
         _gateway(_K.BALANCE_TRANSACTION, D4, "DSP_UNBOOKED", "the amount given back", "gross"),
         _revenue(D4, "REV_SCHEDULE_STALE", "the hold released", kind=_K.HOLD, only_if=("hold_set", True)),
         _erp(D4, "Dr 1050 / Cr 1250", "gross", "DSP_UNBOOKED")),
    _row(34, "dispute.lost",
         _billing(_K.CREDIT_MEMO, D4, "DSP_LOST_UNBOOKED", "a credit memo or the debt reopened"),
         _gateway(_K.STATUS, D4, "DSP_LOST_UNBOOKED", "the final state"),
         _revenue(D4, "DSP_LOST_UNBOOKED", "recognised part against contra, deferred cleared"),
         _erp(D4, "Dr 4091, 2100, 2200 / Cr 1250, or Dr 1190 for a credit loss", "gross", "DSP_LOST_UNBOOKED")),
    _row(35, "payout.paid",
         _gateway(_K.MATCH, D5, "SET_PAYOUT_UNMATCHED", "balance transactions that sum to the payout", "net",
                  anchor="arrival"),
         _no_schedule(),
         _erp(D5, "Dr 1000 / Cr 1050, matched to the bank entry", "net", "SET_CLEARING_NONZERO", anchor="arrival")),
    _row(36, "payout.failed | payout.canceled",
         _gateway(_K.BALANCE_TRANSACTION, D2, "SET_PAYOUT_FAILED", "the reversing balance transaction", "net"),
         _no_schedule(due=D2),
         _erp(D2, "Dr 1050 / Cr 1000", "net", "SET_PAYOUT_FAILED", only_if=("was_booked", True))),
    _row(37, "fee.charged | fee.adjusted",
         _gateway(_K.BALANCE_TRANSACTION, D4, "SET_FEE_VARIANCE", "the fee or the gateway's invoice", "fee"),
         _no_schedule(),
         _erp(D4, "Dr 6100 / Cr 1050", "fee", "SET_FEE_VARIANCE")),
    _row(38, "invoice.write_off",
         _billing(_K.STATUS, D4, "ERP_POST_REJECTED", "the invoice uncollectible"),
         _revenue(D4, "REV_ORPHAN_AFTER_CANCEL", "the schedule stopped", only_if=("service_stopped", True)),
         _cell(System.ERP, _K.APPROVAL, D4, "GOV_SOD_VIOLATION", "the approval of a second person"),
         _erp(D4, "Dr 1190 or 6200, Dr 2100, Dr 2200 on relief / Cr 1100", "gross")),
    _row(39, "writeoff.recovered",
         _billing(_K.STATUS, D4, "PAY_UNAPPLIED_CASH", "the invoice paid"),
         _gateway(_K.BALANCE_TRANSACTION, D4, "PAY_UNAPPLIED_CASH", "the charge", "gross"),
         _revenue(D4, "REV_SCHEDULE_STALE", "the recovered unrecognised part, by policy"),
         _erp(D4, "Dr 1050 / Cr 1190 or 6200, remainder Cr 2150 or 4099", "gross", "PAY_UNAPPLIED_CASH")),
    _row(40, "invoice.void",
         _billing(_K.STATUS, D3, "BIL_VOID_AFTER_POST", "the invoice void, with the link to its reissue"),
         _gateway(_K.STATUS, D3, "BIL_VOID_AFTER_POST", "the payment attempt cancelled"),
         _revenue(D3, "REV_ORPHAN_AFTER_CANCEL", "the whole schedule of the invoice reversed"),
         _erp(D3, "the full reversal in the open period: Dr 2100, 4090 or 4000, 2200 / Cr 1100", "gross",
              "BIL_VOID_AFTER_POST")),
    _row(41, "tax.correction",
         _billing(_K.CREDIT_MEMO, D4, "TAX_VARIANCE", "a tax-only memo", "tax"),
         _gateway(_K.PAYMENT, D4, "TAX_VARIANCE", "the charge of the difference", "tax", only_if=PAID),
         _no_schedule("TAX_LOCKED"),
         _erp(D4, "Dr 1100 / Cr 2200 or the reverse, nothing to 4000", "tax", "TAX_VARIANCE")),
    _row(42, "tax.rate_change | tax.exemption_late",
         _billing(_K.CREDIT_MEMO, D4, "TAX_JURISDICTION_MISSING", "a credit memo for tax", "tax"),
         _gateway(_K.REFUND, D4, "TAX_JURISDICTION_MISSING", "the refund of tax", "tax", only_if=PAID),
         _no_schedule(),
         _erp(D4, "Dr 2200 / Cr 1100", "tax", "TAX_JURISDICTION_MISSING")),
    _row(43, "fx.settlement",
         _gateway(_K.BALANCE_TRANSACTION, D4, "FX_VARIANCE", "the exchange rate of the settlement"),
         _no_schedule("FX_VARIANCE"),
         _erp(D4, "Dr or Cr 7100 for settlement against carrying amount", "fx_difference", "FX_VARIANCE")),
    _row(44, "fx.revaluation",
         _none(System.REVENUE, _K.SCHEDULE, "FX_VARIANCE", "a revaluation of deferred revenue, ever", WD1,
               anchor="month_end"),
         _erp(WD1, "Dr or Cr 7110 against 1100 and 1050", "fx_difference", "FX_RATE_MISSING", anchor="month_end")),
    _row(45, "ssp.change", _no_schedule(), _no_journal("REV_UNEXPECTED_REALLOCATION")),
    _row(46, "entity.change | mapping.change",
         _cell(System.ERP, _K.APPROVAL, AT, "GOV_MAPPING_UNAPPROVED", "two signatures and a canary comparison"),
         _no_schedule("GOV_MAPPING_UNAPPROVED", AT), _no_journal("GOV_MAPPING_UNAPPROVED", AT)),
)
# fmt: on
