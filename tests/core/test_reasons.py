"""Every failure has a name, a desk and a next step a finance person can follow."""

import re

from finsync.core.reasons import REASONS, Owner


def test_every_reason_says_who_owns_it_and_what_to_do():
    for code, reason in REASONS.items():
        assert code == reason.code
        assert re.fullmatch(r"[A-Z]+(_[A-Z]+)+", code)
        assert 1 <= reason.base <= 4
        assert reason.remedy and reason.blocks
        assert reason.sentence.endswith(".") and len(reason.sentence.split()) >= 8


def test_titles_are_plain_english_and_told_apart():
    titles = [reason.title for reason in REASONS.values()]
    assert len(set(titles)) == len(titles)
    for title in titles:
        assert title[0].isupper() and "_" not in title and not title.endswith(".")


def test_every_owner_has_a_desk_and_work():
    assert {reason.owner for reason in REASONS.values()} == set(Owner)
    assert all(owner.desk for owner in Owner)


def test_codes_posting_and_mapping_raise_exist():
    assert {
        "MAPPING_MISSING",
        "MAPPING_AMBIGUOUS",
        "ERP_UNBALANCED_JE",
        "ERP_POST_REJECTED",
        "ERP_POST_UNKNOWN",
        "ERP_AUTH_FAILED",
        "ERP_PERIOD_CLOSED",
        "ERP_DUPLICATE_POST",
        "DEPENDENCY_OVERDUE",
        "REV_SCHEDULE_STALE",
    } <= set(REASONS)
