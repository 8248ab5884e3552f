"""What the guided lesson computes: NumPy only, no Streamlit and no TensorFlow, so that a notebook can play it as well."""
