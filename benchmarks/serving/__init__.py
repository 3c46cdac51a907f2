"""Requests that arrive at random, the queue they wait in, and searches over rates and batches.

Pure: numpy and a clock that is handed in, so that a test can run hours of queueing in a second.
"""
