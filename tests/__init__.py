"""Tests, and the programs of `make faults`."""
