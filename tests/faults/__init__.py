"""Inject faults, and check the store after them."""
