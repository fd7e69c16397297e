"""Checks of the whole store against its ledger, and proofs for single documents. Read-only."""
