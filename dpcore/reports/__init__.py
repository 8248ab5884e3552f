"""What was found, to be handed on."""
