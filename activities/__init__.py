"""One class per boundary: each activity translates its input, calls one adapter and returns a digest."""
