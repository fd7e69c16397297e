"""Read the jobs of an orchestrator over its API, v1.1 and later."""

from meta_audit.sources.orchestrator.address import Address
from meta_audit.sources.orchestrator.credentials import Credentials, load_credentials
from meta_audit.sources.orchestrator.pull import OVERLAP_SECONDS, Pull, Scope
from meta_audit.sources.orchestrator.settling import Settling
from meta_audit.sources.orchestrator.transport import HttpLimits, Transport
from meta_audit.sources.orchestrator.vanished import Held

__all__ = [
    "OVERLAP_SECONDS",
    "Address",
    "Credentials",
    "Held",
    "HttpLimits",
    "Pull",
    "Scope",
    "Settling",
    "Transport",
    "load_credentials",
]
