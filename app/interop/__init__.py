"""Our rows in other people's languages, by pure functions: no session, no clock."""
