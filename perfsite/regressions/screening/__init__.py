"""The screen: from a report that came home to suspicions, with one constant state per series."""
