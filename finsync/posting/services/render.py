"""Rendering: the approved mapping turns a draft's facts and amounts into the journal of its posting."""

from finsync.core.mapping.evaluate import Refused
from finsync.mappings.services import ActiveTables
from finsync.posting.documents import Draft
from finsync.posting.models import Posting, PostingLine

FOR_MAPPING = "MAPPING"


def render(posting: Posting, draft: Draft, tables: ActiveTables) -> Refused | None:
    """Set a posting's mapping version and prepare its lines; a refusal holds it for the mapping.

    The lines are kept on the posting and written by ``save_lines`` after the posting itself. A document without an
    accounting event (master data, an application) needs no journal.
    """
    posting.prepared_lines = []
    if not draft.event:
        return None
    result = tables.evaluate(draft.event, draft.facts, draft.amounts, draft.items)
    if isinstance(result, Refused):
        posting.held_for, posting.status_reason = FOR_MAPPING, result.detail
        return result
    posting.mapping_version = tables.rule_version(draft.event)
    posting.held_for = ""
    posting.prepared_lines = [
        PostingLine(
            line_no=number,
            side=line.side,
            account=line.account,
            currency=line.amount.currency,
            amount_minor=line.amount.minor,
            rule_id=line.rule_id,
            mapping_set=line.mapping_set,
            row_id=line.row_id,
            set_version=tables.set_version(line.mapping_set) if line.mapping_set else None,
            source_line=line.source_line,
            dimensions=dict(line.dimensions),
        )
        for number, line in enumerate(result.lines, start=1)
    ]
    return None
