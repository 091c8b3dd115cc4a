"""The one door out: timeouts, retries, address policy, redaction."""

from muster.egress.door import Answer, Egress, ServerClient
from muster.egress.errors import EgressError
from muster.egress.policy import EgressPolicy
from muster.egress.spool import Spool

__all__ = ["Answer", "Egress", "EgressError", "EgressPolicy", "ServerClient", "Spool"]
