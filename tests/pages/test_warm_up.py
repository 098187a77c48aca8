"""What a web process does before its first request."""

import logging

from exo_registry import warm_up
from exo_registry.code import source_code


def test_it_leaves_the_first_page_little_to_do(contfut, django_assert_max_num_queries):
    source_code._digest.cache_clear()
    with django_assert_max_num_queries(8):
        warm_up.warm_up()
    assert source_code._digest.cache_info().currsize


def test_what_goes_wrong_keeps_no_server_from_starting(contfut, monkeypatch, caplog):
    def fail(series):
        raise RuntimeError("no such table")

    monkeypatch.setattr(warm_up, "assess", fail)
    with caplog.at_level(logging.WARNING):
        warm_up.warm_up()
    assert "the first page will be slow: RuntimeError: no such table" in caplog.text
