"""No business: settings, databases, errors, problems, caching, paging, clock, logs."""
