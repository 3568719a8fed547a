"""What the hospital publishes: categories, conditions, treatment options."""
