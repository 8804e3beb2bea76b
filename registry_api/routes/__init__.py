"""The routes, one module for each subject. They translate; the registry's rules decide."""
