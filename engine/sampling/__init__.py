"""From a network and images to counts: noise, forward passes, executors, and the jobs that fill a store."""
