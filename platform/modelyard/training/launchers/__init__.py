"""Where runs' processes live. One more launcher is one more file beside `local`, and a line in `modelyard.wiring`."""
