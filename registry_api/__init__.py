"""The registry over HTTP: routes translate, and the rules stay in `modelyard.registry`."""
