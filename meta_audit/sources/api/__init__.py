"""Read the jobs of an orchestrator over its API, v1.1 and later."""

from meta_audit.sources.api.address import Address
from meta_audit.sources.api.credentials import Credentials, load_credentials
from meta_audit.sources.api.pull import OVERLAP_SECONDS, Pull, Scope
from meta_audit.sources.api.settling import Settling
from meta_audit.sources.api.transport import HttpLimits, Transport

__all__ = [
    "OVERLAP_SECONDS",
    "Address",
    "Credentials",
    "HttpLimits",
    "Pull",
    "Scope",
    "Settling",
    "Transport",
    "load_credentials",
]
