"""Bad input to every face that listens, byte by byte."""
