"""Pure decisions: what to do next, given a value. No clock, no randomness, no I/O, no engine."""
