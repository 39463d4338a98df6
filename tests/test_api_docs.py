from __future__ import annotations

import make_api_docs


def test_the_api_page_is_current() -> None:
    current = make_api_docs.PAGE.read_text(encoding="utf-8")
    assert current == make_api_docs.page(), "docs/api.md is out of date: run `make docs`"
