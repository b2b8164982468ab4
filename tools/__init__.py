"""What is done with the project and ships with none of it: the audit, the release. Standard library only."""
