"""A generated history: what many models on several GPUs could have measured in a year, from a seed."""
