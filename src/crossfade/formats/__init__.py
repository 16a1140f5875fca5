"""Text to model, with positions: what a user wrote becomes frozen values or one error screen."""
