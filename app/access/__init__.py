"""Who is asking, may they, and what they did."""
