"""What is measured of networks and answers, and written on their cards."""
