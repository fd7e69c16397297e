"""Faults: kills, memory; and what a store must hold after them."""
