"""The models: what they compute, and how they learn; dense ones in NumPy, and all of them in TensorFlow."""
