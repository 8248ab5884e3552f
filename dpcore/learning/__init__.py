"""The algorithm: model, sampling, engines and the loop. TensorFlow lives here, and only here."""
