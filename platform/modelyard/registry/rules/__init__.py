"""The registry's rules, one module for each subject; `modelyard.registry.local` puts them together.

A rule reads, decides, and writes under the condition that what it read still holds. What each call promises is written
at `modelyard.registry.registry`.
"""
