"""The service grades itself: false alarms, precision, the rule's parameters, dry runs."""
