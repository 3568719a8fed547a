"""What leaves the house: events wait here until a courier takes them."""
