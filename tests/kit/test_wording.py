"""Words for people."""

import pytest

from finsync.kit.wording import tail


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("invoice:US01:stripe:INV-2:v1", "INV-2"),
        ("invoice:US01:stripe:INV-2", "INV-2"),
        ("contract:US01:C-1001:v2", "C-1001 v2"),
        ("revenue:US01:C-1001:2026-02:v2", "C-1001 2026-02 v2"),
        ("schedule:US01:C-1001", "C-1001"),
        ("payment:stripe:ch_1", "ch_1"),
        ("payment_application:stripe:ch_1:1", "ch_1"),
        ("customer:001A", "001A"),
        ("evt_1", "evt_1"),
        ("", ""),
    ],
)
def test_a_business_key_is_said_as_people_say_it(key, said):
    assert tail(key) == said
