"""What the pages show as plot-ready tables; pure."""
