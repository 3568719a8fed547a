"""Drills: each tries to break a promise, prints what happened, and fails when it could."""
