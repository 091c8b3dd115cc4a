"""User-Agent headers in words."""

import pytest

from muster.accounts.browsers import browser_name, is_phone

_MOZILLA = "Mozilla/5.0"
_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"


@pytest.mark.parametrize(
    ("header", "name", "phone"),
    [
        (
            f"{_MOZILLA} (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Windows",
            False,
        ),
        (f"{_MOZILLA} (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36", "Chrome on Windows", False),
        (
            f"{_MOZILLA} (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 Edg/140.0.0.0",
            "Edge on Windows",
            False,
        ),
        (
            f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Safari/605.1.15",
            "Safari on macOS",
            False,
        ),
        (
            f"{_MOZILLA} (iPhone; CPU iPhone OS 18_0 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
            True,
        ),
        (f"{_MOZILLA} (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36", "Chrome on Android", True),
        (f"{_MOZILLA} (X11; Linux x86_64) {_CHROME} Safari/537.36", "Chrome on Linux", False),
        ("curl/8.5.0", "curl", False),
        ("Something (Windows)", "An unknown browser on Windows", False),
        ("", "An unknown browser", False),
        (None, "An unknown browser", False),
    ],
)
def test_a_browser_is_named(header: str | None, name: str, phone: bool) -> None:
    assert (browser_name(header), is_phone(header)) == (name, phone)
