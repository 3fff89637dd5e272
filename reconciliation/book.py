"""What finsync itself holds, as sides of a control: named queries over the canonical book and the outbox.

Each yields the columns of ``COLUMNS`` in their order and may use the parameters ``start`` and ``end``, the window.
"""

from collections.abc import Mapping

COLUMNS = (
    "system, key, entity, currency, period, state, version, amount_minor, source_id, seen_at, document_date, facts"
)

# A contract as of the window's last day: its newest effective version and the price of all versions up to it.
_CONTRACTS = """
SELECT 'finsync', c.number, c.entity, c.currency, '', 'active', max(v.version), sum(v.added_price_minor), c.number,
       max(v.applied_at), max(v.effective_date), jsonb_build_object('account', c.account_id)
  FROM contract c JOIN contract_version v ON v.contract_id = c.id
 WHERE c.term_end > %(start)s AND v.effective_date < %(end)s
 GROUP BY c.id
"""

# Every document with a journal that finsync sent, or must not have sent. While the ERP's answer is unknown a document
# may be there or not; a document that was never sent cannot be.
_OUTBOX = """
SELECT c.name, p.external_ref, p.entity, p.currency, to_char(p.accounting_date, 'YYYY-MM'),
       CASE WHEN p.status = 'POSTED' THEN 'posted' WHEN p.status = 'CANCELLED' THEN 'cancelled'
            WHEN p.sends > 0 THEN 'in doubt' ELSE 'not sent' END,
       0, p.amount_minor, coalesce(p.erp_document_id, ''), p.posted_at, p.accounting_date,
       jsonb_build_object('posting', p.id, 'business_key', p.business_key, 'kind', p.doc_type)
  FROM posting p JOIN connection c ON c.id = p.connection_id
 WHERE 'erp' = ANY(c.roles) AND p.amount_minor IS NOT NULL
   AND p.accounting_date >= %(start)s AND p.accounting_date < %(end)s
"""

SIDES: Mapping[str, str] = {"contracts": _CONTRACTS, "outbox": _OUTBOX}

# What moves at the moment: entity, the key or its part before "|", and since when.
_CONTRACT_POSTINGS = """
SELECT entity, contract_number AS key, max(created_at) AS since
  FROM posting
 WHERE contract_number <> '' AND status IN ('HELD', 'READY', 'SENDING', 'UNKNOWN', 'ACCEPTED')
 GROUP BY entity, contract_number
"""

ON_ITS_WAY: Mapping[str, str] = {"contract postings": _CONTRACT_POSTINGS}
