"""What outlives a page run: the queue of certify jobs, precomputes, uploads and their limits."""
