"""How often one address may try a password or a token."""

from __future__ import annotations

from litestar.middleware.rate_limit import RateLimitConfig

ATTEMPTS_A_MINUTE = 20
# Counted over all routes that take it; Argon2 makes each attempt cost tens of milliseconds besides.
ATTEMPTS = RateLimitConfig(rate_limit=("minute", ATTEMPTS_A_MINUTE), set_rate_limit_headers=False)
