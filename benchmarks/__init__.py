"""What tracking costs: against no tracking, the floor, other systems, and as work grows."""
