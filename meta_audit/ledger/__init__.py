"""The ledger: canonical entries in a Merkle tree, signed checkpoints, proofs. Pure.

`docs/ledger.md` is the specification of everything in this package. Import the modules, not
this package: only `note` and what builds on it load `cryptography`.
"""
