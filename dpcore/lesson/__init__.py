"""What the guided lesson computes, without Streamlit and TensorFlow, so that a notebook can play it as well."""
