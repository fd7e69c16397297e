"""From results to text for a terminal, JSON and CSV; every string is made safe here."""
