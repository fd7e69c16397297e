"""Who, and how do we know: the arithmetic of keys, IDs, signatures and look-alike keys.

Pure functions of text and bytes; bad input gives a verdict, never an exception, and its
size is bounded before any work is done on it. Import the module that you need: only
`loading` and `checks` load the `cryptography` library (some 45 ms).

- `checks`: does this ID belong to this key, does this signature hold (for parsing);
- `peer`, `client`: the IDs of requesters and of clients;
- `keys`: the container of a libp2p key, and fingerprints;
- `loading`: keys as `cryptography` has them;
- `base58`: the text form of peer IDs;
- `confusables`: Meta keys that look like others, and characters that cannot be seen.
"""
