"""What law and custom ask of a consent, country by country: rows of data with their sources, and what follows."""
