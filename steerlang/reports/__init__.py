"""What a run found, as plain values, and how it is shown: on a terminal, as one HTML page."""
