"""Open stores, run SQL on either engine, and copy stores."""
