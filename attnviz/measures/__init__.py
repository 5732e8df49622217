"""New numbers from attention: pure functions of values."""
