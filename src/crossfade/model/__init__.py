"""What things are: frozen values and pure text functions on them. No input or output, no clock, no chance."""
