"""What a run shows of its own guarantee: bounds, ingredients and attacks of a user-level audit. No TensorFlow here."""
