"""BoltDB files: pages, trees of buckets, and where Bacalhau keeps its jobs in them.

Only reading, in pure Python and without a lock: a running server is not disturbed. Files are
hostile: every page is used once, every count and size is checked against the file.
"""
