"""What a plan guarantees. No TensorFlow here: a page computes all of this as a slider moves."""
