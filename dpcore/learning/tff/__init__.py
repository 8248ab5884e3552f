"""The engine on TensorFlow Federated: its process, the queries that clip and add noise, and a round."""
