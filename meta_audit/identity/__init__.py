"""Answer who somebody is, and how we know: keys, IDs, signatures and look-alike keys.

Pure functions of text and bytes. Bad input gives a verdict, never an exception, and its size
is bounded before any work is done on it. Import the module that you need: only `key_loading`
and `verdicts` load the `cryptography` library (some 45 ms).

- `verdicts`: compare IDs with keys, and verify signatures;
- `same_job`: tell if two documents can be of one job;
- `peer`, `client`: the IDs of requesters and of clients;
- `keys`: the container of a libp2p key, base64, and fingerprints;
- `key_loading`: keys as `cryptography` has them;
- `base58`: the text form of peer IDs;
- `confusables`: Meta keys that look like others, and characters that cannot be seen.
"""
