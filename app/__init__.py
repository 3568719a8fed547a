"""Carepath: the JSON API behind a specialist hospital's condition pages and consultations."""
