"""The architectures, in Keras. A script that trains on TFF alone has all that follows the import in it."""

from dpcore.learning.loading import tf


def keras_model(name, width, classes, image_shape):
    """Returns a model of a plan with one logit a class.

    "mlp" is the tutorial's (two ReLU layers of 200), "linear" has no hidden layer, "cnn" is two 5x5
    convolutions with 32 and 64 channels, each with 2x2 max-pooling, and a ReLU layer of 128.

    Args:
        name: That of the architecture.
        width: Numbers in an example.
        classes: How many there are.
        image_shape: (height, width) or (height, width, channels) of an example; only "cnn" needs it.
    """
    layers, hidden = [tf.keras.Input((width,))], {"mlp": (200, 200), "linear": (), "cnn": (128,)}[name]
    if name == "cnn":
        layers.append(tf.keras.layers.Reshape(image_shape if len(image_shape) == 3 else (*image_shape, 1)))
        for filters in (32, 64):
            layers += [tf.keras.layers.Conv2D(filters, 5, activation="relu"), tf.keras.layers.MaxPooling2D()]
        layers.append(tf.keras.layers.Flatten())
    layers += [tf.keras.layers.Dense(units, activation="relu") for units in hidden]
    return tf.keras.Sequential([*layers, tf.keras.layers.Dense(classes)])
